import type { DuckDBConnection } from '@duckdb/node-api';
import { QueryError } from '#core/lake';

/** One query's connection: interrupted when the time is up or the caller gives up, closed once nothing runs on it. */
export type QueryBudget = {
  /** Awaits work on the connection, and says why when it was ended from outside. */
  run<T>(work: () => Promise<T>): Promise<T>;
  /** Idempotent. */
  close(): void;
};

/** An interrupt that arrives while nothing runs is lost, so it is repeated. */
const interruptEveryMs = 50;

export function startBudget(
  connection: DuckDBConnection,
  options: { readonly deadlineMs: number; readonly signal?: AbortSignal; readonly onClose: () => void },
): QueryBudget {
  let ended: QueryError | undefined;
  let running = 0;
  let closing = false;
  let closed = false;
  let interrupts: NodeJS.Timeout | undefined;
  const deadline = setTimeout(
    () =>
      end(
        new QueryError(
          'deadline',
          `the query ran longer than ${options.deadlineMs} ms; narrow it with dt, or allow it more time`,
        ),
      ),
    Math.min(options.deadlineMs, 0x7fff_ffff),
  );
  const abort = () => end(new QueryError('aborted', 'the query was cancelled'));
  options.signal?.addEventListener('abort', abort, { once: true });

  function end(reason: QueryError): void {
    ended ??= reason;
    if (closed || interrupts !== undefined) return;
    if (running > 0) connection.interrupt();
    interrupts = setInterval(() => connection.interrupt(), interruptEveryMs);
    close();
  }

  function close(): void {
    closing = true;
    if (closed || running > 0) return;
    closed = true;
    clearTimeout(deadline);
    clearInterval(interrupts);
    options.signal?.removeEventListener('abort', abort);
    connection.closeSync();
    options.onClose();
  }

  return {
    run: async (work) => {
      if (ended !== undefined) throw ended;
      if (closed) throw new QueryError('aborted', 'the query was closed before its rows were read');
      running += 1;
      try {
        const result = await work();
        if (ended !== undefined) throw ended;
        return result;
      } catch (error) {
        throw ended ?? error;
      } finally {
        running -= 1;
        if (closing) close();
      }
    },
    close,
  };
}
