import { closeSync, constants, fchmodSync, fstatSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLOutputValue } from 'node:sqlite';
import type { ControlKind, PutCondition } from '#core/contract';
import type { StoredControlItem, WritableControlItem } from '#core/control';

/** A row as it is on disk; not yet believed. */
type StoredItem = StoredControlItem & {
  /** Position in the order of all puts of all processes. */
  readonly changed: number;
};

/** The statements over one connection. Each blocks for at most `busyTimeoutMs` and throws what SQLite throws. */
export type ItemTable = {
  get(kind: ControlKind, id: string, now: number): StoredItem | undefined;
  list(kind: ControlKind, now: number): readonly StoredItem[];
  put(item: WritableControlItem, condition: PutCondition, now: number): number | undefined;
  delete(kind: ControlKind, id: string, now: number): boolean;
  /** Puts of the kind after `changed`, oldest first, at most `limit`. */
  changedAfter(kind: ControlKind, changed: number, limit: number, now: number): readonly StoredItem[];
  lastChange(): number;
  /** Differs after every commit, of this connection or another: cheap to ask. */
  revision(): string;
  close(): void;
};

const schemaVersion = 1;

const schema = `
CREATE TABLE items (
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  data TEXT NOT NULL,
  expires INTEGER,
  changed INTEGER NOT NULL,
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX items_by_change ON items (kind, changed);
CREATE INDEX items_by_expiry ON items (expires) WHERE expires IS NOT NULL;
CREATE TABLE changes (only INTEGER PRIMARY KEY CHECK (only = 1), last INTEGER NOT NULL) STRICT;
INSERT INTO changes VALUES (1, 0);
PRAGMA user_version = ${schemaVersion};
`;

/** Makes the file (0600) where there is none; the files SQLite puts beside it get the same permissions. */
export function openItemTable(path: string, options: { readonly busyTimeoutMs: number }): ItemTable {
  makePrivateFile(path);
  const database = new DatabaseSync(path, { timeout: options.busyTimeoutMs });
  try {
    // NORMAL: a killed process loses nothing; a power cut may lose the last puts, never the order or the file.
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;');
    transaction(database, () => {
      const found = number(database.prepare('PRAGMA user_version').get()?.user_version);
      if (found === 0) database.exec(schema);
      else if (found !== schemaVersion)
        throw new RangeError(`schema version ${found} is not ${schemaVersion}; run the newer sshtrail`);
    });
    return statements(database);
  } catch (error) {
    database.close();
    throw error;
  }
}

function makePrivateFile(path: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const { O_RDWR, O_CREAT, O_NOFOLLOW, O_NONBLOCK } = constants;
  const file = openSync(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600);
  try {
    const found = fstatSync(file);
    if (!found.isFile()) throw new RangeError('it is not a file');
    if ((found.mode & 0o077) !== 0) fchmodSync(file, 0o600);
  } finally {
    closeSync(file);
  }
}

function statements(database: DatabaseSync): ItemTable {
  const columns = 'id, version, data, expires, changed';
  const live = '(expires IS NULL OR expires > ?)';
  const select = database.prepare(`SELECT ${columns} FROM items WHERE kind = ? AND id = ? AND ${live}`);
  const selectKind = database.prepare(`SELECT ${columns} FROM items WHERE kind = ? AND ${live} ORDER BY id`);
  const selectChanged = database.prepare(
    `SELECT ${columns} FROM items WHERE kind = ? AND changed > ? AND ${live} ORDER BY changed LIMIT ?`,
  );
  const write = database.prepare(
    `INSERT INTO items (kind, ${columns}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (kind, id) DO UPDATE SET
     version = excluded.version, data = excluded.data, expires = excluded.expires, changed = excluded.changed`,
  );
  const nextChange = database.prepare('UPDATE changes SET last = last + 1 WHERE only = 1 RETURNING last');
  const lastChange = database.prepare('SELECT last FROM changes WHERE only = 1');
  const remove = database.prepare(`DELETE FROM items WHERE kind = ? AND id = ? AND ${live}`);
  const removeExpired = database.prepare('DELETE FROM items WHERE expires IS NOT NULL AND expires <= ?');
  const dataVersion = database.prepare('PRAGMA data_version');
  let own = 0;

  const get = (kind: ControlKind, id: string, now: number): StoredItem | undefined => {
    const row = select.get(kind, id, now);
    return row === undefined ? undefined : storedItem(row);
  };
  return {
    get,
    list: (kind, now) => selectKind.all(kind, now).map(storedItem),
    put: (item, condition, now) =>
      transaction(database, () => {
        const version = get(item.kind, item.id, now)?.version ?? 0;
        if (!holds(condition, version)) return undefined;
        removeExpired.run(now);
        const changed = number(nextChange.get()?.last);
        write.run(item.kind, item.id, version + 1, item.data, item.expiresAtMs ?? null, changed);
        own += 1;
        return version + 1;
      }),
    delete: (kind, id, now) => {
      own += 1;
      return transaction(database, () => number(remove.run(kind, id, now).changes)) > 0;
    },
    changedAfter: (kind, changed, limit, now) => selectChanged.all(kind, changed, now, limit).map(storedItem),
    lastChange: () => number(lastChange.get()?.last),
    // data_version stands still for this connection's own commits.
    revision: () => `${number(dataVersion.get()?.data_version)}.${own}`,
    close: () => database.close(),
  };
}

function holds(condition: PutCondition, version: number): boolean {
  switch (condition.kind) {
    case 'any':
      return true;
    case 'absent':
      return version === 0;
    case 'version':
      return version > 0 && version === condition.version;
  }
}

function transaction<Result>(database: DatabaseSync, run: () => Result): Result {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = run();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

function storedItem(row: Record<string, SQLOutputValue>): StoredItem {
  const { id, data, expires } = row;
  if (typeof id !== 'string' || typeof data !== 'string') throw new TypeError('a column is not text');
  return {
    id,
    data,
    version: number(row.version),
    expiresAtMs: expires === null || expires === undefined ? undefined : number(expires),
    changed: number(row.changed),
  };
}

function number(value: SQLOutputValue | undefined): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'bigint' && value <= Number.MAX_SAFE_INTEGER) return Number(value);
  throw new TypeError('a column is not a number');
}
