import { setTimeout as delay } from 'node:timers/promises';
import { QueryError } from '#core/lake';
import { awsFaultKind } from '../attempts.ts';

/** Waits, and ends early without a fault when the signal does. */
export type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** The time one query has, from its start to its last row. */
export type QueryClock = {
  /** Ends with the QueryError that says why. */
  readonly signal: AbortSignal;
  /** Resolves after that time. @throws QueryError `deadline`, `aborted` */
  wait(ms: number): Promise<void>;
  /** What the work gives, unless the time ends first; the work itself goes on. @throws QueryError */
  race<T>(work: Promise<T>): Promise<T>;
  end(reason: QueryError): void;
  /** No deadline any more. */
  close(): void;
};

export function startQueryClock(limits: {
  readonly deadlineMs: number;
  readonly signal?: AbortSignal;
  readonly sleep?: Sleep;
}): QueryClock {
  const { deadlineMs, sleep = sleepUntil } = limits;
  const ending = new AbortController();
  const end = (reason: QueryError) => ending.abort(reason);
  const timer = setTimeout(
    () =>
      end(
        new QueryError(
          'deadline',
          `the query ran longer than ${deadlineMs} ms and was stopped; narrow it with dt, or allow it more time`,
        ),
      ),
    Math.min(deadlineMs, 0x7fff_ffff),
  );
  const abort = () => end(new QueryError('aborted', 'the query was cancelled'));
  if (limits.signal?.aborted === true) abort();
  limits.signal?.addEventListener('abort', abort, { once: true });
  const { signal } = ending;
  return {
    signal,
    end,
    async wait(ms) {
      await sleep(ms, signal);
      signal.throwIfAborted();
    },
    async race(work) {
      signal.throwIfAborted();
      return new Promise((resolve, reject) => {
        const ended = () => reject(reasonOf(signal));
        signal.addEventListener('abort', ended, { once: true });
        work.then(resolve, reject).finally(() => signal.removeEventListener('abort', ended));
      });
    },
    close() {
      clearTimeout(timer);
      limits.signal?.removeEventListener('abort', abort);
    },
  };
}

const firstPauseMs = 200;
const longestPauseMs = 5_000;

/**
 * Calls, and again after faults that may pass, while the query has time. `mayPass` adds to what passes at any service.
 * @throws the fault as it came, or the QueryError of the clock with the last fault as its cause
 */
export async function callWithin<T>(
  clock: QueryClock,
  call: (signal: AbortSignal) => Promise<T>,
  mayPass: (error: unknown) => boolean = () => false,
): Promise<T> {
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    try {
      return await clock.race(call(clock.signal));
    } catch (error) {
      if (clock.signal.aborted) throw error instanceof QueryError ? error : reasonOf(clock.signal);
      const kind = awsFaultKind(error);
      if (kind !== 'throttled' && kind !== 'unavailable' && !mayPass(error)) throw error;
      try {
        await clock.wait(pauseMs * (0.5 + Math.random() / 2));
      } catch (end) {
        throw withCause(end, error);
      }
    }
  }
}

/** The clock's reason, and what was in the way until then. */
function withCause(end: unknown, cause: unknown): unknown {
  if (!(end instanceof QueryError) || end.code !== 'deadline') return end;
  const name = cause instanceof Error ? cause.name : 'a fault';
  return new QueryError('deadline', `${end.message} (the service kept answering ${name})`, { cause });
}

function reasonOf(signal: AbortSignal): Error {
  return signal.reason instanceof Error
    ? signal.reason
    : new QueryError('aborted', 'the query was cancelled');
}

async function sleepUntil(ms: number, signal: AbortSignal): Promise<void> {
  await delay(ms, undefined, { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}
