import type { LoginAttempt, SessionFacts } from '#core/event';

/** 2026-11-20T10:15:30.412Z */
export const atMs = 1_795_169_730_412;

export const sessionFacts: SessionFacts = {
  sessionId: 's-01937c2e7b1e7cc09d2a3f6f0d5f5a11',
  identity: {
    name: 'alice@example.com',
    principalId: 'AROAEXAMPLE:alice@example.com',
    type: 'AssumedRole',
    arn: 'arn:aws:sts::111122223333:assumed-role/Engineer/alice@example.com',
  },
  login: 'ec2-user',
  target: { name: 'pay-api-3', host: '192.0.2.17', port: 22, labels: { role: 'api', env: 'prod' } },
  sourceIp: '203.0.113.9',
  sourcePort: 51_234,
  userAgent: 'SSH-2.0-OpenSSH_9.9',
  authMethod: 'certificate',
  keyFingerprint: 'SHA256:2VxQzPb3kKqjY0tGZ5o3mT1w8hR4uC7sN6dLfXeAaBc',
  certificateSerial: '4294967297',
  mfa: { verified: true, method: 'totp', atMs: atMs - 61_000 },
  authenticatedAtMs: atMs - 62_000,
  proxyId: 'p-eu1-a',
  policyId: 'prod-ops',
};

export const unprovenAttempt: LoginAttempt = {
  sessionId: 's-01937c2e7b1e7cc09d2a3f6f0d5f5a12',
  sourceIp: '203.0.113.66',
  sourcePort: 40_000,
  userAgent: 'SSH-2.0-Go',
  proxyId: 'p-eu1-a',
  claimedUser: 'root@pay-api-3',
};
