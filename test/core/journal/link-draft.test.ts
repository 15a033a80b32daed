import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { verifyLine } from '#core/chain';
import { endSession, executeCommand, startSession } from '#core/event';
import { JournalError, linkDraft, positionAfter, streamStart, trackOpenSessions } from '#core/journal';
import { origin } from '../chain/sample-chain.ts';
import { atMs, sessionFacts } from '../event/sample-facts.ts';

const source = { origin, proxyId: 'p-eu1-a', randomBytes };
const draft = executeCommand(sessionFacts, atMs, { command: 'uptime', commandSource: 'exec' });

test('a draft becomes the record at its position, with the name of who wrote it', () => {
  const { line, record } = linkDraft(streamStart('gateway'), draft, atMs, source);

  const verified = verifyLine(Buffer.from(line));
  expect(verified).toMatchObject({ ok: true, record: { chain: { stream: 'gateway', seq: 1 } } });
  expect(record.additionalEventData).toMatchObject({
    proxyId: 'p-eu1-a',
    ingestTime: new Date(atMs).toISOString(),
  });
  expect(verified.record && positionAfter(verified.record)).toMatchObject({ seq: 2 });
});

test.each([
  ['takes a name of the chain', { ...draft, additionalEventData: { chainHash: 'x' } }],
  ['has no canonical form', { ...draft, requestParameters: { command: '\ud800' } }],
  ['is longer than any line that is read', { ...draft, requestParameters: { command: 'x'.repeat(600_000) } }],
])('a draft is refused that %s', (_name, bad) => {
  const linking = () => linkDraft(streamStart('gateway'), bad, atMs, source);

  expect(linking).toThrow(JournalError);
  expect(linking).toThrow(expect.objectContaining({ code: 'invalid' }));
});

test('the oldest session that is open is known while sessions come and go', () => {
  const sessions = trackOpenSessions([]);
  const ended = {
    endReason: 'TargetClosed',
    bytesIn: 0,
    bytesOut: 0,
    seconds: 0,
    channels: 0,
    recordings: 0,
  } as const;
  const of = (digit: string) => ({ ...sessionFacts, sessionId: `s-${digit.repeat(32)}` });
  const seqs: number[] = [sessions.oldestSeq()];
  let position = streamStart('gateway');
  for (const each of [
    draft,
    startSession(of('1'), atMs),
    startSession(of('2'), atMs),
    endSession(of('1'), atMs, ended),
    endSession(of('2'), atMs, ended),
  ]) {
    const { record, hash } = linkDraft(position, each, atMs, source);
    position = { stream: 'gateway', seq: position.seq + 1, previousHash: hash };
    sessions.note([record]);
    seqs.push(sessions.oldestSeq());
  }

  expect(seqs).toEqual([1, 2, 2, 2, 3, 6]);
});
