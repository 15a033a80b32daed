import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import * as fc from 'fast-check';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ControlStoreError, openSqliteControlStore } from '../../../../adapters/local/index.ts';
import type { ControlItem, ControlStore } from '../../../../core/contract/index.ts';
import { controlStoreConformance, revocation } from '../../../conformance/control-store.ts';
import { temporaryFolder } from '../temporary-folder.ts';

const any = { kind: 'any' } as const;
const totp = { lastStep: 0, failures: 0, lockedUntilMs: 0 };

async function opened(path: string, now: () => number = () => 0): Promise<ControlStore> {
  const store = await openSqliteControlStore(path, { now });
  onTestFinished(() => store.close());
  return store;
}

controlStoreConformance('SQLite', async () => {
  const path = join(temporaryFolder(), 'control.db');
  let now = 0;
  return {
    open: () => opened(path, () => now),
    setNow: (ms) => {
      now = ms;
    },
  };
});

async function incrementInAnotherProcess(path: string, times: number): Promise<number | null> {
  const script = fileURLToPath(new URL('increment-failures.ts', import.meta.url));
  const child = spawn(process.execPath, [script, path, 'shared', String(times)], {
    stdio: ['ignore', 'inherit', 'pipe'],
  });
  const errors: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
  await once(child, 'close');
  if (child.exitCode !== 0) throw new Error(Buffer.concat(errors).toString());
  return child.exitCode;
}

describe('openSqliteControlStore', () => {
  it('loses no conditional put of several processes at once, and tells the watcher of the last', async () => {
    const path = join(temporaryFolder(), 'control.db');
    const store = await opened(path);
    const seen: ControlItem<'totp'>[] = [];
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    store.watch('totp', {
      latencyMs: 20,
      signal: stop.signal,
      onChange: (item) => void seen.push(item),
      onFault: (error) => {
        throw error;
      },
    });

    await Promise.all([1, 2, 3].map(() => incrementInAnotherProcess(path, 25)));

    expect(await store.get('totp', 'shared')).toMatchObject({ version: 75, data: { failures: 75 } });
    await vi.waitFor(() => expect(seen.at(-1)?.version).toBe(75), { timeout: 5000, interval: 5 });
  }, 30_000);

  it('keeps its files from other accounts, also where they were open to them', async () => {
    const folder = join(temporaryFolder(), 'state');
    mkdirSync(folder);
    writeFileSync(join(folder, 'control.db'), '');
    chmodSync(join(folder, 'control.db'), 0o666);

    const store = await opened(join(folder, 'control.db'));
    await store.put('totp', 'a', totp, any);

    const modes = readdirSync(folder).map((name) => [
      name,
      (lstatSync(join(folder, name)).mode & 0o777).toString(8),
    ]);
    expect(modes).toEqual([
      ['control.db', '600'],
      ['control.db-shm', '600'],
      ['control.db-wal', '600'],
    ]);
  });

  it('keeps what it has when it is opened again', async () => {
    const path = join(temporaryFolder(), 'new', 'folder', 'control.db');
    const first = await openSqliteControlStore(path, { now: () => 0 });
    await first.put('revocation', 'a', revocation, any);
    await first.close();

    const second = await opened(path);

    expect((await second.get('revocation', 'a'))?.data).toEqual(revocation);
    expect(await second.put('revocation', 'a', revocation, any)).toBe(2);
  });

  it('opens no link', async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, 'theirs'), '');
    symlinkSync(join(folder, 'theirs'), join(folder, 'control.db'));

    await expect(openSqliteControlStore(join(folder, 'control.db'), { now: () => 0 })).rejects.toMatchObject({
      code: 'unwritable',
    });
  });

  it('says of a file that is something else that it is corrupt, and leaves it alone', async () => {
    const path = join(temporaryFolder(), 'control.db');
    writeFileSync(path, 'not a database '.repeat(100));

    const opening = openSqliteControlStore(path, { now: () => 0 });

    await expect(opening).rejects.toMatchObject({ name: 'ControlStoreError', code: 'corrupt' });
    await expect(opening).rejects.toThrow(/is damaged or is not a control store/);
  });

  it('does not touch the file of a later version', async () => {
    const path = join(temporaryFolder(), 'control.db');
    const database = new DatabaseSync(path);
    database.exec('PRAGMA user_version = 99');
    database.close();

    await expect(openSqliteControlStore(path, { now: () => 0 })).rejects.toThrow(
      /version 99 .* newer sshtrail/,
    );
  });

  it.each([
    ['no JSON', '{'],
    ['JSON of another shape', '{"lastStep": "0"}'],
    ['a field too many', JSON.stringify({ ...totp, admin: true })],
    ['another kind', JSON.stringify(revocation)],
  ])('believes no row that holds %s', async (_name, data) => {
    const path = join(temporaryFolder(), 'control.db');
    const store = await opened(path);
    await store.put('totp', 'alice', totp, any);
    tamper(path, data);

    await expect(store.get('totp', 'alice')).rejects.toMatchObject({ code: 'corrupt' });
    await expect(store.get('totp', 'alice')).rejects.toThrow(/totp "alice"/);
    await expect(store.list('totp')).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('refuses random data in a row with its own error', async () => {
    const path = join(temporaryFolder(), 'control.db');
    const store = await opened(path);
    await store.put('totp', 'alice', totp, any);
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (data) => {
        tamper(path, data);
        await expect(store.get('totp', 'alice')).rejects.toBeInstanceOf(ControlStoreError);
      }),
      { numRuns: 30 },
    );
  });

  it('tells a watcher of a damaged item as a fault, and of those after it all the same', async () => {
    const path = join(temporaryFolder(), 'control.db');
    const [store, theirs] = [await opened(path), await opened(path)];
    const seen: string[] = [];
    const faults: Error[] = [];
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    const blocker = new DatabaseSync(path);
    onTestFinished(() => blocker.close());
    store.watch('totp', {
      latencyMs: 50,
      signal: stop.signal,
      onChange: (item) => void seen.push(item.id),
      onFault: (error) => void faults.push(error),
    });

    blocker.exec(`BEGIN IMMEDIATE; UPDATE changes SET last = last + 1;
      INSERT INTO items SELECT 'totp', 'bad', 1, '{', NULL, last FROM changes; COMMIT`);
    await theirs.put('totp', 'good', totp, any);

    await vi.waitFor(() => expect(seen).toEqual(['good']), { timeout: 5000, interval: 5 });
    expect(faults).toMatchObject([{ code: 'corrupt' }]);
  });

  it('tells a watcher again and again while the store cannot be read', async () => {
    const path = join(temporaryFolder(), 'control.db');
    const store = await opened(path);
    await store.put('totp', 'a', totp, any);
    const faults: Error[] = [];
    const stop = new AbortController();
    onTestFinished(() => stop.abort());
    store.watch('totp', {
      latencyMs: 10,
      signal: stop.signal,
      onChange: () => undefined,
      onFault: (error) => void faults.push(error),
    });

    const database = new DatabaseSync(path);
    database.exec('DROP TABLE items');
    database.close();

    await vi.waitFor(() => expect(faults.length).toBeGreaterThan(2), { timeout: 5000, interval: 5 });
    expect(faults[0]).toMatchObject({ name: 'ControlStoreError', code: 'unreadable' });
  });

  it('waits for another writer instead of failing', async () => {
    const path = join(temporaryFolder(), 'control.db');
    const store = await opened(path);
    const other = new DatabaseSync(path);
    onTestFinished(() => other.close());
    other.exec('BEGIN IMMEDIATE');

    const putting = store.put('totp', 'a', totp, any);
    const reading = await store.get('totp', 'a');
    setTimeout(() => other.exec('COMMIT'), 100);

    expect(reading).toBeUndefined();
    expect(await putting).toBe(1);
  });

  it('refuses data that is too large, with a message that names it', async () => {
    const store = await opened(join(temporaryFolder(), 'control.db'));
    const large = { ...revocation, message: 'x'.repeat(300 * 1024) };

    await expect(store.put('revocation', 'a', large, any)).rejects.toThrow(
      /revocation "a" has over 262144 bytes/,
    );
  });
});

function tamper(path: string, data: string): void {
  const database = new DatabaseSync(path);
  database.prepare("UPDATE items SET data = ? WHERE id = 'alice'").run(data);
  database.close();
}
