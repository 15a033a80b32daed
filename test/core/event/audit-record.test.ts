import fc from 'fast-check';
import { expect, test } from 'vitest';
import { link } from '#core/chain';
import type { AuditDraft, AuditRecord } from '#core/contract';
import {
  closeLostSessions,
  endSession,
  findLostSessions,
  parseAuditRecord,
  startProxy,
  startSession,
  stopProxy,
  storeLostRecording,
  toAuditRecord,
  uuidV7,
} from '#core/event';
import { atMs, sessionFacts } from './sample-facts.ts';

const origin = {
  eventSource: 'ssh-proxy.example.com',
  awsRegion: 'eu-central-1',
  recipientAccountId: '111122223333',
};
const frame = { eventId: '01937c2e-7b1e-7cc0-9d2a-3f6f0d5f5a11', origin, ingestTimeMs: atMs + 3 };
const proxy = { proxyId: 'p-eu1-a', version: '0.1.0' };
const ended = {
  endReason: 'TargetClosed',
  bytesIn: 0,
  bytesOut: 0,
  seconds: 0,
  channels: 0,
  recordings: 0,
} as const;

test('a draft becomes a record in the shape of CloudTrail', () => {
  const record = toAuditRecord(startSession(sessionFacts, atMs), frame);

  expect(record).toMatchObject({
    eventVersion: '1.0',
    eventID: frame.eventId,
    eventTime: '2026-11-20T10:15:30.412Z',
    eventSource: 'ssh-proxy.example.com',
    eventName: 'StartSession',
    eventCategory: 'ActivityAuditLog',
    eventType: 'ActivityLog',
    awsRegion: 'eu-central-1',
    recipientAccountId: '111122223333',
    readOnly: false,
  });
  expect(record.additionalEventData).toMatchObject({
    eventTimeMs: String(atMs),
    ingestTime: '2026-11-20T10:15:30.415Z',
  });
  expect(record).not.toHaveProperty('errorCode');
});

test('a written record is read back as it was', () => {
  const unlinked = toAuditRecord(startSession(sessionFacts, atMs), frame);
  const { record, line } = link({ stream: 'gateway', seq: 1, previousHash: '0'.repeat(64) }, unlinked);

  expect(parseAuditRecord(Buffer.from(line))).toEqual(record);
});

test('no bytes make the record parser fall', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.json().map((json) => Buffer.from(json)),
      ),
      (bytes) => {
        expect(parseAuditRecord(bytes)).toBeUndefined();
      },
    ),
  );
});

test('a UUID of version 7 carries the time and sorts by it', () => {
  const random = Uint8Array.from({ length: 10 }, () => 0xff);

  expect(uuidV7(0x01937c2e7b1e, random)).toBe('01937c2e-7b1e-7fff-bfff-ffffffffffff');
  expect(uuidV7(1, random) < uuidV7(2, new Uint8Array(10))).toBe(true);
  expect(() => uuidV7(1, new Uint8Array(9))).toThrow(RangeError);
});

function records(...drafts: readonly Parameters<typeof toAuditRecord>[0][]): readonly AuditRecord[] {
  return drafts.map((draft) => toAuditRecord(draft, frame));
}

async function* newestFirst(oldestFirst: readonly AuditRecord[]) {
  yield* oldestFirst.toReversed();
}

test('sessions without an end are found, in the order in which they started', async () => {
  const one = { ...sessionFacts, sessionId: 's-1' };
  const two = { ...sessionFacts, sessionId: 's-2' };
  const three = { ...sessionFacts, sessionId: 's-3' };
  const trail = records(
    startProxy(proxy, atMs, { listen: [], tornBytes: 0, lostSessions: 0 }),
    startSession(one, atMs),
    startSession(two, atMs),
    endSession(two, atMs, ended),
    startSession(three, atMs),
  );

  const lost = await findLostSessions(newestFirst(trail));

  expect(lost.map((record) => record.additionalEventData['sessionId'])).toEqual(['s-1', 's-3']);
});

async function lostIn(...drafts: AuditDraft[]): Promise<number> {
  return (await findLostSessions(newestFirst(records(...drafts)))).length;
}

test('the search ends at a clean stop, and at the second start of a gateway', async () => {
  const begun = startProxy(proxy, atMs, { listen: [], tornBytes: 0, lostSessions: 0 });
  const stopped = stopProxy(proxy, atMs, { reason: 'signal', seconds: 1 });
  const session = startSession(sessionFacts, atMs);

  expect(await lostIn(session, stopped)).toBe(0);
  expect(await lostIn(session, stopped, begun)).toBe(0);
  expect(await lostIn(session, begun, begun)).toBe(0);
  // An engineer was in before the gateway had said that it started.
  expect(await lostIn(begun, session, begun)).toBe(1);
});

test('the end of a lost session says whose it was and that the proxy was lost', () => {
  const unlinked = toAuditRecord(startSession(sessionFacts, atMs), frame);
  const { record } = link({ stream: 'gateway', seq: 1, previousHash: '0'.repeat(64) }, unlinked);

  const [end] = closeLostSessions([record], atMs + 9000);

  expect(end).toMatchObject({
    eventName: 'EndSession',
    eventTimeMs: atMs + 9000,
    userIdentity: record.userIdentity,
    requestParameters: record.requestParameters,
    responseElements: { endReason: 'ProxyLost' },
    additionalEventData: { sessionId: sessionFacts.sessionId, startEventId: frame.eventId },
  });
  expect(Object.keys(end?.additionalEventData ?? {}).filter((name) => /^(chain|ingest)/.test(name))).toEqual(
    [],
  );
});

test('a recording that was completed after a kill belongs to its lost session', () => {
  const unlinked = toAuditRecord(startSession(sessionFacts, atMs), frame);
  const { record } = link({ stream: 'gateway', seq: 1, previousHash: '0'.repeat(64) }, unlinked);

  const draft = storeLostRecording(record, atMs, {
    recordingId: `${sessionFacts.sessionId}/c1`,
    key: 'recordings/dt=2026-11-20/s/c1/manifest.json',
    manifestSha256: 'a'.repeat(64),
    seconds: 2,
    bytes: 100,
    truncated: false,
  });

  expect(draft).toMatchObject({
    eventName: 'StoreRecording',
    userIdentity: record.userIdentity,
    responseElements: { recordingSha256: 'a'.repeat(64), recordingSeconds: '2' },
    requestParameters: { target: 'pay-api-3', recordingId: `${sessionFacts.sessionId}/c1` },
    additionalEventData: { sessionId: sessionFacts.sessionId },
  });
  expect(Object.keys(draft.additionalEventData).filter((name) => name.startsWith('chain'))).toEqual([]);
});
