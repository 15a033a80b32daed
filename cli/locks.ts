import { setTimeout as sleep } from 'node:timers/promises';
import type { LiveSession, Lock, LockSelector } from '#core/contract';
import { describeSelector, fits, maxMessageLength, readLockSelector } from '#core/lock';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenApi, chosenData } from './command-context.ts';
import type { LockListOptions, LockOptions } from './commands/locks.ts';
import { jsonText, printable, table } from './output.ts';

/** Whoever keeps the locks: this machine's data directory, or a deployment's API. */
export type LockDesk = {
  /** Refuses with a sentence. */
  place(wish: LockWish): Promise<Lock>;
  /** The one whose id begins so. Refuses with a sentence. */
  lift(start: string): Promise<Lock>;
  /** Oldest first. */
  list(): Promise<readonly Lock[]>;
  /** Whom a lock could end. */
  openSessions(): Promise<readonly LiveSession[]>;
  /** How often that may be asked. */
  readonly lookEveryMs: number;
};

export type LockWish = {
  readonly selector: LockSelector;
  readonly message: string;
  /** Absent: until somebody lifts it. */
  readonly forMs: number | undefined;
};

/** How long `lock` waits for the sessions it ends to be gone. */
const endDeadlineMs = 10_000;

export async function lock(options: LockOptions, context: CommandContext): Promise<void> {
  const selector = selectorOf(options);
  if (options.message.trim() === '' || options.message.length > maxMessageLength)
    throw new CliError('bad-input', `the message has 1 to ${maxMessageLength} characters`);
  await withDesk(options, context, async (desk) => {
    // Asked for before the lock is there, so that those are counted who are ended at once. To see them is another right than to lock.
    const before = outcomeOf(desk.openSessions());
    const placed = await desk.place({ selector, message: options.message, forMs: options.for });
    const end = await outcomeOf(endOf(placed, before, desk, context));
    print(placed, end.ok ? end.value.ended : undefined, options, context);
    if (!end.ok)
      throw new CliError(
        'unreachable',
        `the lock holds, but whether sessions have ended cannot be seen: ${end.error instanceof Error ? end.error.message : String(end.error)}`,
        { cause: end.error },
      );
    if (end.value.open > 0)
      throw new CliError(
        'not-running',
        `${end.value.open} sessions are still open after ${endDeadlineMs / 1000} s; see whether the gateway is alive with "sshtrail doctor"`,
      );
  });
}

export async function unlock(
  start: string,
  options: LockListOptions,
  context: CommandContext,
): Promise<void> {
  const lifted = await withDesk(options, context, (desk) => desk.lift(start));
  if (options.json === true) context.output.line(jsonText(lifted));
  else context.output.line(printable(`lifted ${lifted.lockId} (${describeSelector(lifted.selector)})`));
}

export async function locks(options: LockListOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const present = await withDesk(options, context, (desk) => desk.list());
  if (options.json === true) return output.line(jsonText(present));
  for (const line of table(columns, present.map(rowOf), output.colour)) output.line(line);
}

async function withDesk<Result>(
  options: LockListOptions,
  context: CommandContext,
  work: (desk: LockDesk) => Promise<Result>,
): Promise<Result> {
  const api = chosenApi(options, context);
  return api === undefined
    ? (await import('./locks-locally.ts')).withLocalLocks(chosenData(options, context), context, work)
    : work((await import('./locks-by-api.ts')).apiLocks(api, options, context));
}

function print(
  placed: Lock,
  ended: number | undefined,
  { json }: LockOptions,
  { output }: CommandContext,
): void {
  if (json === true)
    return output.line(jsonText(ended === undefined ? placed : { ...placed, endedSessions: ended }));
  const { lockId, selector, expiresAtMs } = placed;
  const until = expiresAtMs === undefined ? '' : ` until ${new Date(expiresAtMs).toISOString()}`;
  const whom = ended === undefined ? '' : `; ${ended === 1 ? '1 session' : `${ended} sessions`} ended`;
  output.line(printable(`${lockId} locks ${describeSelector(selector)}${until}${whom}`));
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

function selectorOf(options: LockOptions): LockSelector {
  const { identity, key, certificate, session, target, login, source, all } = options;
  if ([identity, key, certificate, session, target, login, source, all].every((each) => each === undefined))
    throw new CliError(
      'bad-input',
      'say whom the lock is about: one or more of --identity, --key, --certificate, --session, --target, --login and --source, or --all',
    );
  const read = readLockSelector({
    identity,
    keyFingerprint: key,
    certificateSerial: certificate,
    sessionId: session,
    target,
    login,
    source,
    all,
  });
  if (!read.ok) throw new CliError('bad-input', read.message);
  return read.selector;
}

type Outcome<Value> =
  | { readonly ok: true; readonly value: Value }
  | { readonly ok: false; readonly error: unknown };

function outcomeOf<Value>(work: Promise<Value>): Promise<Outcome<Value>> {
  return work.then(
    (value) => ({ ok: true, value }),
    (error: unknown) => ({ ok: false, error }),
  );
}

/** Waits for those whom the lock fits. */
async function endOf(
  { selector }: Lock,
  before: Promise<Outcome<readonly LiveSession[]>>,
  desk: LockDesk,
  { now, signal }: CommandContext,
): Promise<{ readonly ended: number; readonly open: number }> {
  const first = await before;
  if (!first.ok) throw first.error;
  const deadlineMs = now() + endDeadlineMs;
  const ids = new Set<string>();
  const fitting = (sessions: readonly LiveSession[]) => sessions.filter((session) => fits(selector, session));
  for (const { sessionId } of fitting(first.value)) ids.add(sessionId);
  for (;;) {
    const matching = fitting(await desk.openSessions());
    for (const { sessionId } of matching) ids.add(sessionId);
    const open = matching.length;
    if (open === 0 || now() > deadlineMs || signal.aborted) return { ended: ids.size - open, open };
    await sleep(desk.lookEveryMs);
  }
}
