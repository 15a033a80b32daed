import { expect, test } from 'vitest';
import { type AuditRecord, sessionId } from '#core/contract';
import { storeRecording } from '#core/event';
import { loadManifest, recordingId } from '#core/recording';
import { createObjectSpool } from '../../../../adapters/aws/journal/object-spool.ts';
import { sessionFacts } from '../../../core/event/sample-facts.ts';
import { type MemoryStores, memoryStores, storesOver } from './memory-stores.ts';
import {
  atMs,
  command,
  journalOver,
  keepingSink,
  lakeRecords,
  names,
  seal,
  session,
  sessionEnd,
  sessionStart,
  shellOpened,
  started,
  stream,
  verified,
} from './sample-stream.ts';

const one = session('1');
const header = '{"version":3,"term":{"cols":80,"rows":24},"timestamp":1795169730}\n';

/** A gateway with these records behind it, that is not heard of any more. */
async function silentAfter(...drafts: readonly ReturnType<typeof command>[]): Promise<MemoryStores> {
  const memory = memoryStores();
  const journal = await journalOver(storesOver(memory));
  for (const draft of [started, ...drafts]) await journal.record(draft);
  return memory;
}

/** What the spool of a gateway has of a shell. */
function spooled(memory: MemoryStores, channel: string, pieces: Readonly<Record<string, string>>): void {
  const head = {
    sessionId: one,
    channel,
    kind: 'shell',
    startedAtMs: atMs,
    columns: 80,
    rows: 24,
    term: 'xterm',
  };
  const folder = `spool/${one}/${channel}`;
  memory.journal.set(`${folder}/head.json`, Buffer.from(JSON.stringify(head)));
  for (const [name, text] of Object.entries(pieces))
    memory.journal.set(`${folder}/${name}.cast`, Buffer.from(text));
}

function lossesIn(records: readonly AuditRecord[]) {
  return records.filter(({ eventName }) => eventName === 'ReportAuditLoss');
}

test('sessions end, recordings are stored and on record, everything is sealed, delivered and forgotten', async () => {
  const memory = await silentAfter(sessionStart(one), shellOpened(one), command('a', one));
  spooled(memory, 'c1', {
    '0-0': `${header}[1.000, "o", "a"]\n`,
    '0-1': '[1.000, "o", "b"]\n',
    '1-0': '[1.0',
  });
  const { control } = storesOver(memory);
  await control.put('session', one, { ...liveSession(), proxyId: 'p-eu1-a' }, { kind: 'any' });
  await control.put('session', session('9'), { ...liveSession(), proxyId: 'another' }, { kind: 'any' });
  const sink = keepingSink();

  const report = await seal(storesOver(memory), { sinks: [sink] });

  expect(report).toEqual({
    stream,
    outcome: 'sealed',
    lostSessions: 1,
    recordings: 1,
    losses: 0,
    undelivered: [],
  });
  const records = await lakeRecords(memory);
  expect(names(records).slice(-2)).toEqual(['StoreRecording', 'EndSession']);
  expect(records.at(-1)).toMatchObject({
    responseElements: { endReason: 'ProxyLost' },
    additionalEventData: { sessionId: one, proxyId: 'p-eu1-a' },
  });
  expect(sink.records).toEqual(records);
  expect(await verified(memory)).toMatchObject({ ok: true, recordings: { stored: 1, intact: 1 } });
  const { evidence } = storesOver(memory);
  const manifest = await loadManifest(evidence, `recordings/dt=2026-11-20/${one}/c1/manifest.json`);
  expect(manifest).toMatchObject({ recovered: true, seconds: 2 });
  expect([...memory.journal.keys()].filter((key) => key.startsWith('spool/'))).toEqual([]);
  expect([...memory.control.keys()]).toEqual([`session ${session('9')}`]);
});

test('a stream without a writer is left alone', async () => {
  expect(await seal(storesOver(memoryStores()))).toMatchObject({ outcome: 'gone', lostSessions: 0 });
});

test('a recording that is on record is not put there again', async () => {
  const id = recordingId(one, 'c1');
  const stored = { recordingId: id, key: 'k', manifestSha256: 'f'.repeat(64), seconds: 1, bytes: 1 };
  const memory = await silentAfter(
    sessionStart(one),
    shellOpened(one),
    storeRecording({ ...sessionFacts, sessionId: one }, atMs, stored),
  );
  spooled(memory, 'c1', { '0-0': header });

  const report = await seal(storesOver(memory));

  expect(report).toMatchObject({ recordings: 0, losses: 0 });
  expect(names(await lakeRecords(memory)).filter((name) => name === 'StoreRecording')).toHaveLength(1);
  expect([...memory.journal.keys()].filter((key) => key.startsWith('spool/'))).toEqual([]);
});

test('a shell of which nothing was kept is reported, once', async () => {
  const memory = await silentAfter(sessionStart(one), shellOpened(one, 'c1'), shellOpened(one, 'c2'));
  spooled(memory, 'c2', { '0-0': header });

  const report = await seal(storesOver(memory));

  expect(report).toMatchObject({ recordings: 1, losses: 1 });
  expect(lossesIn(await lakeRecords(memory))).toMatchObject([
    {
      requestParameters: {
        subject: 'recording',
        subjectSessionId: one,
        reason: 'the gateway was lost before anything of the recording of c1 was kept',
      },
      additionalEventData: { proxyId: 'p-eu1-a' },
    },
  ]);
});

test('a recording that cannot be read is reported and stays where it is, and the others go on', async () => {
  const memory = await silentAfter(sessionStart(one), shellOpened(one, 'c1'), shellOpened(one, 'c2'));
  spooled(memory, 'c1', { '0-0': header, '2-0': '[1.000, "o", "c"]\n' });
  spooled(memory, 'c2', { '0-0': header });

  const report = await seal(storesOver(memory));

  expect(report).toMatchObject({ outcome: 'sealed', recordings: 1, losses: 1, lostSessions: 1 });
  expect(lossesIn(await lakeRecords(memory))[0]?.requestParameters['reason']).toContain('damaged at chunk 1');
  expect([...memory.journal.keys()].filter((key) => key.startsWith('spool/'))).toEqual([
    `spool/${one}/c1/head.json`,
    `spool/${one}/c1/0-0.cast`,
    `spool/${one}/c1/2-0.cast`,
  ]);
});

test('a recording that cannot be stored now leaves everything for the next try, and nothing is said to be lost', async () => {
  const memory = await silentAfter(sessionStart(one), shellOpened(one));
  spooled(memory, 'c1', { '0-0': header });
  const stores = storesOver(memory, {
    before({ name, key }) {
      if (name === 'evidence.put' && key.startsWith('recordings/')) throw new Error('SlowDown');
    },
  });

  await expect(seal(stores)).rejects.toMatchObject({ name: 'RecorderError', code: 'store' });
  const report = await seal(storesOver(memory));

  expect(report).toMatchObject({ outcome: 'sealed', recordings: 1, losses: 0 });
  expect(await verified(memory)).toMatchObject({ ok: true });
});

test('a sink that is down leaves the stream to the next run, which does only that', async () => {
  const memory = await silentAfter(sessionStart(one), command('a', one));
  const sink = keepingSink();
  const down = { name: 'bus', deliver: () => Promise.reject(new Error('the bus is down')) };

  const first = await seal(storesOver(memory), { sinks: [down], closeWithinMs: 20 });
  const second = await seal(storesOver(memory), { sinks: [sink] });

  expect(first).toMatchObject({ outcome: 'undelivered', lostSessions: 1 });
  expect(first.undelivered[0]).toContain('the bus is down');
  expect(second).toMatchObject({ outcome: 'sealed', lostSessions: 0 });
  expect(sink.records).toEqual(await lakeRecords(memory));
});

test('a sink that never answers does not hold the sealing up', async () => {
  const memory = await silentAfter(command('a'));
  const stuck = { name: 'bus', deliver: () => new Promise<void>(() => undefined) };

  const report = await seal(storesOver(memory), { sinks: [stuck], closeWithinMs: 20 });

  expect(report).toMatchObject({ outcome: 'undelivered' });
  expect(await lakeRecords(memory)).toHaveLength(2);
});

test('sessions that have their end keep it', async () => {
  const memory = await silentAfter(sessionStart(one), sessionEnd(one));

  await seal(storesOver(memory));

  expect(names(await lakeRecords(memory))).toEqual(['StartProxy', 'StartSession', 'EndSession']);
});

test('the spool finds what it has of the sessions it is asked for, and of no other', async () => {
  const memory = memoryStores();
  spooled(memory, 'c1', { '0-0': header });
  spooled(memory, 'c10', { '0-0': header });
  memory.journal.set(`spool/${session('2')}/c1/head.json`, Buffer.from('{}'));
  memory.journal.set(`spool/${one}/c3/0-0.cast`, Buffer.from(header));
  memory.journal.set(`spool/${one}/x/head.json`, Buffer.from('{}'));
  const calls: string[] = [];
  const spool = createObjectSpool({
    ...storesOver(memory, { before: ({ name, key }) => void calls.push(`${name} ${key}`) }),
    now: () => atMs,
  });

  const found = await Array.fromAsync(spool.unfinishedOf([one, sessionId(`s-${'8'.repeat(32)}`)]));

  expect(found.map(({ channel }) => channel)).toEqual(['c1', 'c10']);
  expect(calls).toEqual([`journal.list spool/${one}/`, `journal.list spool/s-${'8'.repeat(32)}/`]);
});

function liveSession() {
  return {
    sessionId: one,
    identity: 'alice@example.com',
    principalId: 'AROAEXAMPLE:alice@example.com',
    login: 'ec2-user',
    target: 'pay-api-3',
    sourceIp: '203.0.113.9',
    userAgent: 'SSH-2.0-OpenSSH_9.9',
    mfa: true,
    mfaMethod: 'totp',
    startedAtMs: atMs,
    state: 'open',
  } as const;
}
