import { appendFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import {
  command,
  dataDirectory,
  filesBelow,
  journalIn,
  openSegmentPath,
  sealedSegmentPath,
  verified,
} from './sample-journal.ts';

/** Three sealed segments of two records each. */
async function sealedLake(): Promise<string> {
  const directory = await dataDirectory();
  const journal = await journalIn(directory);
  for (let i = 0; i < 6; i += 1) {
    await journal.record(command(`echo ${i}`));
    if (i % 2 === 1) await journal.sealNow();
  }
  await journal.close();
  return directory;
}

test('an empty directory is a whole trail of nothing', async () => {
  expect(await verified(await dataDirectory())).toMatchObject({ ok: true, streams: [] });
});

test('a lake that is being written verifies, torn last line and all', async () => {
  const directory = await dataDirectory();
  const journal = await journalIn(directory);
  await journal.record(command('a'));
  await journal.sealNow();
  await journal.record(command('b'));
  await appendFile(openSegmentPath(directory, 2), '{"half');

  expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 2, lastSeq: 2 }] });
});

test('verifying beside a writer finds no fault', async () => {
  const directory = await dataDirectory();
  const journal = await journalIn(directory, { sealAfterBytes: 4000 });
  const results = [];
  for (let i = 0; i < 10; i += 1) {
    const records = Array.from({ length: 10 }, (_, j) => journal.record(command(`echo ${i} ${j}`)));
    results.push(await verified(directory));
    await Promise.all(records);
  }

  expect(results.flatMap(({ problems }) => problems)).toEqual([]);
  expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 100 }] });
});

describe('a sealed segment', () => {
  test('with any one bit changed is found, except bits that pad the compressed data and carry nothing', async () => {
    const directory = await sealedLake();
    const path = sealedSegmentPath(directory, 3);
    await rm(sealedSegmentPath(directory, 5));
    const original = await readFile(path);
    const content = gunzipSync(original);
    const harmless: Buffer[] = [];
    const named = new Set<string | undefined>();

    for (let bit = 0; bit < original.length * 8; bit += bit < 88 || bit > original.length * 8 - 88 ? 1 : 61) {
      const bytes = Buffer.from(original);
      bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      await writeFile(path, bytes);
      const { ok, problems } = await verified(directory);
      if (ok) harmless.push(bytes);
      else named.add(problems[0]?.file);
    }

    expect(named).toEqual(new Set(['lake/events/dt=2026-11-20/gateway/000000000003.ndjson.gz']));
    expect(harmless.length).toBeLessThan(8);
    expect(harmless.filter((bytes) => !gunzipSync(bytes).equals(content))).toEqual([]);
  }, 60_000);

  test('cut at any place, or with bytes behind it, is found', async () => {
    const directory = await sealedLake();
    const path = sealedSegmentPath(directory, 3);
    const original = await readFile(path);

    for (const bytes of [
      Buffer.alloc(0),
      original.subarray(0, 10),
      original.subarray(0, 18),
      original.subarray(0, original.length >> 1),
      original.subarray(0, -1),
      original.subarray(0, -8),
      Buffer.concat([original, Buffer.of(0)]),
      Buffer.concat([original, original]),
    ]) {
      await writeFile(path, bytes);
      expect((await verified(directory)).problems[0]).toMatchObject({ code: 'broken-segment' });
    }
  });

  test('that is gone, renamed, or in another folder is found', async () => {
    const gone = await sealedLake();
    await rm(sealedSegmentPath(gone, 3));
    const renamed = await sealedLake();
    await rename(sealedSegmentPath(renamed, 3), sealedSegmentPath(renamed, 4));
    const moved = await sealedLake();
    await mkdir(dirname(sealedSegmentPath(moved, 3, '2026-11-19')), { recursive: true });
    await rename(sealedSegmentPath(moved, 3), sealedSegmentPath(moved, 3, '2026-11-19'));

    expect((await verified(gone)).problems).toMatchObject([
      {
        code: 'missing-segment',
        file: 'lake/events/dt=2026-11-20/gateway/000000000005.ndjson.gz',
        record: 1,
      },
    ]);
    expect((await verified(renamed)).problems).toMatchObject([{ code: 'misplaced-record' }]);
    expect((await verified(moved)).problems).toMatchObject([
      { code: 'misplaced-record' },
      { code: 'misplaced-record' },
    ]);
  });

  test('that is a link is not read', async () => {
    const directory = await sealedLake();
    const path = sealedSegmentPath(directory, 3);
    await rename(path, join(directory, 'elsewhere'));
    await symlink(join(directory, 'elsewhere'), path);

    expect((await verified(directory)).problems[0]).toMatchObject({ code: 'broken-segment' });
  });

  test('is the same bytes on every machine: a header without time and system', async () => {
    const directory = await sealedLake();

    const bytes = await readFile(sealedSegmentPath(directory));

    expect(bytes.subarray(0, 10).toString('hex')).toBe('1f8b08000000000000ff');
    expect((await filesBelow(directory)).filter((file) => file.includes('unfinished'))).toEqual([]);
  });
});
