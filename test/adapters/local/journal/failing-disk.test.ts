import { spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import type { JournalOptions } from '#adapters/local';
import { command, dataDirectory, journalIn, linesOf, openSegmentPath, verified } from './sample-journal.ts';

type CreateFile = NonNullable<JournalOptions['createFile']>;
type AppendFile = Awaited<ReturnType<CreateFile>>;

/** Real files, of which one operation fails at its n-th call. */
function failingAt(operation: 'write' | 'datasync', n: number, code: string): CreateFile {
  let calls = 0;
  const fail = () => {
    calls += 1;
    if (calls >= n) throw Object.assign(new Error(`${code}: as the test asked`), { code });
  };
  return async (path) => {
    const file = await open(path, 'ax');
    return {
      ...forwarding(file),
      async write(bytes, offset, length) {
        // Half of it reaches the file first, as on a disk that runs full.
        if (operation === 'write' && calls + 1 >= n) await file.write(bytes, offset, length >> 1);
        if (operation === 'write') fail();
        return file.write(bytes, offset, length);
      },
      async datasync() {
        if (operation === 'datasync') fail();
        return file.datasync();
      },
    };
  };
}

function forwarding(file: AppendFile): AppendFile {
  return {
    write: (bytes, offset, length) => file.write(bytes, offset, length),
    datasync: () => file.datasync(),
    truncate: (length) => file.truncate(length),
    close: () => file.close(),
  };
}

describe.each([
  ['a full disk', 'write', 'ENOSPC'],
  ['a broken disk', 'write', 'EIO'],
  ['a disk that cannot sync', 'datasync', 'EIO'],
] as const)('%s', (_, operation, code) => {
  test('refuses the record and every later one, and keeps what was acknowledged', async () => {
    const directory = await dataDirectory();
    const faults: unknown[] = [];
    const journal = await journalIn(directory, {
      createFile: failingAt(operation, 2, code),
      onFault: (error) => faults.push(error),
    });
    const first = await journal.record(command('a'));

    const failed = await Promise.allSettled([journal.record(command('b')), journal.record(command('c'))]);
    const later = journal.record(command('d'));
    await expect(later).rejects.toMatchObject({ code: 'unwritable' });
    await journal.close();

    expect(failed).toMatchObject([
      { status: 'rejected', reason: { code: 'unwritable', cause: { code } } },
      { status: 'rejected', reason: { code: 'unwritable' } },
    ]);
    expect(faults).toHaveLength(1);
    expect((await linesOf(openSegmentPath(directory))).map((line) => JSON.parse(line))).toEqual([first]);
    expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 1 }] });
  });

  test('does no harm to the next opening', async () => {
    const directory = await dataDirectory();
    const journal = await journalIn(directory, { createFile: failingAt(operation, 2, code) });
    await journal.record(command('a'));
    await expect(journal.record(command('b'))).rejects.toMatchObject({ code: 'unwritable' });
    await journal.close();

    const next = await (await journalIn(directory)).record(command('c'));

    expect(next.additionalEventData['chainSeq']).toBe('2');
    expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 2 }] });
  });
});

test('short writes are continued', async () => {
  const directory = await dataDirectory();
  const journal = await journalIn(directory, {
    createFile: async (path) => {
      const file = await open(path, 'ax');
      return {
        ...forwarding(file),
        write: (bytes, offset, length) => file.write(bytes, offset, Math.min(length, 7)),
      };
    },
  });

  await Promise.all(Array.from({ length: 5 }, (_, i) => journal.record(command(`echo ${i}`))));

  expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 5 }] });
});

test('a torn line that could not be taken back is cut off at the next opening', async () => {
  const directory = await dataDirectory();
  const failing = failingAt('write', 2, 'EIO');
  const journal = await journalIn(directory, {
    createFile: async (path) => ({
      ...(await failing(path)),
      truncate: async () => {
        throw new Error('EIO');
      },
    }),
  });
  await journal.record(command('a'));
  await expect(journal.record(command('b'))).rejects.toMatchObject({ code: 'unwritable' });
  await journal.close();

  const next = await journalIn(directory);

  expect(next.recovered.tornBytes).toBeGreaterThan(0);
  expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 1 }] });
});

test('a disk that stalls costs a bounded queue, and then the journal', async () => {
  const directory = await dataDirectory();
  const stalled = Promise.withResolvers<void>();
  const journal = await journalIn(directory, {
    createFile: async (path) => {
      const file = await open(path, 'ax');
      return { ...forwarding(file), datasync: () => stalled.promise.then(() => file.datasync()) };
    },
  });
  // Some large ones, so that the bound in bytes is met with few records.
  const large = { ...command('x'), requestParameters: { command: 'x'.repeat(500_000) } };

  const first = journal.record(command('a'));
  await new Promise(setImmediate);
  const rest = Array.from({ length: 200 }, () => journal.record(large));
  const settled = Promise.allSettled(rest);
  await expect(journal.record(command('b'))).rejects.toMatchObject({ code: 'unwritable' });
  stalled.resolve();
  await expect(first).resolves.toBeDefined();
  const outcomes = await settled;
  await journal.close();

  expect(outcomes.every(({ status }) => status === 'rejected')).toBe(true);
  expect(await verified(directory)).toMatchObject({ ok: true, streams: [{ records: 1 }] });
}, 20_000);

test('a limit of the system on the size of files refuses, and loses nothing acknowledged', async () => {
  const directory = await dataDirectory();
  const script = fileURLToPath(new URL('./appending-process.ts', import.meta.url));

  // 100 blocks of 1024 bytes; the child ignores SIGXFSZ and so sees EFBIG.
  const child = spawn(
    '/bin/bash',
    ['-c', 'ulimit -f 100; exec "$0" "$@"', process.execPath, script, directory, '4', '3600000'],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  let output = '';
  for await (const chunk of child.stdout) output += String(chunk);

  const lines = output.split('\n').slice(0, -1);
  const acknowledged = lines.filter((line) => line.startsWith('ack ')).map((line) => line.slice(4));
  expect(lines).toContain('refused unwritable');
  expect(acknowledged.length).toBeGreaterThan(20);
  const kept = (await linesOf(openSegmentPath(directory))).join();
  expect(acknowledged.filter((id) => !kept.includes(`"eventID":"${id}"`))).toEqual([]);
  const { problems } = await verified(directory);
  expect(problems.filter(({ code }) => code !== 'session-without-end')).toEqual([]);
}, 20_000);
