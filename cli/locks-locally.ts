import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import type { Configuration } from '#core/configuration';
import type { ControlStore, Lock, LockSelector } from '#core/contract';
import { type LockTools, liftLock, maxLocks, newLockId, placeLock } from '#core/lock';
import { CliError } from './cli-error.ts';
import type { CommandContext } from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { gatewayProcess } from './gateway-process.ts';
import { readConfiguration } from './installation.ts';
import type { LockDesk } from './locks.ts';
import { onlyLock } from './only-match.ts';
import { printable } from './output.ts';
import { recordByHand } from './own-journal.ts';
import { openSessions, withControl } from './sessions-locally.ts';
import { withoutSecrets } from './without-secrets.ts';

export function withLocalLocks<Result>(
  data: DataDirectory,
  context: CommandContext,
  work: (desk: LockDesk) => Promise<Result>,
): Promise<Result> {
  return withControl(data, context.now, (control) => work(localLocks(data, control, context)));
}

function localLocks(data: DataDirectory, control: ControlStore, context: CommandContext): LockDesk {
  const author = { kind: 'person', name: userInfo().username } as const;
  const tools: LockTools = {
    control,
    now: context.now,
    record: (draft) => recordByHand(data, context, draft),
  };
  return {
    lookEveryMs: 50,
    async place(wish) {
      const configuration = readConfiguration(data);
      noteUnknownNames(wish.selector, configuration, context);
      const message = withoutSecrets(wish.message, configuration);
      const placed = await placeLock({ lockId: newLockId(randomBytes), ...wish, message }, author, tools);
      if (placed.kind !== 'too-many-locks') return placed.lock;
      throw new CliError(
        'bad-input',
        `there are ${maxLocks} locks already; lift some with "sshtrail unlock"`,
      );
    },
    async lift(start) {
      const { lockId } = onlyLock(await locksOf(control), start);
      const lifted = await liftLock(lockId, author, tools);
      if (lifted !== undefined) return lifted;
      throw new CliError('not-found', `${lockId} is gone by now: it expired, or somebody else lifted it`);
    },
    list: () => locksOf(control),
    // Where no gateway runs there is nobody to wait for.
    openSessions: async () => (gatewayProcess(data) === undefined ? [] : openSessions(control)),
  };
}

async function locksOf(control: ControlStore): Promise<readonly Lock[]> {
  const items = await control.list('lock');
  return items.map(({ data }) => data).sort((one, other) => one.createdAtMs - other.createdAtMs);
}

/** A lock on a name that nobody has is most often a slip, and looks like one that works. */
function noteUnknownNames(
  { identity, target }: LockSelector,
  { identities, targets }: Configuration,
  { output }: CommandContext,
): void {
  if (identity !== undefined && !identities.some(({ name }) => name === identity))
    output.note(
      `the configuration has no identity ${printable(identity)}; the lock is for whoever proves that name`,
    );
  if (target !== undefined && !targets.some(({ name }) => name === target))
    output.note(
      `the configuration has no target ${printable(target)}; the lock is for a target of that name`,
    );
}
