import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type TakeOverOptions, takeOverStream } from '#adapters/aws';
import { closeLostSessions, stopProxy } from '#core/event';
import { gzipMember, JournalError } from '#core/journal';
import type { StreamStores } from '../../../../adapters/aws/journal/object-journal.ts';
import { origin } from '../../../core/chain/sample-chain.ts';
import { type MemoryStores, memoryStores, storesOver } from './memory-stores.ts';
import {
  atMs,
  command,
  journalKeys,
  journalOver,
  keepingSink,
  lakeRecords,
  names,
  numbers,
  proxyId,
  session,
  sessionEnd,
  sessionStart,
  started,
  stream,
  verified,
  version,
} from './sample-stream.ts';

const batchKey = (firstSeq: number) => `journal/${stream}/${String(firstSeq).padStart(12, '0')}.ndjson`;
const sealedKey = (firstSeq: number) =>
  `events/dt=2026-11-20/${stream}/${String(firstSeq).padStart(12, '0')}.ndjson.gz`;

function takeOver(stores: StreamStores, options: Partial<TakeOverOptions> = {}) {
  return takeOverStream({
    ...stores,
    stream,
    origin,
    proxyId: 'seal-1',
    startedAtMs: atMs,
    now: () => atMs + 120_000,
    randomBytes,
    sinks: [],
    closeWithinMs: 100,
    onFault: () => undefined,
    ...options,
  });
}

/** Stores as a writer leaves them that is killed after these records, some of which are sealed. */
async function killedAfter(
  sealed: readonly ReturnType<typeof command>[],
  unsealed: readonly ReturnType<typeof command>[],
): Promise<MemoryStores> {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory));
  for (const draft of sealed) await journal.record(draft);
  if (sealed.length > 0) await journal.sealNow();
  for (const draft of unsealed) await journal.record(draft);
  return {
    journal: new Map(memory.journal),
    evidence: new Map(memory.evidence),
    control: new Map(memory.control),
  };
}

test('a stream goes on where its dead writer left it, sealed or not', async () => {
  for (const [sealed, unsealed] of [
    [[], []],
    [[started, command('a')], []],
    [[], [started, command('a')]],
    [[started], [command('a'), command('b')]],
  ] as const) {
    const memory = await killedAfter(sealed, unsealed);

    const taken = await takeOver(storesOver(memory));
    const next = await taken.journal.record(command('next'));
    expect(await taken.finish()).toEqual([]);

    const count = sealed.length + unsealed.length + 1;
    expect(numbers([next])).toEqual([count]);
    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: count }] });
    expect(memory.control.size).toBe(0);
  }
});

test('sessions without an end are found, across segments', async () => {
  const ended = stopProxy({ proxyId, version }, atMs, { reason: 'signal', seconds: 1 });
  const memory = await killedAfter(
    [started, sessionStart(session('1')), sessionStart(session('2')), sessionEnd(session('2'))],
    [sessionStart(session('3')), command('a', session('3'))],
  );
  const stopped = await killedAfter([started, sessionStart(session('1'))], [sessionEnd(session('1')), ended]);

  const { lostSessions } = await takeOver(storesOver(memory));

  expect(lostSessions.map((start) => start.additionalEventData['sessionId'])).toEqual([
    session('1'),
    session('3'),
  ]);
  expect((await takeOver(storesOver(stopped))).lostSessions).toEqual([]);
});

test('sessions are looked for no further back than the oldest that was open', async () => {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory), { sealAfterBytes: 1 });
  const first = session('1');
  for (const draft of [
    started,
    sessionStart(first),
    sessionEnd(first),
    sessionStart(session('2')),
    command('a'),
  ])
    await journal.record(draft);
  await journal.sealNow();
  // Whoever read this far back would notice.
  memory.evidence.set(sealedKey(2), Buffer.from('unreadable'));

  const { lostSessions } = await takeOver(storesOver(memory), { openSinceSeq: 4 });

  expect(numbers(lostSessions)).toEqual([4]);
});

describe('a writer that lives', () => {
  test('finds its next key taken', async () => {
    const memory = memoryStores();
    const journal = await journalOver(storesOver(memory));
    await journal.record(sessionStart(session('1')));

    const taken = await takeOver(storesOver(memory));
    for (const draft of closeLostSessions(taken.lostSessions, atMs)) await taken.journal.record(draft);
    const late = journal.record(command('late'));
    await expect(late).rejects.toMatchObject({ code: 'fenced' });
    await taken.finish();

    expect(names(await lakeRecords(memory))).toEqual(['StartSession', 'EndSession']);
    expect(await verified(memory)).toMatchObject({ ok: true });
  });

  test('finds it taken long after the stream was sealed whole', async () => {
    for (const drafts of [[], [sessionStart(session('1'))]]) {
      const memory = memoryStores();
      const journal = await journalOver(storesOver(memory));
      await journal.record(started);
      for (const draft of drafts) await journal.record(draft);

      const taken = await takeOver(storesOver(memory));
      for (const draft of closeLostSessions(taken.lostSessions, atMs)) await taken.journal.record(draft);
      await taken.finish();
      const again = await takeOver(storesOver(memory));
      await again.finish();

      await expect(journal.record(command('late'))).rejects.toMatchObject({ code: 'fenced' });
      expect(await verified(memory)).toMatchObject({ ok: true });
    }
  });

  test('and has gone on meanwhile is not forked by a free key of a batch that is sealed and gone', async () => {
    const memory = memoryStores();
    const journal = await journalOver(storesOver(memory));
    await journal.record(started);
    await journal.record(sessionStart(session('1')));

    const stale = await takeOver(storesOver(memory));
    for (const text of ['a', 'b', 'c']) await journal.record(command(text, session('1')));
    await journal.sealNow();
    expect(memory.journal.has(batchKey(3))).toBe(false);
    const [end] = closeLostSessions(stale.lostSessions, atMs);
    if (end === undefined) throw new Error('no session was lost');
    await expect(stale.journal.record(end)).rejects.toMatchObject({ code: 'fenced' });

    expect(memory.journal.has(batchKey(3))).toBe(false);
    await journal.record(sessionEnd(session('1')));
    await journal.close();
    expect(await verified(memory)).toMatchObject({
      ok: true,
      streams: [{ records: 6 }],
      sessions: { ended: 1 },
    });
  });

  test('and has sealed less leaves the other the rest', async () => {
    const memory = memoryStores();
    const stores = storesOver(memory, {
      before({ name }) {
        if (name === 'journal.remove') throw new Error('it was killed before');
      },
    });
    const journal = await journalOver(stores);
    await journal.record(started);
    await journal.record(command('a'));
    const taken = await takeOver(storesOver(memory));
    await taken.journal.record(command('b'));
    await journal.sealNow();

    expect(await taken.finish()).toEqual([]);

    expect([...memory.evidence.keys()].sort()).toEqual([sealedKey(1), sealedKey(3)]);
    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 3 }] });
  });

  test('and has sealed and removed what the other was about to seal makes it start over', async () => {
    const memory = memoryStores();
    const journal = await journalOver(storesOver(memory));
    await journal.record(started);
    await journal.record(command('a'));
    const taken = await takeOver(storesOver(memory));
    await taken.journal.record(command('b'));
    await journal.sealNow();

    await expect(taken.finish()).rejects.toMatchObject({ code: 'fenced' });
    expect(await (await takeOver(storesOver(memory))).finish()).toEqual([]);

    expect([...memory.evidence.keys()].sort()).toEqual([sealedKey(1), sealedKey(3)]);
    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 3 }] });
  });

  test('and removes what it sealed while it is read costs a second look', async () => {
    const memory = memoryStores();
    const journal = await journalOver(storesOver(memory));
    for (const text of ['a', 'b', 'c']) await journal.record(command(text));
    let sealing: Promise<void> | undefined;
    const stores = storesOver(memory, {
      async before({ name, key }) {
        if (name === 'journal.get' && key === batchKey(2)) await (sealing ??= journal.sealNow());
      },
    });

    const taken = await takeOver(stores);

    expect(numbers([await taken.journal.record(command('next'))])).toEqual([4]);
    await taken.finish();
    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 4 }] });
  });
});

test('two who took over the same stream: one goes on, the other is fenced', async () => {
  const memory = await killedAfter([started], [sessionStart(session('1'))]);
  const [one, two] = await Promise.all([takeOver(storesOver(memory)), takeOver(storesOver(memory))]);

  const outcomes = await Promise.allSettled(
    [one, two].map(({ journal, lostSessions }) =>
      Promise.all(closeLostSessions(lostSessions, atMs).map((draft) => journal.record(draft))),
    ),
  );

  expect(outcomes.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  expect(outcomes.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { code: 'fenced' } });
});

test('a stream that was ended takes no more', async () => {
  const memory = await killedAfter([started], [command('a')]);
  await (await takeOver(storesOver(memory))).finish();

  const late = await takeOver(storesOver(memory));

  await expect(late.journal.record(command('late'))).rejects.toMatchObject({ code: 'fenced' });
  expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 2 }] });
});

test('sinks get what they have not had, from where they were', async () => {
  const memory = memoryStores();
  const sink = keepingSink();
  const slow = keepingSink('slow');
  const journal = await journalOver(storesOver(memory), {
    sealAfterBytes: 1,
    sinks: [sink, { ...slow, deliver: () => Promise.reject(new Error('down')) }],
  });
  for (const text of ['a', 'b', 'c']) await journal.record(command(text));
  await journal.close();
  expect(numbers(sink.records)).toEqual([1, 2, 3]);

  const taken = await takeOver(storesOver(memory), { sinks: [sink, slow] });
  await taken.journal.record(command('d'));
  expect(await taken.finish()).toEqual([]);

  expect(numbers(sink.records)).toEqual([1, 2, 3, 4]);
  expect(numbers(slow.records)).toEqual([1, 2, 3, 4]);
  expect(memory.control.size).toBe(0);
});

test('a sink that is down keeps the writer registered, so that it is tried again', async () => {
  const memory = await killedAfter([started], [command('a')]);
  const down = { name: 'bus', deliver: () => Promise.reject(new Error('the bus is down')) };

  const undelivered = await (await takeOver(storesOver(memory), { sinks: [down] })).finish();

  expect(undelivered).toEqual(['bus has not had everything (the bus is down)']);
  expect(memory.control.has(`writer ${stream}`)).toBe(true);
  expect(await lakeRecords(memory)).toHaveLength(2);
});

describe('nothing is touched where', () => {
  const contentOf = (memory: MemoryStores, key: string) => memory.journal.get(key)?.toString() ?? '';

  test.each<readonly [string, (memory: MemoryStores) => void]>([
    [
      'a record was changed',
      (memory) =>
        memory.journal.set(
          batchKey(2),
          Buffer.from(contentOf(memory, batchKey(2)).replace('secret', 'nothing')),
        ),
    ],
    ['a batch is missing', (memory) => memory.journal.delete(batchKey(3))],
    [
      'a batch was cut',
      (memory) => memory.journal.set(batchKey(2), Buffer.from(contentOf(memory, batchKey(2)).slice(0, -1))),
    ],
    [
      'a batch stands in the place of another',
      (memory) => memory.journal.set(batchKey(3), Buffer.from(contentOf(memory, batchKey(2)))),
    ],
    [
      'a batch is of another stream',
      (memory) =>
        memory.journal.set(
          batchKey(3),
          Buffer.from(contentOf(memory, batchKey(3)).replaceAll(stream, 'task-x')),
        ),
    ],
    ['a batch comes after the end', (memory) => memory.journal.set(batchKey(2), Buffer.alloc(0))],
    ['a batch is no text', (memory) => memory.journal.set(batchKey(3), randomBytes(300))],
    ['a batch is larger than any', (memory) => memory.journal.set(batchKey(3), Buffer.alloc(5 << 20, 0x20))],
    ['the last segment is no gzip', (memory) => memory.evidence.set(sealedKey(1), Buffer.from('x'))],
    [
      'the last segment was cut',
      (memory) =>
        memory.evidence.set(
          sealedKey(1),
          memory.evidence.get(sealedKey(1))?.subarray(0, 100) ?? Buffer.alloc(0),
        ),
    ],
  ])('%s', async (_name, damage) => {
    const memory = await killedAfter([started], [command('cat secret'), command('b'), command('c')]);
    damage(memory);
    const before = {
      keys: journalKeys(memory),
      lake: [...memory.evidence.keys()],
      control: memory.control.size,
    };

    const error: unknown = await takeOver(storesOver(memory)).catch((reason: unknown) => reason);

    expect(error).toBeInstanceOf(JournalError);
    expect(error).toMatchObject({ code: 'damaged' });
    expect({
      keys: journalKeys(memory),
      lake: [...memory.evidence.keys()],
      control: memory.control.size,
    }).toEqual(before);
  });

  test('the lake holds other records than the journal', async () => {
    const memory = await killedAfter([], [started, command('a')]);
    const taken = await takeOver(storesOver(memory));
    memory.evidence.set(sealedKey(1), await gzipMember(Buffer.from('{"planted":true}\n')));

    await expect(taken.finish()).rejects.toMatchObject({ code: 'damaged' });

    expect(journalKeys(memory)).toContain(batchKey(2));
    expect(memory.control.has(`writer ${stream}`)).toBe(true);
  });

  test('somebody put objects of other names beside the batches', async () => {
    const memory = await killedAfter([started], [command('a')]);
    memory.journal.set(`journal/${stream}/notes.txt`, Buffer.from('hello'));
    memory.journal.set(`journal/${stream}/000000000002.ndjson.bak`, Buffer.from('x'));
    memory.evidence.set(`events/dt=2026-11-20/${stream}/x.ndjson.gz`, Buffer.from('x'));

    const taken = await takeOver(storesOver(memory));
    await taken.finish();

    expect(await verified(memory)).toMatchObject({ ok: true, streams: [{ records: 2 }] });
    expect(journalKeys(memory)).toContain(`journal/${stream}/notes.txt`);
  });
});
