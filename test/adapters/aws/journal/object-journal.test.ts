import { gunzipSync } from 'node:zlib';
import { describe, expect, test, vi } from 'vitest';
import type { AuditRecord } from '#core/contract';
import { gzipMember } from '#core/journal';
import { type Call, memoryStores, storesOver } from './memory-stores.ts';
import {
  atMs,
  codeOf,
  command,
  journalKeys,
  journalOver,
  keepingSink,
  lakeRecords,
  numbers,
  session,
  sessionEnd,
  sessionStart,
  started,
  stream,
  verified,
} from './sample-stream.ts';

const deadline = { timeout: 5000, interval: 5 };
const batchKey = (firstSeq: number) => `journal/${stream}/${String(firstSeq).padStart(12, '0')}.ndjson`;
const sealedKey = (firstSeq: number, date = '2026-11-20') =>
  `events/dt=${date}/${stream}/${String(firstSeq).padStart(12, '0')}.ndjson.gz`;

test('a record is acknowledged when its batch is in the journal bucket', async () => {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory));
  const heard: AuditRecord[] = [];
  journal.subscribe((record) => heard.push(record));

  const record = await journal.record(command('a'));

  expect(JSON.parse(memory.journal.get(batchKey(1))?.toString() ?? '')).toEqual(record);
  expect(record.additionalEventData).toMatchObject({
    chainStream: stream,
    chainSeq: '1',
    proxyId: 'p-eu1-a',
  });
  expect(heard).toEqual([record]);
  expect(memory.control.get(`writer ${stream}`)?.data).toContain('"role":"gateway"');
});

test('records that come while a put is on its way share the next one, in the order of the calls', async () => {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory));

  const first = journal.record(command('0'));
  await Promise.resolve();
  await Promise.resolve();
  const records = await Promise.all([
    first,
    ...Array.from({ length: 50 }, (_, i) => journal.record(command(`${i}`))),
  ]);

  expect(numbers(records)).toEqual(Array.from({ length: 51 }, (_, i) => i + 1));
  expect(journalKeys(memory).length).toBeLessThanOrEqual(2);
  expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 51 }] });
});

test('ten thousand records of many writers at once are all there, once', async () => {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory));

  await Promise.all(Array.from({ length: 10_000 }, (_, i) => journal.record(command(`echo ${i}`))));
  await journal.close();

  expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 10_000 }] });
  expect(journalKeys(memory)).toEqual([batchKey(1)]);
  expect(memory.control.size).toBe(0);
});

test('a stream that has a writer is refused to another', async () => {
  const memory = memoryStores();
  await journalOver(storesOver(memory));

  await expect(journalOver(storesOver(memory))).rejects.toMatchObject({ code: 'locked' });
});

test('a stream that was closed is not begun again', async () => {
  const memory = memoryStores();
  const first = await journalOver(storesOver(memory));
  await first.record(command('a'));
  await first.close();

  const second = await journalOver(storesOver(memory));

  await expect(second.record(command('b'))).rejects.toMatchObject({ code: 'fenced' });
  expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 1 }] });
});

test('a draft without a form is refused, and the journal goes on', async () => {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory));

  const chained = { ...command('a'), additionalEventData: { chainSeq: '9' } };
  const long = { ...command('a'), requestParameters: { command: 'x'.repeat(600_000) } };
  await expect(journal.record(chained)).rejects.toMatchObject({ code: 'invalid' });
  await expect(journal.record(long)).rejects.toMatchObject({ code: 'invalid' });

  expect(numbers([await journal.record(command('b'))])).toEqual([1]);
});

test('a listener that throws is told to onFault, and harms nobody', async () => {
  const faults: Error[] = [];
  const journal = await journalOver(storesOver(memoryStores()), { onFault: (error) => faults.push(error) });
  const heard: AuditRecord[] = [];
  journal.subscribe(() => {
    throw new Error('of the listener');
  });
  const leave = journal.subscribe((record) => heard.push(record));

  await journal.record(command('a'));
  leave();
  await journal.record(command('b'));

  expect(faults.map(({ message }) => message)).toEqual(['of the listener', 'of the listener']);
  expect(heard).toHaveLength(1);
});

describe('a journal that is not the writer any more', () => {
  test('rejects what waits and every later call, and says so once', async () => {
    const memory = memoryStores();
    const faults: unknown[] = [];
    const journal = await journalOver(storesOver(memory), { onFault: (error) => faults.push(codeOf(error)) });
    await journal.record(command('a'));
    memory.journal.set(batchKey(2), Buffer.from('of another\n'));

    const outcomes = await Promise.allSettled([journal.record(command('b')), journal.record(command('c'))]);
    await expect(journal.record(command('d'))).rejects.toMatchObject({ code: 'fenced' });
    await expect(journal.sealNow()).rejects.toMatchObject({ code: 'fenced' });
    await journal.close();

    expect(outcomes).toMatchObject([{ reason: { code: 'fenced' } }, { reason: { code: 'fenced' } }]);
    expect(faults).toEqual(['fenced']);
    // For whoever seals it.
    expect(memory.control.has(`writer ${stream}`)).toBe(true);
  });

  test('learns it from the table, though it has nothing to write', async () => {
    const memory = memoryStores();
    const faults: unknown[] = [];
    await journalOver(storesOver(memory), { heartbeatMs: 5, onFault: (error) => faults.push(codeOf(error)) });

    memory.control.delete(`writer ${stream}`);

    await vi.waitFor(() => expect(faults).toEqual(['fenced']), deadline);
    expect(memory.control.has(`writer ${stream}`)).toBe(false);
  });

  test('learns it from the lake, where another sealed more', async () => {
    const memory = memoryStores();
    const faults: unknown[] = [];
    const journal = await journalOver(storesOver(memory), { onFault: (error) => faults.push(codeOf(error)) });
    await journal.record(command('a'));
    const content = memory.journal.get(batchKey(1)) ?? Buffer.alloc(0);
    memory.evidence.set(
      sealedKey(1),
      await gzipMember(Buffer.concat([content, Buffer.from('{"more":1}\n')])),
    );

    await expect(journal.sealNow()).rejects.toMatchObject({ code: 'fenced' });

    await expect(journal.record(command('b'))).rejects.toMatchObject({ code: 'fenced' });
    expect(faults).toEqual(['fenced']);
  });
});

describe('a journal bucket that', () => {
  test('refuses a put stops the journal for good, and keeps what was acknowledged', async () => {
    const memory = memoryStores();
    let puts = 0;
    const faults: unknown[] = [];
    const stores = storesOver(memory, {
      before({ name }) {
        if (name === 'journal.put' && ++puts === 2) throw new Error('AccessDenied');
      },
    });
    const journal = await journalOver(stores, { onFault: (error) => faults.push(codeOf(error)) });
    await journal.record(command('a'));

    const outcomes = await Promise.allSettled([journal.record(command('b')), journal.record(command('c'))]);
    await expect(journal.record(command('d'))).rejects.toMatchObject({ code: 'unwritable' });
    await journal.close();

    expect(outcomes).toMatchObject([
      { reason: { code: 'unwritable', cause: { message: 'AccessDenied' } } },
      { reason: { code: 'unwritable' } },
    ]);
    expect(faults).toEqual(['unwritable']);
    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 1 }] });
  });

  test('loses the answer to a put that took effect costs nothing', async () => {
    const memory = memoryStores();
    const answers: string[] = [];
    const stores = storesOver(memory);
    const repeated = {
      ...stores,
      journal: {
        ...stores.journal,
        // What a store does that tries again after a lost answer and does not look who was first.
        async putIfAbsent(key: string, bytes: Uint8Array) {
          await stores.journal.putIfAbsent(key, bytes);
          const answer = await stores.journal.putIfAbsent(key, bytes);
          answers.push(answer);
          return answer;
        },
      },
    };
    const journal = await journalOver(repeated);

    await journal.record(command('a'));
    await journal.record(command('b'));

    expect(answers).toEqual(['exists', 'exists']);
    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 2 }] });
  });

  test('stalls costs a bounded queue, and then the journal', async () => {
    const memory = memoryStores();
    const stalled = Promise.withResolvers<void>();
    const stores = storesOver(memory, {
      before: ({ name }) => (name === 'journal.put' ? stalled.promise : undefined),
    });
    const journal = await journalOver(stores);
    const large = { ...command('x'), requestParameters: { command: 'x'.repeat(500_000) } };

    const first = journal.record(command('a'));
    const settled = Promise.allSettled([first, ...Array.from({ length: 200 }, () => journal.record(large))]);
    await expect(journal.record(command('b'))).rejects.toMatchObject({ code: 'unwritable' });
    stalled.resolve();

    expect((await settled).every(({ status }) => status === 'rejected')).toBe(true);
  });
});

describe('the writer', () => {
  test('says from time to time that it lives, and how far back a session is open', async () => {
    const memory = memoryStores();
    let clock = atMs;
    const journal = await journalOver(storesOver(memory), { heartbeatMs: 5, now: () => clock });
    await journal.record(started);
    await journal.record(sessionStart(session('1')));
    await journal.record(command('a'));
    clock += 10_000;

    const item = () => JSON.parse(memory.control.get(`writer ${stream}`)?.data ?? '{}');
    await vi.waitFor(() => expect(item()).toMatchObject({ heardAtMs: clock, openSinceSeq: 2 }), deadline);
    await journal.record(sessionEnd(session('1')));

    await vi.waitFor(() => expect(item()).toMatchObject({ openSinceSeq: 5 }), deadline);
    expect(item()).toMatchObject({ startedAtMs: atMs, proxyId: 'p-eu1-a' });
  });

  test('stops when it could not say so for long: soon its stream is taken over', async () => {
    const memory = memoryStores();
    let broken = false;
    const stores = storesOver(memory, {
      before({ name }) {
        if (broken && name.startsWith('control.')) throw new Error('ThrottlingException');
      },
    });
    const faults: Error[] = [];
    const journal = await journalOver(stores, {
      heartbeatMs: 5,
      silenceMs: 50,
      onFault: (error) => faults.push(error),
    });
    await journal.record(command('a'));
    broken = true;

    await vi.waitFor(() => expect(faults).toMatchObject([{ code: 'unwritable' }]), deadline);

    expect(faults[0]?.message).toContain('ThrottlingException');
    await expect(journal.record(command('b'))).rejects.toMatchObject({ code: 'unwritable' });
  });

  test('goes on where only the answer to a heartbeat was lost', async () => {
    const memory = memoryStores();
    const calls: Call[] = [];
    let lost = 0;
    const stores = storesOver(memory, {
      after(call) {
        if (call.name !== 'control.put') return;
        calls.push(call);
        if (calls.length % 2 === 0 && lost < 5) {
          lost += 1;
          throw new Error('the answer was lost');
        }
      },
    });
    const faults: Error[] = [];
    const journal = await journalOver(stores, { heartbeatMs: 2, onFault: (error) => faults.push(error) });

    await vi.waitFor(() => expect(calls.length).toBeGreaterThan(14), deadline);

    await expect(journal.record(command('a'))).resolves.toBeDefined();
    expect(lost).toBe(5);
    expect(faults).toEqual([]);
  });

  test('that has nothing to write asks nothing of the buckets', async () => {
    const memory = memoryStores();
    const calls: string[] = [];
    const stores = storesOver(memory, { before: ({ name }) => void calls.push(name) });
    await journalOver(stores, { heartbeatMs: 5, sealAfterMs: 5, sinks: [keepingSink()] });

    await vi.waitFor(() => expect(calls.length).toBeGreaterThan(5), deadline);

    expect(new Set(calls)).toEqual(new Set(['control.put']));
  });
});

describe('sealing', () => {
  test('puts a segment where the local lake would have it, and then removes its batches', async () => {
    const memory = memoryStores();
    const journal = await journalOver(storesOver(memory));
    const records = [await journal.record(command('a')), await journal.record(command('b'))];

    await journal.sealNow();

    expect([...memory.evidence.keys()]).toEqual([sealedKey(1)]);
    const lines = gunzipSync(memory.evidence.get(sealedKey(1)) ?? '')
      .toString()
      .split('\n');
    expect(lines.slice(0, -1).map((line) => JSON.parse(line))).toEqual(records);
    // The first one stays, so that nobody begins a stream of this name again.
    expect(journalKeys(memory)).toEqual([batchKey(1)]);
  });

  test('happens by time', async () => {
    const memory = memoryStores();
    const journal = await journalOver(storesOver(memory), { sealAfterMs: 20 });

    await journal.record(command('a'));
    await vi.waitFor(() => expect(memory.evidence.has(sealedKey(1))).toBe(true), deadline);
    await journal.record(command('b'));

    await vi.waitFor(() => expect(memory.evidence.has(sealedKey(2))).toBe(true), deadline);
    await vi.waitFor(() => expect(journalKeys(memory)).toEqual([batchKey(1)]), deadline);
  });

  test('happens by size, and the chain goes on from segment to segment', async () => {
    const memory = memoryStores();
    const journal = await journalOver(storesOver(memory), { sealAfterBytes: 4000 });

    for (let i = 0; i < 12; i += 1) await journal.record(command(`echo ${i}`));
    await journal.close();

    expect(memory.evidence.size).toBeGreaterThan(3);
    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 12 }] });
  });

  test('keeps the days of ingestion apart, though records of both come at once', async () => {
    const memory = memoryStores();
    // The opening looks at the clock first.
    let clock = Date.parse('2026-11-20T23:59:59.998Z');
    const journal = await journalOver(storesOver(memory), { now: () => clock++ });

    await Promise.all(['a', 'b', 'c'].map((text) => journal.record(command(text))));
    await journal.sealNow();

    expect([...memory.evidence.keys()]).toEqual([sealedKey(1), sealedKey(2, '2026-11-21')]);
    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 3 }] });
  });

  test('that fails is tried again without holding up records', async () => {
    const memory = memoryStores();
    let broken = true;
    const faults: unknown[] = [];
    const stores = storesOver(memory, {
      before({ name }) {
        if (broken && name === 'evidence.put') throw new Error('SlowDown');
      },
    });
    const journal = await journalOver(stores, {
      sealAfterMs: 5,
      onFault: (error) => faults.push(codeOf(error)),
    });

    for (let i = 0; i < 5; i += 1) await journal.record(command(`echo ${i}`));
    await vi.waitFor(() => expect(faults.length).toBeGreaterThan(1), deadline);
    broken = false;

    await vi.waitFor(async () => expect(await lakeRecords(memory)).toHaveLength(5), deadline);
    expect(new Set(faults)).toEqual(new Set(['unsealed']));
    expect(await verified(memory)).toMatchObject({ ok: true });
  });

  test('that fails at the end leaves the stream to the seal function', async () => {
    const memory = memoryStores();
    const stores = storesOver(memory, {
      before({ name }) {
        if (name === 'evidence.put') throw new Error('SlowDown');
      },
    });
    const journal = await journalOver(stores);
    await journal.record(command('a'));

    await expect(journal.close()).rejects.toMatchObject({ code: 'unsealed' });

    expect(memory.control.has(`writer ${stream}`)).toBe(true);
    expect(journalKeys(memory)).toEqual([batchKey(1)]);
  });

  test('stops the journal where the lake holds something else', async () => {
    const memory = memoryStores();
    const faults: unknown[] = [];
    memory.evidence.set(sealedKey(1), Buffer.from('planted'));
    const journal = await journalOver(storesOver(memory), { onFault: (error) => faults.push(codeOf(error)) });
    await journal.record(command('a'));

    await expect(journal.sealNow()).rejects.toMatchObject({ code: 'damaged' });

    await expect(journal.record(command('b'))).rejects.toMatchObject({ code: 'unwritable' });
    expect(faults).toEqual(['damaged', 'unwritable']);
    expect(memory.evidence.get(sealedKey(1))?.toString()).toBe('planted');
    expect(journalKeys(memory)).toEqual([batchKey(1)]);
  });

  test('goes on where batches cannot be removed, and removes them later', async () => {
    const memory = memoryStores();
    let broken = true;
    const faults: unknown[] = [];
    const stores = storesOver(memory, {
      before({ name }) {
        if (broken && name === 'journal.remove') throw new Error('SlowDown');
      },
    });
    const journal = await journalOver(stores, { onFault: (error) => faults.push(codeOf(error)) });
    for (const text of ['a', 'b', 'c']) await journal.record(command(text));
    await journal.sealNow();
    expect(journalKeys(memory)).toHaveLength(3);
    broken = false;

    await journal.record(command('d'));
    await journal.sealNow();

    expect(journalKeys(memory)).toEqual([batchKey(1)]);
    expect(faults).toEqual(['unsealed']);
  });

  test('reads again from the journal what has waited too long to be held', async () => {
    const memory = memoryStores();
    let broken = true;
    const stores = storesOver(memory, {
      before({ name }) {
        if (broken && name === 'evidence.put') throw new Error('SlowDown');
      },
    });
    const sink = keepingSink();
    const journal = await journalOver(stores, { sealAfterBytes: 4 << 20, sealAfterMs: 10, sinks: [sink] });
    const large = { ...command('x'), requestParameters: { command: 'x'.repeat(500_000) } };
    for (let i = 0; i < 80; i += 1) await journal.record(large);
    broken = false;

    await journal.sealNow();
    await vi.waitFor(() => expect(sink.records).toHaveLength(80), deadline);

    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 80 }] });
    expect(numbers(sink.records)).toEqual(Array.from({ length: 80 }, (_, i) => i + 1));
  });
});

test('after close nothing is taken, and closing again is the same', async () => {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory));
  await journal.record(command('a'));

  await Promise.all([journal.close(), journal.close()]);

  await expect(journal.record(command('b'))).rejects.toMatchObject({ code: 'closed' });
  await expect(journal.sealNow()).rejects.toMatchObject({ code: 'closed' });
  expect(memory.control.size).toBe(0);
  expect(await lakeRecords(memory)).toHaveLength(1);
});
