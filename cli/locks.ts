import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ControlStore, Lock, LockSelector } from '#core/contract';
import {
  describeSelector,
  fits,
  type LockTools,
  liftLock,
  maxLocks,
  maxMessageLength,
  newLockId,
  placeLock,
  readLockSelector,
} from '#core/lock';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData, type DataOption, type JsonOption } from './command-context.ts';
import type { LockOptions } from './commands/locks.ts';
import type { DataDirectory } from './data-directory.ts';
import { gatewayProcess } from './gateway-process.ts';
import { readConfiguration } from './installation.ts';
import { jsonText, printable, table } from './output.ts';
import { recordByHand } from './own-journal.ts';
import { openSessions, withControl } from './sessions.ts';

/** How long `lock` waits for the sessions it ends to be gone. */
const endDeadlineMs = 10_000;

export async function lock(options: LockOptions, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const data = chosenData(options, context);
  const selector = selectorOf(options);
  if (options.message.trim() === '' || options.message.length > maxMessageLength)
    throw new CliError('bad-input', `the message has 1 to ${maxMessageLength} characters`);
  noteUnknownNames(selector, data, context);
  await withControl(data, now, async (control) => {
    const wish = { lockId: newLockId(randomBytes), selector, message: options.message, forMs: options.for };
    const placed = await placeLock(wish, author(), toolsOf(data, control, context));
    if (placed.kind === 'too-many-locks')
      throw new CliError(
        'bad-input',
        `there are ${maxLocks} locks already; lift some with "sshtrail unlock"`,
      );
    const { ended, open } = await endOf(placed.lock, data, control, context);
    if (options.json === true) output.line(jsonText({ ...placed.lock, endedSessions: ended }));
    else
      output.line(
        `${placed.lock.lockId} locks ${describeSelector(selector)}${untilText(placed.lock)}; ${sessionsText(ended)} ended`,
      );
    if (open > 0)
      throw new CliError(
        'not-running',
        `${open} sessions are still open after ${endDeadlineMs / 1000} s; see whether the gateway is alive with "sshtrail doctor"`,
      );
  });
}

export async function unlock(
  id: string,
  options: DataOption & JsonOption,
  context: CommandContext,
): Promise<void> {
  const { output, now } = context;
  const data = chosenData(options, context);
  await withControl(data, now, async (control) => {
    const { lockId } = onlyLock(await locksOf(control), id);
    const lifted = await liftLock(lockId, author(), toolsOf(data, control, context));
    if (lifted === undefined)
      throw new CliError('not-found', `${lockId} is gone by now: it expired, or somebody else lifted it`);
    if (options.json === true) output.line(jsonText(lifted));
    else output.line(`lifted ${lockId} (${describeSelector(lifted.selector)})`);
  });
}

export async function locks(options: DataOption & JsonOption, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const present = await withControl(chosenData(options, context), now, locksOf);
  if (options.json === true) return output.line(jsonText(present));
  for (const line of table(columns, present.map(rowOf), output.colour)) output.line(line);
}

const columns = ['lock_id', 'selector', 'message', 'author', 'created_at', 'expires_at'];

function rowOf(present: Lock) {
  return {
    lock_id: present.lockId,
    selector: describeSelector(present.selector),
    message: present.message,
    author: present.author,
    created_at: new Date(present.createdAtMs).toISOString(),
    expires_at: present.expiresAtMs === undefined ? '' : new Date(present.expiresAtMs).toISOString(),
  };
}

async function locksOf(control: ControlStore): Promise<readonly Lock[]> {
  const items = await control.list('lock');
  return items.map(({ data }) => data).sort((one, other) => one.createdAtMs - other.createdAtMs);
}

function selectorOf(options: LockOptions): LockSelector {
  const read = readLockSelector({
    identity: options.identity,
    keyFingerprint: options.key,
    certificateSerial: options.certificate,
    sessionId: options.session,
    target: options.target,
    login: options.login,
    source: options.source,
    all: options.all,
  });
  if (!read.ok) throw new CliError('bad-input', read.message);
  return read.selector;
}

/** A lock on a name that nobody has is most often a slip, and looks like one that works. */
function noteUnknownNames(
  { identity, target }: LockSelector,
  data: DataDirectory,
  { output }: CommandContext,
): void {
  const { identities, targets } = readConfiguration(data);
  if (identity !== undefined && !identities.some(({ name }) => name === identity))
    output.note(
      `the configuration has no identity ${printable(identity)}; the lock is for whoever proves that name`,
    );
  if (target !== undefined && !targets.some(({ name }) => name === target))
    output.note(
      `the configuration has no target ${printable(target)}; the lock is for a target of that name`,
    );
}

function author() {
  return { kind: 'person', name: userInfo().username } as const;
}

function toolsOf(data: DataDirectory, control: ControlStore, context: CommandContext): LockTools {
  return { control, now: context.now, record: (draft) => recordByHand(data, context, draft) };
}

/** Waits for those whom the lock fits; where no gateway runs there is nobody to wait for. */
async function endOf(
  { selector }: Lock,
  data: DataDirectory,
  control: ControlStore,
  { now, signal }: CommandContext,
): Promise<{ readonly ended: number; readonly open: number }> {
  const ids = new Set<string>();
  if (gatewayProcess(data) === undefined) return { ended: 0, open: 0 };
  const deadlineMs = now() + endDeadlineMs;
  for (;;) {
    const matching = (await openSessions(control)).filter((session) => fits(selector, session));
    for (const { sessionId } of matching) ids.add(sessionId);
    const open = matching.length;
    if (open === 0 || now() > deadlineMs || signal.aborted) return { ended: ids.size - open, open };
    await sleep(50);
  }
}

function onlyLock(present: readonly Lock[], id: string): Lock {
  const matches = present.filter(({ lockId }) => lockId.startsWith(id));
  const [match] = matches;
  if (match === undefined)
    throw new CliError('not-found', `no lock begins with ${JSON.stringify(id)}; "sshtrail locks" lists them`);
  if (matches.length > 1)
    throw new CliError(
      'bad-input',
      `${matches.length} locks begin with ${JSON.stringify(id)}; give more of the id`,
    );
  return match;
}

function untilText({ expiresAtMs }: Lock): string {
  return expiresAtMs === undefined ? '' : ` until ${new Date(expiresAtMs).toISOString()}`;
}

function sessionsText(count: number): string {
  return count === 1 ? '1 session' : `${count} sessions`;
}
