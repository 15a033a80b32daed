import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import type { AuditRecord } from '#core/contract';
import type { StreamStores } from '../../../../adapters/aws/journal/object-journal.ts';
import { createObjectSpool } from '../../../../adapters/aws/journal/object-spool.ts';
import {
  type Around,
  jittered,
  killedAt,
  type MemoryStores,
  memoryStores,
  storesOver,
} from './memory-stores.ts';
import {
  atMs,
  codeOf,
  command,
  journalOver,
  keepingSink,
  lakeRecords,
  numbers,
  proxyId,
  seal,
  session,
  sessionEnd,
  sessionStart,
  shellOpened,
  started,
  verified,
} from './sample-stream.ts';

const header = '{"version":3,"term":{"cols":80,"rows":24},"timestamp":1795169730}\n';

/** A gateway with sessions that end and sessions that do not, until its stores fail. */
async function live(stores: StreamStores, sink = keepingSink()): Promise<readonly AuditRecord[]> {
  const acknowledged: AuditRecord[] = [];
  const record = async (journal: Awaited<ReturnType<typeof journalOver>>, draft: typeof started) =>
    void acknowledged.push(await journal.record(draft));
  try {
    const journal = await journalOver(stores, { sealAfterBytes: 6000, sinks: [sink] });
    await record(journal, started);
    for (const digit of ['1', '2', '3']) {
      const id = session(digit);
      await record(journal, sessionStart(id));
      await stores.control.put('session', id, liveSession(id), { kind: 'any' });
    }
    await record(journal, shellOpened(session('1')));
    const spool = createObjectSpool({ ...stores, flushMs: 1, now: () => atMs });
    const head = {
      sessionId: session('1'),
      channel: 'c1',
      kind: 'shell',
      startedAtMs: atMs,
      columns: 80,
      rows: 24,
      term: 'xterm',
    } as const;
    await spool.begin(head);
    await spool.append(head, 0, Buffer.from(`${header}[1.000, "o", "a"]\n`));
    await Promise.all(['a', 'b', 'c'].map((text) => record(journal, command(text, session('2')))));
    await record(journal, sessionEnd(session('2')));
    await stores.control.delete('session', session('2'));
    await journal.sealNow();
    await Promise.all(['d', 'e'].map((text) => record(journal, command(text, session('3')))));
    await new Promise((resolve) => setTimeout(resolve, 2));
  } catch {
    // It was killed.
  }
  return acknowledged;
}

function liveSession(id: string) {
  return {
    sessionId: id,
    identity: 'alice@example.com',
    principalId: 'AROAEXAMPLE:alice@example.com',
    login: 'ec2-user',
    target: 'pay-api-3',
    sourceIp: '203.0.113.9',
    userAgent: 'SSH-2.0-OpenSSH_9.9',
    mfa: true,
    mfaMethod: 'totp',
    startedAtMs: atMs,
    proxyId,
    state: 'open',
  } as const;
}

/**
 * Positions without a writer may stay, and one who was fenced off may still be writing its own: they expire, and whoever goes
 * by an old one delivers again.
 */
const positions = 'delivery ';

/** What must hold whatever happened: nothing acknowledged is missing or doubled, and nothing is left to do. */
async function expectWhole(
  memory: MemoryStores,
  acknowledged: readonly AuditRecord[],
  left: readonly string[] = [],
): Promise<void> {
  const verification = await verified(memory);
  expect(verification.problems).toEqual([]);
  const records = await lakeRecords(memory);
  const ids = records.map(({ eventID }) => eventID);
  expect(new Set(ids).size).toBe(ids.length);
  expect(acknowledged.filter(({ eventID }) => !ids.includes(eventID))).toEqual([]);
  const { started: begun, ended, live: open } = verification.sessions;
  expect({ ended, open }).toEqual({ ended: begun, open: 0 });
  const stored = records.filter(({ eventName }) => eventName === 'StoreRecording');
  expect(new Set(stored.map(({ requestParameters }) => requestParameters['recordingId'])).size).toBe(
    stored.length,
  );
  expect([...memory.control.keys()].filter((key) => !left.some((kind) => key.startsWith(kind)))).toEqual([]);
  expect([...memory.journal.keys()].filter((key) => key.startsWith('spool/'))).toEqual([]);
}

/** In the order of the stream, each at least once. */
function expectDelivered(all: readonly AuditRecord[], delivered: readonly AuditRecord[]): void {
  const seen = new Set<number>();
  const first = numbers(delivered).filter((seq) => !seen.has(seq) && seen.add(seq));
  expect(first).toEqual(numbers(all));
}

async function callsOf(work: (around: Around) => Promise<unknown>): Promise<number> {
  const counting = killedAt(Number.POSITIVE_INFINITY, 'before');
  await work(counting);
  return counting.calls();
}

describe.each(['before', 'after'] as const)(
  'a gateway that is killed %s any of its calls takes effect',
  (when) => {
    test('loses nothing acknowledged, and each of its sessions ends once', async () => {
      const calls = await callsOf((around) => live(storesOver(memoryStores(), around)));
      expect(calls).toBeGreaterThan(20);

      for (let n = 1; n <= calls; n += 1) {
        const memory = memoryStores();
        const sink = keepingSink();
        const acknowledged = await live(storesOver(memory, killedAt(n, when)), sink);
        await nextTurn();

        await seal(storesOver(memory), { sinks: [sink] });

        await expectWhole(memory, acknowledged);
        expectDelivered(await lakeRecords(memory), sink.records);
      }
    });

    test('is sealed by whoever comes next, though the one before was killed at any call too', async () => {
      const lost = memoryStores();
      const acknowledged = await live(storesOver(lost));
      const copy = (): MemoryStores => ({
        journal: new Map(lost.journal),
        evidence: new Map(lost.evidence),
        control: new Map(lost.control),
      });
      const calls = await callsOf((around) => seal(storesOver(copy(), around), { sinks: [keepingSink()] }));
      expect(calls).toBeGreaterThan(20);

      for (let n = 1; n <= calls; n += 1) {
        const memory = copy();
        const sink = keepingSink();
        await seal(storesOver(memory, killedAt(n, when)), { sinks: [sink], closeWithinMs: 20 }).catch(
          () => undefined,
        );
        await nextTurn();

        await seal(storesOver(memory), { sinks: [sink] });

        await expectWhole(memory, acknowledged, [positions]);
      }
    });
  },
);

test('two who seal the same stream at once double nothing', async () => {
  for (let seed = 1; seed <= 30; seed += 1) {
    const memory = memoryStores();
    const sink = keepingSink();
    const acknowledged = await live(storesOver(memory), sink);

    const sealing = [1, 2, 3].map((n) =>
      seal(storesOver(memory, jittered(seed * 10 + n)), { sinks: [sink] }),
    );
    const outcomes = await Promise.allSettled(sealing);
    await seal(storesOver(memory), { sinks: [sink] });

    const faults = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason] : []));
    expect(faults.filter((fault) => codeOf(fault) !== 'fenced')).toEqual([]);
    expect(faults.length).toBeLessThan(3);
    await expectWhole(memory, acknowledged, [positions]);
    const ends = (await lakeRecords(memory)).filter(({ eventName }) => eventName === 'EndSession');
    expect(ends).toHaveLength(3);
  }
});

test('a gateway that lives while it is taken over is fenced off, and the chain has no fork', async () => {
  let fenced = 0;
  for (let seed = 1; seed <= 30; seed += 1) {
    const memory = memoryStores();
    const acknowledged: AuditRecord[] = [];
    const faults: unknown[] = [];
    const journal = await journalOver(storesOver(memory, jittered(seed)), {
      sealAfterBytes: seed % 2 === 0 ? 3000 : 60_000,
      onFault: (error) => faults.push(codeOf(error)),
    });
    await journal.record(started);
    const ids = ['1', '2'].map(session);
    for (const id of ids) acknowledged.push(await journal.record(sessionStart(id)));
    const working = (async () => {
      for (let i = 0; ; i += 1) {
        acknowledged.push(await journal.record(command(`${i}`, ids[i % 2])));
        for (let turn = (seed * i * 37) % 300; turn > 0; turn -= 1) await nextTurn();
      }
    })();
    const stopped = working.catch((error: unknown) => codeOf(error));
    for (let turn = 0; turn < seed; turn += 1) await nextTurn();

    // Whoever takes a living writer for dead may lose against it for a while.
    for (;;) {
      const outcome = await seal(storesOver(memory, jittered(seed + 1000))).catch((error: unknown) => {
        if (codeOf(error) !== 'fenced') throw error;
        return undefined;
      });
      if (outcome !== undefined) break;
    }

    expect(await stopped).toBe('fenced');
    fenced += faults.filter((code) => code === 'fenced').length;
    await expectWhole(memory, acknowledged);
  }
  expect(fenced).toBe(30);
});
