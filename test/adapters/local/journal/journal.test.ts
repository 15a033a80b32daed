import { lstat, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { openSegmentFiles } from '#adapters/local';
import { type AuditRecord, streamName } from '#core/contract';
import {
  command,
  dataDirectory,
  filesBelow,
  journalIn,
  linesOf,
  openSegmentPath,
  sealedSegmentPath,
  stream,
  verified,
} from './sample-journal.ts';

test('a record is in the file, as its line, when the promise resolves', async () => {
  const directory = await dataDirectory();
  const journal = await journalIn(directory);

  const record = await journal.record(command('id'));

  const [line] = await linesOf(openSegmentPath(directory));
  expect(JSON.parse(line ?? '')).toEqual(record);
  expect(record.additionalEventData).toMatchObject({
    chainStream: 'gateway',
    chainSeq: '1',
    proxyId: 'p-eu1-a',
  });
  expect(record.eventID).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test('records stand in the order of the calls, however many at once, and listeners hear them so', async () => {
  const directory = await dataDirectory();
  const journal = await journalIn(directory);
  const heard: AuditRecord[] = [];
  journal.subscribe((record) => heard.push(record));

  const records = await Promise.all(
    Array.from({ length: 500 }, (_, i) => journal.record(command(`echo ${i}`))),
  );

  expect(records.map((record) => record.requestParameters['command'])).toEqual(
    Array.from({ length: 500 }, (_, i) => `echo ${i}`),
  );
  expect(records.map((record) => record.additionalEventData['chainSeq'])).toEqual(
    Array.from({ length: 500 }, (_, i) => String(i + 1)),
  );
  expect(heard).toEqual(records);
  expect(await verified(directory)).toMatchObject({ ok: true });
});

test('a listener that throws is a fault to report and disturbs nobody', async () => {
  const faults: string[] = [];
  const journal = await journalIn(await dataDirectory(), { onFault: (error) => faults.push(error.message) });
  const heard: string[] = [];
  journal.subscribe(() => {
    throw new Error('listener');
  });
  const unsubscribe = journal.subscribe((record) => heard.push(record.eventName));

  await journal.record(command('a'));
  unsubscribe();
  await journal.record(command('b'));

  expect(faults).toEqual(['listener', 'listener']);
  expect(heard).toEqual(['ExecuteCommand']);
});

describe('sealing', () => {
  test('moves the open segment to the lake, compressed, and nothing stays behind', async () => {
    const directory = await dataDirectory();
    const journal = await journalIn(directory);
    const records = [await journal.record(command('a')), await journal.record(command('b'))];

    await journal.sealNow();

    const text = gunzipSync(await readFile(sealedSegmentPath(directory))).toString();
    expect(
      text
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line)),
    ).toEqual(records);
    expect(await filesBelow(directory)).toEqual([
      'journal/gateway/oldest-open-session.json',
      'journal/gateway/writer.json',
      'journal/gateway/writer.lock',
      'lake/events/dt=2026-11-20/gateway/000000000001.ndjson.gz',
    ]);
  });

  test('an empty journal seals to nothing', async () => {
    const directory = await dataDirectory();
    const journal = await journalIn(directory);

    await journal.sealNow();
    await journal.close();

    expect((await filesBelow(directory)).filter((file) => file.includes('ndjson'))).toEqual([]);
  });

  test('happens by size, and the chain goes on from segment to segment', async () => {
    const directory = await dataDirectory();
    const journal = await journalIn(directory, { sealAfterBytes: 4000 });

    for (let i = 0; i < 10; i += 1) await journal.record(command(`echo ${i}`));
    await journal.close();

    const sealed = (await filesBelow(directory)).filter((file) => file.endsWith('.gz'));
    expect(sealed.length).toBeGreaterThan(3);
    expect(await verified(directory)).toMatchObject({
      ok: true,
      streams: [{ records: 10, firstSeq: 1, lastSeq: 10 }],
    });
  });

  test('happens by time', async () => {
    const directory = await dataDirectory();
    const journal = await journalIn(directory, { sealAfterMs: 20 });

    await journal.record(command('a'));

    await expect
      .poll(() => filesBelow(directory), { timeout: 10_000 })
      .toContain('lake/events/dt=2026-11-20/gateway/000000000001.ndjson.gz');
  });

  test('keeps the days apart', async () => {
    const directory = await dataDirectory();
    let now = Date.UTC(2026, 10, 20, 23, 59, 59, 999);
    const journal = await journalIn(directory, { now: () => now });

    const before = [journal.record(command('a')), journal.record(command('b'))];
    now += 1;
    const after = journal.record(command('c'));
    await Promise.all([...before, after]);
    await journal.close();

    expect((await filesBelow(directory)).filter((file) => file.endsWith('.gz'))).toEqual([
      'lake/events/dt=2026-11-20/gateway/000000000001.ndjson.gz',
      'lake/events/dt=2026-11-21/gateway/000000000003.ndjson.gz',
    ]);
    expect(await verified(directory)).toMatchObject({ ok: true });
  });

  test('does not stop the writing, and is tried again, while the lake cannot be written', async () => {
    const directory = await dataDirectory();
    const faults: unknown[] = [];
    const journal = await journalIn(directory, { onFault: (error) => faults.push(error) });
    await journal.record(command('a'));
    // Whoever is root can write anywhere, so a file stands where the folder should be.
    const obstacle = join(directory, 'lake', 'events', 'dt=2026-11-20');
    await writeFile(obstacle, '');

    await expect(journal.sealNow()).rejects.toMatchObject({ code: 'unsealed' });
    const record = await journal.record(command('b'));
    await rm(obstacle);
    await journal.sealNow();

    expect(record.additionalEventData['chainSeq']).toBe('2');
    expect(faults).toMatchObject([{ code: 'unsealed' }]);
    expect(await openSegmentFiles(directory)).toEqual([]);
    expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 2 }] });
  });

  test('never replaces a file that is there', async () => {
    const directory = await dataDirectory();
    const journal = await journalIn(directory);
    await journal.record(command('a'));
    await mkdir(join(directory, 'lake/events/dt=2026-11-20/gateway'), { recursive: true });
    await writeFile(sealedSegmentPath(directory), 'other');

    await expect(journal.sealNow()).rejects.toMatchObject({ code: 'unsealed', cause: { code: 'damaged' } });

    expect(await readFile(sealedSegmentPath(directory), 'utf8')).toBe('other');
    expect(await linesOf(openSegmentPath(directory))).toHaveLength(1);
  });
});

describe('closing', () => {
  test('seals what is open, and then no call is taken', async () => {
    const directory = await dataDirectory();
    const journal = await journalIn(directory);
    const pending = journal.record(command('a'));

    await Promise.all([journal.close(), journal.close()]);

    await expect(pending).resolves.toMatchObject({ eventName: 'ExecuteCommand' });
    await expect(journal.record(command('b'))).rejects.toMatchObject({ code: 'closed' });
    await expect(journal.sealNow()).rejects.toMatchObject({ code: 'closed' });
    expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 1 }] });
  });

  test('frees the stream for the next writer, whose chain goes on', async () => {
    const directory = await dataDirectory();
    const first = await journalIn(directory);
    const a = await first.record(command('a'));
    await first.close();

    const second = await journalIn(directory);
    const b = await second.record(command('b'));

    expect(b.additionalEventData).toMatchObject({
      chainSeq: '2',
      chainPrev: a.additionalEventData['chainHash'],
    });
    expect(await verified(directory)).toMatchObject({ ok: true });
  });
});

describe('one writer a stream', () => {
  test('a second one is refused by name', async () => {
    const directory = await dataDirectory();
    await journalIn(directory);

    await expect(journalIn(directory)).rejects.toMatchObject({
      code: 'locked',
      message: expect.stringContaining(`process ${process.pid} ("p-eu1-a")`),
    });
  });

  test('other streams of the directory are free', async () => {
    const directory = await dataDirectory();
    const gateway = await journalIn(directory);
    const runbooks = await journalIn(directory, { stream: streamName('runbooks') });

    await Promise.all([gateway.record(command('a')), runbooks.record(command('b'))]);

    expect(await openSegmentFiles(directory)).toEqual([
      { path: openSegmentPath(directory), stream, firstSeq: 1 },
      {
        path: openSegmentPath(directory).replace('/gateway/', '/runbooks/'),
        stream: 'runbooks',
        firstSeq: 1,
      },
    ]);
    expect(await verified(directory)).toMatchObject({
      ok: true,
      streams: [{ stream }, { stream: 'runbooks' }],
    });
  });

  test('what a process that is gone wrote of itself holds nobody up', async () => {
    const directory = await dataDirectory();
    await (await journalIn(directory)).close();
    await writeFile(join(directory, 'journal/gateway/writer.json'), `{"pid":${process.pid},"proxyId":"x"}`);

    const journal = await journalIn(directory);

    await expect(journal.record(command('a'))).resolves.toBeDefined();
  });
});

describe('drafts that cannot be kept', () => {
  test.each([
    ['a forged place in the chain', { ...command('a'), additionalEventData: { chainSeq: '9' } }],
    ['text that is no Unicode', { ...command('a'), requestParameters: { command: '\udc00' } }],
    ['a time that is none', { ...command('a'), eventTimeMs: Number.NaN }],
    ['more than half a megabyte', { ...command('a'), requestParameters: { command: 'x'.repeat(600_000) } }],
  ])('%s is refused and leaves no gap', async (_, draft) => {
    const directory = await dataDirectory();
    const journal = await journalIn(directory);

    await expect(journal.record(draft)).rejects.toMatchObject({ code: 'invalid' });
    const next = await journal.record(command('b'));

    expect(next.additionalEventData['chainSeq']).toBe('1');
  });

  test('hostile text stays one line', async () => {
    const directory = await dataDirectory();
    const journal = await journalIn(directory);

    await journal.record(command('a\n{"eventName":"EndSession"}\r\n\u2028\u0000'));

    expect(await linesOf(openSegmentPath(directory))).toHaveLength(1);
    expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 1 }] });
  });
});

describe('links in the data directory', () => {
  test.each([
    ['the folder of the stream', 'journal/gateway'],
    ['the folder of the journal', 'journal'],
    ['the lake', 'lake'],
    ['the lock', 'journal/gateway/writer.lock'],
  ])('%s is not followed', async (_, path) => {
    const directory = await dataDirectory();
    const elsewhere = await dataDirectory();
    await mkdir(join(directory, path, '..'), { recursive: true });
    await symlink(path.endsWith('.lock') ? join(elsewhere, 'x') : elsewhere, join(directory, path));

    await expect(journalIn(directory)).rejects.toMatchObject({ code: 'unsafe' });

    expect(await filesBelow(elsewhere)).toEqual([]);
  });

  test('a segment is not written through one', async () => {
    const directory = await dataDirectory();
    const elsewhere = join(await dataDirectory(), 'x');
    await writeFile(elsewhere, 'untouched');
    const journal = await journalIn(directory);
    await symlink(elsewhere, openSegmentPath(directory));

    await expect(journal.record(command('a'))).rejects.toMatchObject({ code: 'unwritable' });

    expect(await readFile(elsewhere, 'utf8')).toBe('untouched');
  });

  test('a day of the lake is not', async () => {
    const directory = await dataDirectory();
    const elsewhere = await dataDirectory();
    const journal = await journalIn(directory);
    await journal.record(command('a'));
    await symlink(elsewhere, join(directory, 'lake/events/dt=2026-11-20'));

    await expect(journal.sealNow()).rejects.toMatchObject({ code: 'unsealed', cause: { code: 'unsafe' } });

    expect(await filesBelow(elsewhere)).toEqual([]);
  });
});

test('its files are for its account alone', async () => {
  const directory = await dataDirectory();
  const journal = await journalIn(directory);
  await journal.record(command('a'));

  const modes = await Promise.all(
    ['journal', 'journal/gateway', 'journal/gateway/000000000001.ndjson', 'lake'].map(async (path) =>
      ((await lstat(join(directory, path))).mode & 0o777).toString(8),
    ),
  );

  expect(modes).toEqual(['700', '700', '600', '700']);
});
