import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { createObjectSpool, type ObjectSpoolOptions } from '#adapters/aws';
import {
  loadManifest,
  RecorderError,
  recordingBytes,
  recoverSpooledRecordings,
  type SpoolHead,
} from '#core/recording';
import { parseSpoolKey } from '../../../../adapters/aws/journal/spool-key.ts';
import { createRecorder } from '../../../../proxy-task/recording/index.ts';
import {
  type Around,
  jittered,
  killedAt,
  type MemoryStores,
  memoryStores,
  storesOver,
} from './memory-stores.ts';
import { atMs, session } from './sample-stream.ts';

const deadline = { timeout: 5000, interval: 5 };
const one = session('1');
const prefix = `recordings/dt=2026-11-20/${one}/c1/`;
const head = {
  sessionId: one,
  channel: 'c1',
  kind: 'shell',
  startedAtMs: atMs,
  columns: 80,
  rows: 24,
  term: 'xterm',
} as const satisfies SpoolHead;
const header = '{"version":3,"term":{"cols":80,"rows":24},"timestamp":1795169730}\n';
const cast = (text: string) => `[1.000, "o", ${JSON.stringify(text)}]\n`;
const line = (text: string) => Buffer.from(cast(text));

function spoolOver(memory: MemoryStores, around: Around = {}, options: Partial<ObjectSpoolOptions> = {}) {
  const clock = { now: atMs };
  // The clock runs with the timers.
  const timer = setInterval(() => {
    clock.now += 5;
  }, 5);
  onTestFinished(() => clearInterval(timer));
  return createObjectSpool({ ...storesOver(memory, around), now: () => clock.now, flushMs: 20, ...options });
}

function keys(memory: MemoryStores): readonly string[] {
  return [...memory.journal.keys()].map((key) => key.replace(`spool/${one}/`, '')).sort();
}

async function recover(memory: MemoryStores, around: Around = {}) {
  const stores = storesOver(memory, around);
  const spool = createObjectSpool({ ...stores, now: () => atMs });
  const faults: RecorderError[] = [];
  const recovered = await recoverSpooledRecordings({
    store: stores.evidence,
    spool,
    unfinished: spool.unfinishedOf([one]),
    putOnRecord: async () => undefined,
    onFault: (error) => void faults.push(error),
  });
  return { recovered, faults };
}

function randomLine(bytes: number): Buffer {
  return randomBytes(bytes).map((byte) => (byte === 10 ? 11 : byte)) as Buffer;
}

async function recordedText(memory: MemoryStores): Promise<string> {
  const { evidence } = storesOver(memory);
  const manifest = await loadManifest(evidence, `${prefix}manifest.json`);
  const chunks = await Array.fromAsync(recordingBytes(evidence, `${prefix}manifest.json`, manifest));
  return Buffer.concat(chunks).toString();
}

describe('an object spool', () => {
  test('puts what has waited in pieces, after the head, and gives it back whole', async () => {
    const memory = memoryStores();
    const spool = spoolOver(memory);
    await spool.begin(head);
    await spool.append(head, 0, line('a'));
    expect(keys(memory)).toEqual([]);

    await vi.waitFor(() => expect(keys(memory)).toEqual(['c1/0-0.cast', 'c1/head.json']), deadline);
    await spool.append(head, 0, line('b'));
    await spool.append(head, 1, line('c'));
    await vi.waitFor(() => expect(keys(memory)).toHaveLength(4), deadline);
    await spool.append(head, 1, line('d'));

    expect((await spool.read(head, 0)).toString()).toBe(`${cast('a')}${cast('b')}`);
    expect((await spool.read(head, 1)).toString()).toBe(`${cast('c')}${cast('d')}`);
    const another = createObjectSpool({ ...storesOver(memory), now: () => atMs });
    expect(await another.head(head)).toEqual(head);
    expect(await another.chunks(head)).toEqual([0, 1]);
    expect((await another.read(head, 0)).toString()).toBe(`${cast('a')}${cast('b')}`);
    // The last line may have waited long enough by now.
    expect([line('c').toString(), `${cast('c')}${cast('d')}`]).toContain(
      (await another.read(head, 1)).toString(),
    );
  });

  test('asks nothing of the bucket for a channel that ends before anything has waited', async () => {
    const memory = memoryStores();
    const calls: string[] = [];
    const spool = spoolOver(memory, { before: ({ name }) => void calls.push(name) }, { flushMs: 60_000 });
    await spool.begin(head);
    await spool.append(head, 0, line('a'));
    expect((await spool.read(head, 0)).toString()).toBe(line('a').toString());
    await spool.remove(head, 0);
    await spool.end(head);

    expect(calls).toEqual([]);
  });

  test('puts at once what is more than it may hold back', async () => {
    const memory = memoryStores();
    const spool = spoolOver(memory, {}, { flushMs: 60_000, flushBytes: 1000 });
    await spool.begin(head);

    await spool.append(head, 0, randomBytes(2000));

    await vi.waitFor(() => expect(keys(memory)).toEqual(['c1/0-0.cast', 'c1/head.json']), deadline);
  });

  test('never has a later piece without those before it', async () => {
    const memory = memoryStores();
    const spool = spoolOver(memory, {}, { flushMs: 60_000, flushBytes: 1000 });
    await spool.begin(head);
    await spool.append(head, 0, line('a'));
    // It is being stored, and may yet have to be put.
    await spool.read(head, 0);

    await spool.append(head, 1, randomBytes(2000));

    await vi.waitFor(
      () => expect(keys(memory)).toEqual(['c1/0-0.cast', 'c1/1-0.cast', 'c1/head.json']),
      deadline,
    );
  });

  test('removes what it put, also what is being put meanwhile', async () => {
    const memory = memoryStores();
    const going = Promise.withResolvers<void>();
    const spool = spoolOver(memory, {
      before: ({ name, key }) =>
        name === 'journal.put' && key.endsWith('1-0.cast') ? going.promise : undefined,
    });
    await spool.begin(head);
    await spool.append(head, 0, line('a'));
    await vi.waitFor(() => expect(keys(memory)).toHaveLength(2), deadline);
    await spool.append(head, 1, line('b'));
    await new Promise((resolve) => setTimeout(resolve, 30));

    const removed = Promise.all([spool.remove(head, 0), spool.remove(head, 1)]);
    going.resolve();
    await removed;
    expect(keys(memory)).toEqual(['c1/head.json']);
    await spool.end(head);

    expect(keys(memory)).toEqual([]);
  });

  test('tries a removal that failed again at the end', async () => {
    const memory = memoryStores();
    let broken = true;
    const spool = spoolOver(memory, {
      before({ name }) {
        if (broken && name === 'journal.remove') throw new Error('SlowDown');
      },
    });
    await spool.begin(head);
    await spool.append(head, 0, line('a'));
    await vi.waitFor(() => expect(keys(memory)).toHaveLength(2), deadline);
    await spool.remove(head, 0);
    expect(keys(memory)).toHaveLength(2);
    broken = false;

    await spool.end(head);

    expect(keys(memory)).toEqual([]);
  });

  test('holds back, tries again, and gives a recording up only where puts fail for long', async () => {
    const memory = memoryStores();
    let broken = true;
    const spool = spoolOver(memory, {
      before({ name }) {
        if (broken && name === 'journal.put') throw new Error('SlowDown');
      },
    });
    await spool.begin(head);
    await spool.append(head, 0, line('a'));
    await new Promise((resolve) => setTimeout(resolve, 40));
    await spool.append(head, 0, line('b'));
    broken = false;
    await vi.waitFor(() => expect(keys(memory)).toHaveLength(2), deadline);
    broken = true;

    await vi.waitFor(
      async () =>
        expect(await spool.append(head, 0, line('c')).catch((error: unknown) => error)).toMatchObject({
          name: 'RecorderError',
          code: 'spool',
        }),
      deadline,
    );
    expect((await spool.read(head, 0)).toString()).toContain('"a"');
  });

  test('waits in append where puts are slower than output, and not before', async () => {
    const memory = memoryStores();
    const stalled = Promise.withResolvers<void>();
    const spool = spoolOver(memory, { before: () => stalled.promise });
    await spool.begin(head);
    for (let i = 0; i < 8; i += 1) await spool.append(head, 0, Buffer.alloc(1 << 20, 0x61));

    let waiting = true;
    const last = spool.append(head, 0, Buffer.alloc(1 << 20, 0x61)).then(() => {
      waiting = false;
    });
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(waiting).toBe(true);
    stalled.resolve();
    await last;

    expect(await spool.read(head, 0)).toHaveLength(9 << 20);
  });

  test('lets go of what it put and cannot hold, and reads it again', async () => {
    const memory = memoryStores();
    const spool = spoolOver(memory, {}, { flushMs: 4 });
    await spool.begin(head);
    const content = randomBytes(40 << 20);
    for (let from = 0, pieces = 1; from < content.length; from += 8 << 20, pieces += 1) {
      await spool.append(head, 0, content.subarray(from, from + (8 << 20)));
      await vi.waitFor(() => expect(keys(memory)).toHaveLength(pieces + 1), deadline);
    }
    await spool.append(head, 0, line('end'));

    expect((await spool.read(head, 0)).equals(Buffer.concat([content, line('end')]))).toBe(true);
  });

  test.each(['head.json', '0-0.cast'])('takes nothing of another for its own: %s', async (name) => {
    const memory = memoryStores();
    memory.journal.set(`spool/${one}/c1/${name}`, Buffer.from('theirs'));
    const spool = spoolOver(memory);
    await spool.begin(head);
    await spool.append(head, 0, line('a'));

    await vi.waitFor(
      async () =>
        expect(await spool.append(head, 0, line('b')).catch((error: unknown) => error)).toMatchObject({
          code: 'conflict',
        }),
      deadline,
    );
    expect(memory.journal.get(`spool/${one}/c1/${name}`)?.toString()).toBe('theirs');
  });

  test('takes a put whose answer was lost for done', async () => {
    const memory = memoryStores();
    let lost = 0;
    const spool = spoolOver(memory, {
      after({ name }) {
        if (name === 'journal.put' && lost++ < 2) throw new Error('the answer was lost');
      },
    });
    await spool.begin(head);
    await spool.append(head, 0, Buffer.concat([Buffer.from(header), line('a')]));

    await vi.waitFor(() => expect(keys(memory)).toEqual(['c1/0-0.cast', 'c1/head.json']), deadline);
    await vi.waitFor(() => expect(lost).toBeGreaterThanOrEqual(2), deadline);
    expect((await recover(memory)).faults).toEqual([]);
    expect(await recordedText(memory)).toBe(`${header}${cast('a')}`);
  });

  test('puts a piece again as it was, whatever came meanwhile, and removes one that may be there', async () => {
    const memory = memoryStores();
    let broken = true;
    const spool = spoolOver(memory, {
      after({ name, key }) {
        if (broken && name === 'journal.put' && key.endsWith('.cast')) throw new Error('the answer was lost');
      },
    });
    await spool.begin(head);
    await spool.append(head, 0, Buffer.from(header));
    await vi.waitFor(() => expect(keys(memory)).toEqual(['c1/0-0.cast', 'c1/head.json']), deadline);
    await spool.append(head, 0, line('a'));
    broken = false;
    await vi.waitFor(
      () => expect(keys(memory)).toEqual(['c1/0-0.cast', 'c1/0-1.cast', 'c1/head.json']),
      deadline,
    );
    broken = true;
    await spool.append(head, 1, line('b'));
    await vi.waitFor(() => expect(keys(memory)).toContain('c1/1-0.cast'), deadline);

    expect((await spool.read(head, 0)).toString()).toBe(`${header}${cast('a')}`);
    expect((await spool.read(head, 1)).toString()).toBe(cast('b'));
    await spool.remove(head, 0);
    await spool.remove(head, 1);
    await spool.end(head);

    expect(keys(memory)).toEqual([]);
  });

  test('knows its own keys, and no others', () => {
    const own = fc
      .tuple(fc.integer({ min: 1, max: 99_999 }), fc.nat(9_999_999), fc.nat(9_999_999))
      .map(([channel, chunk, piece]) => `spool/${one}/c${channel}/${chunk}-${piece}.cast`);
    fc.assert(fc.property(own, (key) => parseSpoolKey(key)?.kind === 'piece'));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.string().map((name) => `spool/${one}/c1/${name}`),
        ),
        (key) => {
          const parsed = parseSpoolKey(key);
          return (
            parsed === undefined || /^spool\/s-[0-9a-f]{32}\/c\d+\/(head\.json|\d+-\d+\.cast)$/.test(key)
          );
        },
      ),
    );
    for (const key of [
      '',
      `spool/${one}/c0/head.json`,
      `spool/${one}/c1/00-0.cast`,
      `spool/${one}/c1/0-0.cast/x`,
    ])
      expect(parseSpoolKey(key)).toBeUndefined();
  });
});

describe('a recording whose spool is in a bucket', () => {
  test('is stored by the recorder and leaves nothing behind', async () => {
    const memory = memoryStores();
    const spool = spoolOver(memory);
    const { evidence } = storesOver(memory);
    const recorder = createRecorder({
      store: evidence,
      spool,
      now: () => atMs,
      limits: { flushMs: 5, chunkMs: 0, chunkBytes: 200 },
    });
    const channel = recorder.start({ ...head, onFault: (error) => expect(error).toBeUndefined() });
    for (let i = 0; i < 20; i += 1) {
      channel.output(Buffer.from(`line ${i}\r\n`), 'stdout');
      await new Promise((resolve) => setTimeout(resolve, 5));
    }

    const stored = await channel.finish({ kind: 'status', status: 0 });

    expect(stored.chunks).toBeGreaterThan(1);
    expect(await recordedText(memory)).toContain('line 19');
    expect(keys(memory)).toEqual([]);
  });

  test('is completed to within its last pieces when the task is killed at any call', async () => {
    const work = async (memory: MemoryStores, around: Around) => {
      const stores = storesOver(memory, around);
      const spool = createObjectSpool({ ...stores, now: () => atMs, flushMs: 1 });
      const recorder = createRecorder({
        store: stores.evidence,
        spool,
        now: () => atMs,
        limits: { flushMs: 1, chunkBytes: 150 },
      });
      const channel = recorder.start({ ...head, onFault: () => undefined });
      for (let i = 0; i < 8; i += 1) {
        channel.output(Buffer.from(`line ${i}\r\n`), 'stdout');
        await new Promise((resolve) => setTimeout(resolve, 3));
      }
      await channel.finish().catch(() => undefined);
    };
    const killedOnce = async (n: number, when: 'before' | 'after') => {
      const memory = memoryStores();
      await work(memory, killedAt(n, when));

      const { recovered, faults } = await recover(memory);

      expect(faults).toEqual([]);
      if (recovered.length > 0) {
        expect(memory.evidence.has(`${prefix}manifest.json`)).toBe(true);
        const shown = (await recordedText(memory)).match(/line \d/g) ?? [];
        expect(shown).toEqual(shown.map((_, index) => `line ${index}`));
      }
      expect(keys(memory).filter((key) => key.endsWith('head.json'))).toEqual([]);
    };
    // Side by side, since each waits for what comes no more.
    const calls = Array.from({ length: 24 }, (_, index) => index + 1);
    await Promise.all(calls.flatMap((n) => [killedOnce(n, 'before'), killedOnce(n, 'after')]));
  });

  test('is stored once by two who recover it at once', async () => {
    for (let seed = 1; seed <= 20; seed += 1) {
      const memory = memoryStores();
      memory.journal.set(`spool/${one}/c1/head.json`, Buffer.from(JSON.stringify(head)));
      memory.journal.set(`spool/${one}/c1/0-0.cast`, Buffer.concat([Buffer.from(header), line('a')]));
      memory.journal.set(`spool/${one}/c1/0-1.cast`, line('b'));
      memory.journal.set(`spool/${one}/c1/1-0.cast`, line('c'));

      const both = await Promise.allSettled([
        recover(memory, jittered(seed)),
        recover(memory, jittered(seed + 99)),
      ]);

      const done = both.flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value.recovered : []));
      expect(new Set(done.map(({ manifestSha256 }) => manifestSha256)).size).toBe(1);
      expect(await recordedText(memory)).toBe(`${header}${cast('a')}${cast('b')}${cast('c')}`);
    }
  });

  test.each<readonly [string, Readonly<Record<string, Buffer>>]>([
    ['a piece is missing', { '0-0.cast': Buffer.from(header), '0-2.cast': line('c') }],
    ['the first piece is missing', { '0-1.cast': line('b') }],
    ['the head is random', { 'head.json': randomBytes(100), '0-0.cast': Buffer.from(header) }],
    ['the head is of another', { 'head.json': Buffer.from(JSON.stringify({ ...head, channel: 'c2' })) }],
    ['a chunk is random', { '0-0.cast': randomBytes(500), '1-0.cast': line('b') }],
    ['a chunk is random, in one line', { '0-0.cast': randomLine(500), '1-0.cast': line('b') }],
    ['the only chunk is random, in one line', { '0-0.cast': randomLine(500) }],
    [
      'the header is cut, and a chunk follows',
      { '0-0.cast': Buffer.from(header.slice(0, 20)), '1-0.cast': line('b') },
    ],
  ])('is left for a person where %s', async (_name, objects) => {
    const memory = memoryStores();
    memory.journal.set(`spool/${one}/c1/head.json`, Buffer.from(JSON.stringify(head)));
    for (const [name, bytes] of Object.entries(objects)) memory.journal.set(`spool/${one}/c1/${name}`, bytes);
    const before = keys(memory);

    const { recovered, faults } = await recover(memory);

    expect(recovered).toEqual([]);
    expect(faults).toMatchObject([{ name: 'RecorderError', code: 'damaged' }]);
    expect(keys(memory)).toEqual(before);
  });
});
