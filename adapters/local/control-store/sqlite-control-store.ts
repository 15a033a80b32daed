import { setTimeout as delay } from 'node:timers/promises';
import type { ControlKind, ControlStore, WatchOptions } from '#core/contract';
import {
  ControlStoreError,
  type ControlStoreErrorCode,
  readControlItem,
  writableControlItem,
} from '#core/control';
import { type ItemTable, openItemTable } from './item-table.ts';

/** One statement blocks this process no longer; waiting for another writer goes on between the tries. */
const busyTimeoutMs = 25;
const busyDeadlineMs = 5000;
const changesPerRead = 500;

/**
 * The control store in one SQLite file, which several processes may have open at once.
 * @throws ControlStoreError `unwritable` (the file cannot be made or opened), `corrupt` (it is not ours)
 */
export async function openSqliteControlStore(
  path: string,
  options: { readonly now: () => number },
): Promise<ControlStore> {
  const subject = `the control store ${JSON.stringify(path)}`;
  const table = await whenFree('unwritable', `${subject} could not be opened`, () =>
    openItemTable(path, { busyTimeoutMs }),
  );
  const closing = new AbortController();
  const watching = new Set<Promise<void>>();
  const run = <Result>(code: ControlStoreErrorCode, problem: string, work: () => Result): Promise<Result> => {
    if (closing.signal.aborted)
      return Promise.reject(new ControlStoreError(code, `${subject} is closed; open it again`));
    return whenFree(code, `${subject} ${problem}`, work);
  };
  return {
    async get(kind, id) {
      const row = await run('unreadable', 'could not be read', () => table.get(kind, id, options.now()));
      return row === undefined ? undefined : readControlItem(kind, row);
    },
    async list(kind) {
      const rows = await run('unreadable', 'could not be read', () => table.list(kind, options.now()));
      return rows.map((row) => readControlItem(kind, row));
    },
    async put(kind, id, data, condition, expiresAtMs) {
      const item = writableControlItem(kind, id, data, expiresAtMs);
      return run('unwritable', 'could not be written', () => table.put(item, condition, options.now()));
    },
    async delete(kind, id) {
      return run('unwritable', 'could not be written', () => table.delete(kind, id, options.now()));
    },
    watch(kind, watch) {
      const signal = AbortSignal.any([watch.signal, closing.signal]);
      const watcher = watchKind(table, kind, { ...watch, signal }, options.now).finally(() =>
        watching.delete(watcher),
      );
      watching.add(watcher);
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort();
      await Promise.all(watching);
      table.close();
    },
  };
}

/** Asks every half of the latency; a change is told within one whole. Never rejects: everything goes to `onFault`. */
async function watchKind<Kind extends ControlKind>(
  table: ItemTable,
  kind: Kind,
  options: WatchOptions<Kind>,
  now: () => number,
): Promise<void> {
  let seen: { revision: string; changed: number } | undefined;
  try {
    seen = { revision: table.revision(), changed: table.lastChange() };
  } catch (error) {
    options.onFault(unreadable(error));
  }
  while (!options.signal.aborted) {
    await delay(Math.max(1, Math.floor(options.latencyMs / 2)), undefined, { signal: options.signal }).catch(
      (error: unknown) => {
        if (!options.signal.aborted) throw error;
      },
    );
    if (options.signal.aborted) return;
    try {
      const revision = table.revision();
      // A store that could not be read at first may have changed since: start over from its first change.
      if (revision === seen?.revision) continue;
      const changed = tellChanges(table, kind, seen?.changed ?? 0, options, now);
      seen = { revision, changed };
    } catch (error) {
      options.onFault(unreadable(error));
    }
  }
}

function tellChanges<Kind extends ControlKind>(
  table: ItemTable,
  kind: Kind,
  after: number,
  options: WatchOptions<Kind>,
  now: () => number,
): number {
  let reached = after;
  while (!options.signal.aborted) {
    const rows = table.changedAfter(kind, reached, changesPerRead, now());
    for (const row of rows) {
      reached = row.changed;
      try {
        options.onChange(readControlItem(kind, row));
      } catch (error) {
        // One item nobody can read must not hide the ones after it.
        options.onFault(error instanceof Error ? error : unreadable(error));
      }
    }
    if (rows.length < changesPerRead) break;
  }
  return reached;
}

function unreadable(cause: unknown): ControlStoreError {
  return cause instanceof ControlStoreError
    ? cause
    : storeError('unreadable', 'the control store could not be read', cause);
}

/** Runs, and again while another process writes. */
async function whenFree<Result>(
  code: ControlStoreErrorCode,
  problem: string,
  work: () => Result,
): Promise<Result> {
  const deadline = performance.now() + busyDeadlineMs;
  for (;;) {
    try {
      return work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > deadline) throw storeError(code, problem, error);
    }
    await delay(5 + Math.random() * 20);
  }
}

function storeError(code: ControlStoreErrorCode, problem: string, cause: unknown): ControlStoreError {
  // SQLITE_CORRUPT 11, SQLITE_NOTADB 26 (sqlite.org/rescode.html)
  const primary = primaryCode(cause);
  if (primary === 11 || primary === 26)
    return new ControlStoreError(
      'corrupt',
      `${problem}: the file is damaged or is not a control store; restore it or move it away`,
      { cause },
    );
  const reason = cause instanceof Error ? `: ${cause.message}` : '';
  return new ControlStoreError(code, `${problem}${reason}; check the disk and the file's permissions`, {
    cause,
  });
}

function isBusy(error: unknown): boolean {
  const primary = primaryCode(error);
  // SQLITE_BUSY 5, SQLITE_LOCKED 6
  return primary === 5 || primary === 6;
}

function primaryCode(error: unknown): number | undefined {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
    ? error.errcode & 0xff
    : undefined;
}
