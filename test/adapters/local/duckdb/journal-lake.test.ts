import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished } from 'vitest';
import { openDuckDbEngine, openJournal, openSegmentFiles } from '../../../../adapters/local/index.ts';
import { streamName } from '../../../../core/contract/index.ts';
import { endSession, type SessionFacts, startSession } from '../../../../core/event/index.ts';
import { allRows } from './sample-lake.ts';

const sessionId = `s-${'a'.repeat(32)}`;
const facts: SessionFacts = {
  sessionId,
  sourceIp: '203.0.113.9',
  sourcePort: 50_000,
  userAgent: 'SSH-2.0-OpenSSH_9.9',
  proxyId: 'gateway-1',
  identity: { name: 'alice', principalId: 'local:alice', type: 'LocalUser' },
  login: 'deploy',
  target: { name: 'web-1', host: '192.0.2.10', port: 22, labels: { env: 'prod', role: 'db' } },
  authMethod: 'publickey',
  keyFingerprint: 'SHA256:abc',
  mfa: { verified: false, method: 'none' },
  policyId: 'p-1',
};

it("reads the journal's own files: an event is there once it is durable, and once, before and after sealing", async () => {
  const directory = await mkdtemp(join(tmpdir(), 'sshtrail-journal-lake-'));
  onTestFinished(() => rm(directory, { recursive: true, force: true }));
  const journal = await openJournal({
    directory,
    stream: streamName('gateway-1'),
    origin: { eventSource: 'ssh-proxy.example.com', awsRegion: 'local', recipientAccountId: '123456789012' },
    proxyId: 'gateway-1',
    now: Date.now,
    randomBytes: (count) => randomBytes(count),
    onFault: () => {},
  });
  onTestFinished(() => journal.close());
  const engine = await openDuckDbEngine({ dataDirectory: directory, openSegmentFiles });
  onTestFinished(() => engine.close());
  const sessions = () =>
    allRows(
      engine,
      'SELECT session_id, user_name, target_name, target_user, mfa, still_open, end_reason, target_labels FROM sessions',
    );
  const expected = {
    session_id: sessionId,
    user_name: 'alice',
    target_name: 'web-1',
    target_user: 'deploy',
    mfa: false,
    target_labels: 'env=prod,role=db',
  };

  await journal.record(startSession(facts, Date.now()));
  const open = await sessions();
  await journal.sealNow();
  const sealed = await sessions();
  await journal.record(
    endSession(facts, Date.now(), {
      endReason: 'Revoked',
      bytesIn: 1,
      bytesOut: 2,
      seconds: 3,
      channels: 1,
      recordings: 0,
    }),
  );
  const ended = await sessions();

  expect(open).toEqual([{ ...expected, still_open: true, end_reason: null }]);
  expect(sealed).toEqual(open);
  expect(ended).toEqual([{ ...expected, still_open: false, end_reason: 'Revoked' }]);
});
