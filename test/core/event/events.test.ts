import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type AccessRequest, type AuditDraft, type EventName, eventNames } from '#core/contract';
import type { AccessActor } from '#core/event';
import * as event from '#core/event';
import { grantOf } from '../../../core/grant/access-request.ts';
import { atMs, sessionFacts, unprovenAttempt } from './sample-facts.ts';

const refused = {
  errorCode: 'AccessDenied',
  denyReason: 'no-policy-allows',
  message: 'ask for access',
} as const;
const forward = { forwardType: 'local', host: 'db.example.com', port: 5432 } as const;
const run = { runbookId: 'SSH-002', runId: 'run-1', mode: 'live', trigger: 'schedule' } as const;
const proxy = { proxyId: 'p-eu1-a', version: '0.1.0' };
const lock = {
  lockId: `l-${'1'.repeat(32)}`,
  selector: {
    identity: 'alice',
    keyFingerprint: sessionFacts.keyFingerprint,
    certificateSerial: '7',
    sessionId: sessionFacts.sessionId,
    target: 'pay-api-3',
    login: 'ec2-user',
    source: '203.0.113.0/24',
  },
  message: 'call the security desk',
  author: 'carol',
  createdAtMs: atMs,
  expiresAtMs: atMs + 3_600_000,
};
const finding = { findingKey: 's-1', sessionId: sessionFacts.sessionId };

const ofSession: Partial<Record<EventName, AuditDraft>> = {
  StartSession: event.startSession(sessionFacts, atMs),
  EndSession: event.endSession(sessionFacts, atMs, {
    endReason: 'ClientDisconnect',
    bytesIn: 10,
    bytesOut: 2000,
    seconds: 1.5,
    channels: 1,
    recordings: 1,
  }),
  AuthenticateUser: event.authenticateUser(sessionFacts, atMs, { kind: 'success' }),
  ChallengeMfa: event.challengeMfa(sessionFacts, atMs, { method: 'totp', outcome: 'passed' }),
  AuthenticateTarget: event.authenticateTarget(sessionFacts, atMs, {
    egressIp: '192.0.2.5',
    egressPort: 49_116,
    method: 'certificate',
    outcome: { kind: 'ok' },
  }),
  VerifyHostKey: event.verifyHostKey(sessionFacts, atMs, {
    keyType: 'ssh-ed25519',
    fingerprint: 'SHA256:abc',
    trust: 'pinned',
    outcome: 'ok',
  }),
  IssueCertificate: event.issueCertificate(sessionFacts, atMs, {
    keyId: 'sshtrail:s-1:alice',
    serial: 2n ** 64n - 1n,
    principals: ['ec2-user'],
    validToMs: atMs + 60_000,
  }),
  DenyAccess: event.denyAccess(sessionFacts, atMs, refused),
  AmendCommand: event.amendCommand(sessionFacts, atMs, {
    channelId: 'c1',
    number: 3,
    command: 'for i in 1 2\ndo echo $i; done',
    aborted: false,
  }),
  ExecuteCommand: event.executeCommand(sessionFacts, atMs, {
    command: Buffer.from('id'),
    commandSource: 'exec',
  }),
  OpenShell: event.openShell(sessionFacts, atMs, { channelId: 'c1', term: 'xterm', columns: 80, rows: 24 }),
  CompleteCommand: event.completeCommand(sessionFacts, atMs, {
    channelId: 'c1',
    channel: 'exec',
    exitStatus: 7,
    bytesIn: 0,
    bytesOut: 8,
    seconds: 0.25,
  }),
  OpenSubsystem: event.openSubsystem(sessionFacts, atMs, { name: 'sftp' }),
  TransferFile: event.transferFile(sessionFacts, atMs, {
    channelId: 'c1',
    channel: 'subsystem',
    protocol: 'sftp',
    operation: 'transfer',
    request: 'OPEN',
    direction: 'upload',
    path: Buffer.from('../x'),
    newPath: Buffer.from('/y'),
    resolvedPath: Buffer.from('/home/x'),
    attributes: 'mode=0644',
    outcome: 'Failure',
    bytesRead: 0,
    bytesWritten: 5,
    sha256: 'a'.repeat(64),
    sha256Status: 'whole',
    status: { code: 4, text: Buffer.from('Failure') },
    reason: 'malformed',
    seconds: 0.5,
  }),
  OpenPortForward: event.openPortForward(sessionFacts, atMs, { forward }),
  ClosePortForward: event.closePortForward(sessionFacts, atMs, {
    forward,
    bytesIn: 1,
    bytesOut: 2,
    seconds: 3,
  }),
  RequestAgentForwarding: event.requestAgentForwarding(sessionFacts, atMs),
  RequestX11Forwarding: event.requestX11Forwarding(sessionFacts, atMs, { singleConnection: true, screen: 0 }),
  OpenAgentChannel: event.openAgentChannel(sessionFacts, atMs),
  OpenX11Channel: event.openX11Channel(sessionFacts, atMs, {
    originatorIp: '127.0.0.1',
    originatorPort: 49_200,
  }),
  SetEnvironment: event.setEnvironment(sessionFacts, atMs, {
    channelId: 'c1',
    name: 'LANG',
    value: Buffer.from('C.UTF-8'),
    valueBytes: 7,
  }),
  ReportSessionUsage: event.reportSessionUsage(sessionFacts, atMs, {
    bytesIn: 12,
    bytesOut: 3400,
    seconds: 60,
    lastInputAtMs: atMs - 1000,
  }),
  StoreRecording: event.storeRecording(sessionFacts, atMs, {
    recordingId: `${sessionFacts.sessionId}/c1`,
    key: 'recordings/dt=2026-11-20/s/c1/manifest.json',
    manifestSha256: 'a'.repeat(64),
    seconds: 2,
    bytes: 100,
  }),
};

const accessRequest: AccessRequest = {
  id: `r-${'1'.repeat(32)}`,
  identity: 'alice',
  target: { name: 'pay-api-3', host: '192.0.2.17', port: 22, labels: { env: 'prod' } },
  login: 'deploy',
  actions: ['*'],
  reason: 'restore the index',
  ticket: 'INC-421',
  askedAtMs: atMs - 60_000,
  expiresAtMs: atMs + 60_000,
  forMs: 3_600_000,
  needed: 1,
  state: 'waiting',
  approvals: [],
  breakGlass: false,
};
const bob: AccessActor = {
  kind: 'hand',
  identity: { name: 'bob', principalId: 'bob', type: 'LocalUser' },
  account: 'operator',
};
const grant = grantOf(accessRequest);

const ofServices: Partial<Record<EventName, AuditDraft>> = {
  EnrollFactor: event.enrollFactor('carol', atMs, {
    identity: 'alice',
    recoveryCodes: 10,
    replaced: false,
    active: false,
  }),
  ConfirmFactor: event.confirmFactor('carol', atMs, { identity: 'alice', denyReason: 'wrong' }),
  RemoveFactor: event.removeFactor('carol', atMs, { identity: 'alice', reason: 'lost the phone' }),
  RequestAccess: event.requestAccess({ kind: 'login', attempt: unprovenAttempt }, atMs, accessRequest),
  ApproveRequest: event.approveRequest(bob, atMs, { request: accessRequest, reason: 'fine', grant }),
  RejectRequest: event.rejectRequest(bob, atMs, { request: accessRequest, reason: 'not now' }),
  CancelRequest: event.cancelRequest(bob, atMs, { request: accessRequest, reason: 'done' }),
  ExpireRequest: event.expireRequest('p-eu1-a', atMs, accessRequest),
  UseBreakGlass: event.takeByBreakGlass(bob, atMs, { request: accessRequest, grant }),
  RevokeSession: event.revokeSession(sessionFacts, atMs, { by: 'runbook/SSH-002', why: 'no second factor' }),
  JoinSession: event.joinSession(
    'carol',
    atMs,
    {
      sessionId: sessionFacts.sessionId,
      identity: 'alice',
      principalId: 'AIDAEXAMPLE',
      login: 'ec2-user',
      target: 'web-1',
      sourceIp: '203.0.113.7',
    },
    'c1',
  ),
  DetectCondition: event.detectCondition(run, atMs, {
    key: 's-1',
    title: 'session without MFA',
    severity: 'high',
    columns: { session_id: sessionFacts.sessionId, user_name: 'alice' },
  }),
  SuppressFinding: event.suppressFinding(run, atMs, { ...finding, reason: 'seen before' }),
  StartRunbook: event.startRunbook(run, atMs, { fromMs: atMs - 300_000, toMs: atMs }),
  ExecuteRunbookStep: event.executeRunbookStep(run, atMs, {
    ...finding,
    step: 0,
    action: 'session.revoke',
    outcome: 'done',
    detail: 'revoked',
  }),
  RequestStepApproval: event.requestStepApproval(run, atMs, {
    ...finding,
    step: 1,
    action: 'principal.lock',
    reason: 'needs two people',
  }),
  CompleteRunbook: event.completeRunbook(run, atMs, {
    outcome: 'succeeded',
    findings: 1,
    actionsDone: 1,
    actionsWaiting: 1,
    actionsFailed: 0,
    seconds: 0.2,
  }),
  CreateLock: event.createLock({ kind: 'person', name: 'carol' }, atMs, lock),
  DeleteLock: event.deleteLock(
    { kind: 'runbook', runbookId: 'SSH-005' },
    atMs,
    lock,
    'it could not be stored',
  ),
  PutPolicy: event.putPolicy(proxy, atMs, {
    by: 'carol',
    files: ['policy.cedar'],
    sha256: 'b'.repeat(64),
    previousSha256: 'a'.repeat(64),
    added: ['prod-ops'],
    removed: [],
    changed: ['no-root', 'staging'],
  }),
  UpdateConfiguration: event.updateConfiguration(proxy, atMs, {
    by: 'carol',
    key: 'mfa.graceSeconds',
    newValue: '0',
  }),
  StartProxy: event.startProxy(proxy, atMs, { listen: ['127.0.0.1:2222'], tornBytes: 0, lostSessions: 0 }),
  OpenJump: event.openJump(unprovenAttempt, atMs),
  CloseJump: event.closeJump(unprovenAttempt, atMs, { sessions: 2, seconds: 60, reason: 'disconnected' }),
  StopProxy: event.stopProxy(proxy, atMs, { reason: 'signal', seconds: 10 }),
  RefuseConnection: event.refuseConnections(proxy, atMs, {
    sourceIp: '203.0.113.9',
    counts: [
      { reason: 'login-timeout', count: 2 },
      { reason: 'starting-too-fast', count: 40 },
    ],
    sinceMs: atMs - 60_000,
  }),
  QueryAuditLog: event.queryAuditLog('carol', atMs, { query: 'permission denied', user: 'alice' }),
  ViewRecording: event.viewRecording('carol', atMs, {
    sessionId: 's-1',
    recordingId: 's-1/c1',
    key: 'recordings/1/manifest.json',
    fromSecond: 0,
  }),
  ExportEvidence: event.exportEvidence('carol', atMs, {
    sessionId: 's-1',
    recordingId: 's-1/c1',
    key: 'recordings/1/manifest.json',
    fromSecond: 12.5,
    format: 'html',
  }),
  ReportAuditLoss: event.reportAuditLoss(proxy, atMs, { subject: 'recording', reason: 'disk full' }),
};

const all = { ...ofSession, ...ofServices };

test('there is a builder for every event name', () => {
  expect(Object.keys(all).sort()).toEqual([...eventNames].sort());
  for (const [name, draft] of Object.entries(all)) expect(draft.eventName).toBe(name);
});

test.each(Object.entries(ofSession))(
  '%s repeats session, identity, target, login, second factor and time',
  (_, draft) => {
    expect(draft.userIdentity).toMatchObject({
      type: 'AssumedRole',
      principalId: 'AROAEXAMPLE:alice@example.com',
      userName: 'alice@example.com',
      accountId: '111122223333',
      sessionContext: { attributes: { mfaAuthenticated: 'true', creationDate: '2026-11-20T10:14:28.412Z' } },
    });
    expect(draft.requestParameters).toMatchObject({
      target: 'pay-api-3',
      targetHost: '192.0.2.17',
      targetPort: '22',
      targetUser: 'ec2-user',
      targetLabels: 'env=prod,role=api',
    });
    expect(draft.additionalEventData).toMatchObject({
      sessionId: sessionFacts.sessionId,
      mfaAuthenticated: 'true',
      mfaMethod: 'totp',
      mfaAt: '2026-11-20T10:14:29.412Z',
      mfaAgeSeconds: '61',
      authMethod: 'certificate',
      keyFingerprint: sessionFacts.keyFingerprint,
      policyId: 'prod-ops',
      proxyId: 'p-eu1-a',
      sourcePort: '51234',
    });
    expect(draft).toMatchObject({
      eventTimeMs: atMs,
      sourceIPAddress: '203.0.113.9',
      userAgent: 'SSH-2.0-OpenSSH_9.9',
    });
  },
);

test.each(Object.entries(all))('%s has flat strings alone', (_, draft) => {
  for (const group of [draft.requestParameters, draft.responseElements, draft.additionalEventData])
    for (const value of Object.values(group)) expect(typeof value).toBe('string');
});

describe('refusals', () => {
  test('a refused command keeps its name and gets the code and the reason', () => {
    const draft = event.executeCommand(sessionFacts, atMs, {
      command: 'reboot',
      commandSource: 'exec',
      refused,
    });

    expect(draft).toMatchObject({
      eventName: 'ExecuteCommand',
      errorCode: 'AccessDenied',
      errorMessage: 'ask for access',
    });
    expect(draft.requestParameters['command']).toBe('reboot');
    expect(draft.additionalEventData['denyReason']).toBe('no-policy-allows');
  });

  test.each([
    ['shell', event.openShell(sessionFacts, atMs, { refused })],
    ['subsystem', event.openSubsystem(sessionFacts, atMs, { name: 'sftp', refused })],
    ['forward', event.openPortForward(sessionFacts, atMs, { forward, refused })],
    ['agent', event.requestAgentForwarding(sessionFacts, atMs, { refused })],
    ['X11', event.requestX11Forwarding(sessionFacts, atMs, { refused })],
    ['session', event.denyAccess(unprovenAttempt, atMs, refused)],
  ])('a refused %s is found by errorCode', (_, draft) => {
    expect(draft.errorCode).toBe('AccessDenied');
  });

  test('a changed host key, a target that refuses and one that is away have codes of their own', () => {
    const host = event.verifyHostKey(sessionFacts, atMs, {
      keyType: 'ssh-ed25519',
      fingerprint: 'SHA256:new',
      trust: 'pinned',
      outcome: 'mismatch',
      expected: ['SHA256:old'],
    });
    const target = (kind: 'refused' | 'unreachable') =>
      event.authenticateTarget(sessionFacts, atMs, {
        method: 'certificate',
        outcome: { kind, message: 'no' },
      });

    expect(host.errorCode).toBe('HostKeyMismatch');
    expect(host.requestParameters['expectedFingerprints']).toBe('SHA256:old');
    expect(target('refused').errorCode).toBe('TargetRefused');
    expect(target('unreachable').errorCode).toBe('TargetUnreachable');
  });
});

describe('logins that prove nothing', () => {
  test('carry the claimed name with the type Unknown, and a principal no proven one can be', () => {
    const draft = event.authenticateUser(unprovenAttempt, atMs, {
      kind: 'failure',
      errorCode: 'AuthenticationFailed',
      reason: 'unknown-key',
      message: 'register the key first',
    });

    expect(draft.userIdentity).toEqual({
      type: 'Unknown',
      principalId: 'unknown:root@pay-api-3',
      userName: 'root@pay-api-3',
    });
    expect(draft.errorCode).toBe('AuthenticationFailed');
    expect(draft.additionalEventData).toMatchObject({ mfaAuthenticated: 'false', denyReason: 'unknown-key' });
  });

  test('keep hostile bytes of the name, escaped and bounded', () => {
    const claimedUser = Buffer.concat([Buffer.from([0xff, 0x1b]), Buffer.alloc(5000, 0x41)]);

    const draft = event.authenticateUser({ ...unprovenAttempt, claimedUser }, atMs, { kind: 'success' });

    expect(draft.userIdentity.userName.startsWith('\\xff\u001bAAA')).toBe(true);
    expect(draft.userIdentity.userName).toHaveLength(256);
    expect(draft.additionalEventData).toMatchObject({
      claimedUserEscaped: 'true',
      claimedUserTruncated: 'true',
    });
  });

  test('name the identity where the key was proven and the second factor was not', () => {
    const attempt = { ...unprovenAttempt, identity: sessionFacts.identity, authMethod: 'publickey' } as const;

    const draft = event.challengeMfa(attempt, atMs, {
      method: 'totp',
      outcome: 'failed',
      reason: 'replayed-code',
    });

    expect(draft.userIdentity.principalId).toBe('AROAEXAMPLE:alice@example.com');
    expect(draft.errorCode).toBe('MfaFailed');
    expect(draft.additionalEventData['denyReason']).toBe('replayed-code');
  });
});

describe('commands', () => {
  test('stand whole up to 8 KiB, and with the hash of all of it beyond', () => {
    const command = Buffer.from(`echo ${'x'.repeat(20_000)}`);

    const long = event.executeCommand(sessionFacts, atMs, {
      command,
      commandSource: 'exec',
    }).requestParameters;
    const short = event.executeCommand(sessionFacts, atMs, {
      command: 'id',
      commandSource: 'exec',
    }).requestParameters;

    expect(long['command']).toHaveLength(8192);
    expect(long).toMatchObject({
      commandTruncated: 'true',
      commandBytes: '20005',
      commandSha256: createHash('sha256').update(command).digest('hex'),
    });
    expect(short).toMatchObject({ command: 'id', commandTruncated: 'false', channel: 'exec' });
  });

  test('of any bytes come back from the record', () => {
    const command = Buffer.from([0x6c, 0x73, 0x20, 0xc3, 0x28, 0x0a, 0x00, 0x5c]);

    const { requestParameters } = event.executeCommand(sessionFacts, atMs, {
      command,
      commandSource: 'exec',
    });

    const escaped = requestParameters['commandEscaped'] === 'true';
    expect(event.bytesOfEvidenceText(requestParameters['command'] ?? '', escaped)).toEqual(command);
  });
});

test('a label cannot pass for another one', () => {
  const target = { ...sessionFacts.target, labels: { note: 'a,env=prod' } };

  const draft = event.startSession({ ...sessionFacts, target }, atMs);

  expect(draft.requestParameters['targetLabels']).toBe('note=a%2Cenv%3Dprod');
});

test('error messages fit into CloudTrail Lake', () => {
  const draft = event.denyAccess(sessionFacts, atMs, { ...refused, message: 'ü'.repeat(400) });

  expect(Buffer.byteLength(draft.errorMessage ?? '')).toBeLessThanOrEqual(256);
});

test('a revocation is the act of its author, upon the session', () => {
  const byRunbook = event.revokeSession(sessionFacts, atMs, {
    by: 'runbook/SSH-002',
    why: 'no second factor',
  });
  const byPerson = event.revokeSession(sessionFacts, atMs, { by: 'carol', why: 'odd' });

  expect(byRunbook.userIdentity).toMatchObject({ type: 'ServiceIdentity', userName: 'runbook/SSH-002' });
  expect(byPerson.userIdentity).toMatchObject({ type: 'LocalUser', userName: 'carol' });
  expect(byRunbook.requestParameters).toMatchObject({
    sessionId: sessionFacts.sessionId,
    subjectName: 'alice@example.com',
    reason: 'no second factor',
  });
});

test('what a runbook says of a session is not taken for an event of the session', () => {
  for (const name of ['DetectCondition', 'ExecuteRunbookStep', 'RequestStepApproval'] as const)
    expect(all[name]?.additionalEventData['sessionId']).toBeUndefined();
  expect(all.ExecuteRunbookStep?.requestParameters['subjectSessionId']).toBe(sessionFacts.sessionId);
  expect(all.ExecuteRunbookStep?.userIdentity.userName).toBe('runbook/SSH-002');
});

test("a finding's columns are bounded and stay JSON", () => {
  const columns = Object.fromEntries(
    Array.from({ length: 1000 }, (_, i) => [`c${String(i).padStart(4, '0')}`, '"\u0000'.repeat(50)]),
  );

  const draft = event.detectCondition(run, atMs, { key: 'k', title: 't', severity: 'low', columns });

  const kept: unknown = JSON.parse(draft.responseElements['columns'] ?? '');
  expect(Buffer.byteLength(draft.responseElements['columns'] ?? '')).toBeLessThanOrEqual(16_384);
  expect(kept).toHaveProperty('c0000');
});

test('refused connections are one event, named after what happened most', () => {
  expect(all.RefuseConnection).toMatchObject({
    sourceIPAddress: '203.0.113.9',
    userIdentity: { type: 'Unknown' },
    errorCode: 'SessionLimitExceeded',
    responseElements: { connections: '42', reasons: 'starting-too-fast=40 login-timeout=2' },
    additionalEventData: { denyReason: 'starting-too-fast', proxyId: 'p-eu1-a' },
  });
});

test('refusals of many sources together name no address', () => {
  const draft = event.refuseConnections(proxy, atMs, {
    sourceIp: undefined,
    counts: [{ reason: 'protocol-error', count: 1 }],
    sinceMs: atMs,
  });

  expect(draft).not.toHaveProperty('sourceIPAddress');
  expect(draft.requestParameters['manySources']).toBe('true');
  expect(draft.errorMessage).toMatch(/^a connection was refused; /);
});

test.each(event.connectionRefusals)('a connection refused for %s bears an error code', (reason) => {
  const draft = event.refuseConnections(proxy, atMs, {
    sourceIp: '203.0.113.9',
    counts: [{ reason, count: 1 }],
    sinceMs: atMs,
  });

  expect(draft.errorCode).toMatch(/^(SessionLimitExceeded|AuthenticationFailed|ProtocolError)$/);
  expect(draft.additionalEventData['denyReason']).toBe(reason);
});

test('docs/events.md describes exactly the events there are', async () => {
  const text = await readFile(new URL('../../../docs/events.md', import.meta.url), 'utf8');

  const documented = [...text.matchAll(/^\| `([A-Z][A-Za-z0-9]+)` \|/gm)].map(([, name]) => name);

  expect(documented).toEqual([...eventNames]);
});

test('docs/events.md names every end reason and every field an event carries', async () => {
  const text = await readFile(new URL('../../../docs/events.md', import.meta.url), 'utf8');
  const fields = new Set(
    Object.values(all).flatMap((draft) =>
      [draft.requestParameters, draft.responseElements, draft.additionalEventData].flatMap((group) =>
        Object.keys(group),
      ),
    ),
  );

  const missing = [...fields, ...event.endReasons].filter((name) => !text.includes(`\`${name}\``));

  expect(missing).toEqual([]);
});

describe('the paths of a transfer', () => {
  const transfer = (path: Buffer) =>
    event.transferFile(sessionFacts, atMs, {
      channelId: 'c1',
      channel: 'subsystem',
      protocol: 'sftp',
      operation: 'remove',
      request: 'REMOVE',
      path,
      outcome: 'Success',
      seconds: 0,
    }).requestParameters;

  test.each([
    ['controls', Buffer.from('/a\u001b[2J\n\u202eb')],
    ['no UTF-8', Buffer.from([0x2f, 0xff, 0x5c, 0x78, 0x66, 0x66, 0xc3])],
    ['as many bytes as a path can have, none of them UTF-8', Buffer.alloc(4096, 0xff)],
  ])('are kept so that they can be had back: %s', (_, path) => {
    const { path: text = '', pathEscaped, pathTruncated } = transfer(path);

    expect(event.bytesOfEvidenceText(text, pathEscaped === 'true')).toEqual(path);
    expect(pathTruncated).toBeUndefined();
  });
});
