import { setTimeout as delay } from 'node:timers/promises';
import type { ControlStore, Lock } from '#core/contract';
import type { Refusal } from '#core/event';
import { createLockRegister, type LockFacts, lockRefusal } from '#core/lock';

/** Why somebody who is there has to go. */
export type EndOrder =
  | { readonly kind: 'locked'; readonly lock: Lock }
  | { readonly kind: 'control-unreadable' };

/** Somebody whom a lock can end: a session, or a connection that carries others. */
export type Lockable = { end(order: EndOrder): void };

/**
 * Keeps the locks of the control store at hand, ends whom a new one fits, and answers whether somebody may go on. Without a look
 * at the store for too long nobody new may.
 */
export type LockGuard = {
  /** Before anybody is let in. Settles after the first look, whatever came of it. */
  start(): Promise<void>;
  /** Whether somebody may come in. A lock is looked up once more before it refuses, since it may have been removed just now. */
  refusalOf(facts: LockFacts): Promise<Refusal | undefined>;
  /** The same by what is at hand, for those who are in. */
  lockOn(facts: LockFacts): Refusal | undefined;
  /** From here on a lock ends them; not taken where one fits by now. */
  enter(facts: LockFacts, who: Lockable): Refusal | undefined;
  leave(sessionId: string): void;
};

export type LockGuardOptions = {
  readonly control: Pick<ControlStore, 'get' | 'list' | 'watch'>;
  /** How soon a lock that was written is known here. */
  readonly latencyMs: number;
  readonly unreadable: { readonly afterMs: number; readonly sessions: 'keep' | 'end' };
  readonly now: () => number;
  /** One line for whoever runs the gateway. */
  readonly report: (line: string) => void;
  /** Nothing is read any more. */
  readonly signal: AbortSignal;
};

/** Between two looks at all locks: what was removed is forgotten then at the latest, and that the store can be read is known. */
const readEveryMs = 5_000;
const retryMs = 1_000;

const controlUnreadable: Refusal = {
  errorCode: 'AccessDenied',
  denyReason: 'control-unreadable',
  message:
    'the gateway cannot read who is locked out, so it takes no new session; try again later, or tell who runs sshtrail',
};

export function createLockGuard(options: LockGuardOptions): LockGuard {
  const guard = new StoreLockGuard(options);
  return {
    start: () => guard.start(),
    refusalOf: (facts) => guard.refusalOf(facts),
    lockOn: (facts) => guard.lockOn(facts),
    enter: (facts, who) => guard.enter(facts, who),
    leave: (sessionId) => guard.leave(sessionId),
  };
}

class StoreLockGuard {
  readonly #options: LockGuardOptions;
  readonly #register = createLockRegister<Lockable>();
  /** Told of, and found to be lifted, since the last look at all locks began: its answer may be older. */
  readonly #toldMeanwhile = new Set<string>();
  readonly #liftedMeanwhile = new Set<string>();
  #readAtMs: number | undefined;
  #faultReported = false;
  #endedForFault = false;

  constructor(options: LockGuardOptions) {
    this.#options = options;
  }

  async start(): Promise<void> {
    const { control, latencyMs, signal } = this.#options;
    // Before the first look, so that nothing falls between them.
    control.watch('lock', {
      latencyMs,
      signal,
      onChange: ({ data }) => {
        this.#toldMeanwhile.add(data.lockId);
        this.#take(data);
      },
      onFault: (error) => this.#fault(error),
    });
    await this.#read();
    void this.#readOn();
  }

  async refusalOf(facts: LockFacts): Promise<Refusal | undefined> {
    if (this.#isUnreadable()) return controlUnreadable;
    for (;;) {
      const [lock] = this.#register.against(facts, this.#options.now());
      if (lock === undefined) return undefined;
      if (await this.#isThere(lock)) return lockRefusal(lock);
      this.#liftedMeanwhile.add(lock.lockId);
      this.#register.remove(lock.lockId);
    }
  }

  lockOn(facts: LockFacts): Refusal | undefined {
    const [lock] = this.#register.against(facts, this.#options.now());
    return lock === undefined ? undefined : lockRefusal(lock);
  }

  enter(facts: LockFacts, who: Lockable): Refusal | undefined {
    const refusal = this.#isUnreadable() ? controlUnreadable : this.lockOn(facts);
    if (refusal === undefined) this.#register.enter(facts, who);
    return refusal;
  }

  leave(sessionId: string): void {
    this.#register.leave(sessionId);
  }

  #take(lock: Lock): void {
    if (this.#liftedMeanwhile.has(lock.lockId)) return;
    for (const who of this.#register.put(lock, this.#options.now())) who.end({ kind: 'locked', lock });
  }

  /** Where that cannot be read the lock stands. */
  async #isThere({ lockId }: Lock): Promise<boolean> {
    try {
      return (await this.#options.control.get('lock', lockId)) !== undefined;
    } catch (error) {
      this.#fault(error);
      return true;
    }
  }

  async #readOn(): Promise<void> {
    const { signal, unreadable } = this.#options;
    const everyMs = Math.min(readEveryMs, unreadable.afterMs / 4);
    while (!signal.aborted) {
      const pauseMs = this.#faultReported ? Math.min(retryMs, everyMs) : everyMs;
      await delay(pauseMs, undefined, { signal }).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
      if (signal.aborted) return;
      await this.#read();
    }
  }

  async #read(): Promise<void> {
    const { control, now, report, signal } = this.#options;
    const begunAtMs = now();
    this.#toldMeanwhile.clear();
    this.#liftedMeanwhile.clear();
    try {
      const items = await control.list('lock');
      if (signal.aborted) return;
      const listed = new Set(items.map(({ id }) => id));
      for (const lockId of [...this.#register.lockIds])
        if (!listed.has(lockId) && !this.#toldMeanwhile.has(lockId)) this.#register.remove(lockId);
      for (const { data } of items) this.#take(data);
      this.#readAtMs = begunAtMs;
      if (this.#faultReported) report('the locks can be read again');
      this.#faultReported = false;
      this.#endedForFault = false;
    } catch (error) {
      this.#fault(error);
    }
  }

  /** Reported once until the locks can be read again. */
  #fault(error: unknown): void {
    const { report, unreadable, signal } = this.#options;
    if (signal.aborted) return;
    if (!this.#faultReported)
      report(
        `locks cannot be read (${error instanceof Error ? error.message : 'unknown'}); without them no new session is taken after ${Math.ceil(unreadable.afterMs / 1000)} s`,
      );
    this.#faultReported = true;
    if (unreadable.sessions === 'keep' || this.#endedForFault || !this.#isUnreadable()) return;
    this.#endedForFault = true;
    report('locks could not be read for too long, so every session ends');
    for (const who of this.#register.people) who.end({ kind: 'control-unreadable' });
  }

  #isUnreadable(): boolean {
    const { now, unreadable } = this.#options;
    return this.#readAtMs === undefined || now() - this.#readAtMs >= unreadable.afterMs;
  }
}
