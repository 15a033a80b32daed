import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createObjectSpool, verifyObjectLake } from '#adapters/aws';
import { streamName } from '#core/contract';
import { storeRecording } from '#core/event';
import { createRecorder } from '../../../../proxy-task/recording/index.ts';
import { sessionFacts } from '../../../core/event/sample-facts.ts';
import { type MemoryStores, memoryStores, storesOver } from './memory-stores.ts';
import {
  atMs,
  command,
  journalOver,
  session,
  sessionEnd,
  sessionStart,
  started,
  stream,
  verified,
} from './sample-stream.ts';

const one = session('1');
const day = 86_400_000;

async function lake(): Promise<MemoryStores> {
  const memory = memoryStores();
  let clock = atMs;
  const journal = await journalOver(storesOver(memory), { sealAfterBytes: 3000, now: () => clock });
  for (const draft of [started, sessionStart(one), command('a', one), command('b', one)])
    await journal.record(draft);
  clock += day;
  for (const draft of [command('c', one), sessionEnd(one), command('d', one)]) await journal.record(draft);
  await journal.close();
  return memory;
}

function codes(verification: Awaited<ReturnType<typeof verified>>): readonly string[] {
  return verification.problems.map(({ code }) => code);
}

test('a lake of several streams and days verifies', async () => {
  const memory = await lake();
  const other = await journalOver(storesOver(memory), { stream: streamName('act-0123'), role: 'function' });
  await other.record(command('x', session('2')));
  await other.close();

  expect(await verified(memory)).toMatchObject({
    ok: true,
    streams: [
      { stream: 'act-0123', records: 1 },
      { stream, records: 7, firstSeq: 1, lastSeq: 7 },
    ],
    sessions: { started: 1, ended: 1 },
  });
});

test('a day alone verifies, though its streams began before', async () => {
  const { evidence } = storesOver(await lake());

  const verification = await verifyObjectLake(evidence, { liveSessions: new Set(), days: ['2026-11-21'] });

  expect(verification).toMatchObject({ streams: [{ records: 3, firstSeq: 5 }] });
  expect(codes(verification)).toEqual(['session-without-start']);
});

test('what is not sealed yet counts, and what stays in the journal does not count twice', async () => {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory));
  for (const draft of [started, sessionStart(one)]) await journal.record(draft);
  await journal.sealNow();
  for (const draft of [command('a', one), sessionEnd(one)]) await journal.record(draft);
  const { evidence } = storesOver(memory);

  const whole = await verified(memory);
  const sealed = await verifyObjectLake(evidence, { liveSessions: new Set() });

  expect(whole).toMatchObject({ ok: true, streams: [{ records: 4 }], sessions: { started: 1, ended: 1 } });
  expect(codes(sealed)).toEqual(['session-without-end']);
});

test('a batch that is sealed while the lake is verified is read where it is now', async () => {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory));
  await journal.record(started);
  await journal.sealNow();
  for (const text of ['a', 'b', 'c']) await journal.record(command(text));
  let sealing: Promise<void> | undefined;
  const stores = storesOver(memory, {
    async before({ name, key }) {
      if (name === 'journal.get' && key.endsWith('000000000003.ndjson'))
        await (sealing ??= journal.sealNow());
    },
  });

  const verification = await verifyObjectLake(stores.evidence, {
    journal: stores.journal,
    liveSessions: new Set([session('a')]),
  });

  expect(sealing).toBeDefined();
  expect(verification).toMatchObject({ ok: true, streams: [{ records: 4 }] });
});

test.each<readonly [string, (memory: MemoryStores, keys: readonly string[]) => void, string]>([
  ['a segment is gone', (memory, keys) => memory.evidence.delete(keys[1] ?? ''), 'missing-segment'],
  ['the first is gone', (memory, keys) => memory.evidence.delete(keys[0] ?? ''), 'missing-start'],
  [
    'a segment was cut',
    (memory, keys) =>
      memory.evidence.set(
        keys[1] ?? '',
        memory.evidence.get(keys[1] ?? '')?.subarray(0, 200) ?? Buffer.alloc(0),
      ),
    'broken-segment',
  ],
  [
    'a segment is random',
    (memory, keys) => memory.evidence.set(keys[1] ?? '', randomBytes(400)),
    'broken-segment',
  ],
  [
    'two segments were exchanged',
    (memory, keys) => {
      const [a = '', b = ''] = keys;
      const first = memory.evidence.get(a) ?? Buffer.alloc(0);
      memory.evidence.set(a, memory.evidence.get(b) ?? Buffer.alloc(0));
      memory.evidence.set(b, first);
    },
    'misplaced-record',
  ],
])('it is found where %s', async (_name, damage, code) => {
  const memory = await lake();
  damage(memory, [...memory.evidence.keys()].sort());

  expect(codes(await verified(memory))).toContain(code);
});

test('a segment that cannot be read now is a finding, and the rest is verified', async () => {
  const memory = await lake();
  const { evidence } = storesOver(memory, {
    before({ name, key }) {
      if (name === 'evidence.get' && key.endsWith('000000000003.ndjson.gz')) throw new Error('AccessDenied');
    },
  });

  const verification = await verifyObjectLake(evidence, { liveSessions: new Set() });

  expect(verification.problems[0]).toMatchObject({
    code: 'broken-segment',
    message: 'cannot be read on: AccessDenied',
  });
});

test('recordings are checked against their manifests', async () => {
  const memory = memoryStores();
  const { evidence } = storesOver(memory);
  const journal = await journalOver(storesOver(memory));
  await journal.record(sessionStart(one));
  const spool = createObjectSpool({ ...storesOver(memory), now: () => atMs });
  const recorder = createRecorder({ store: evidence, spool, now: () => atMs });
  const terminal = { columns: 80, rows: 24, term: 'xterm' };
  const channel = recorder.start({
    sessionId: one,
    channel: 'c1',
    kind: 'shell',
    ...terminal,
    onFault: (error) => expect(error).toBeUndefined(),
  });
  channel.output(Buffer.from('hello'), 'stdout');
  const stored = await channel.finish();
  await journal.record(storeRecording({ ...sessionFacts, sessionId: one }, atMs, stored));
  await journal.record(sessionEnd(one, 1));
  await journal.close();

  expect(await verified(memory)).toMatchObject({ ok: true, recordings: { stored: 1, intact: 1 } });
  memory.evidence.set(stored.key.replace('manifest.json', '000000.cast.gz'), Buffer.from('changed'));
  expect(codes(await verified(memory))).toEqual(['chunk-mismatch']);
});
