import fc from 'fast-check';
import type { Lock, LockSelector } from '../../../core/contract/index.ts';
import type { LockFacts } from '../../../core/lock/index.ts';

const fingerprint = (letter: string) => `SHA256:${letter.repeat(43)}`;

let made = 0;

export function lockOf(selector: LockSelector, changes: Partial<Lock> = {}): Lock {
  made += 1;
  return {
    lockId: `l-${made.toString(16).padStart(32, '0')}`,
    selector,
    message: 'call the security desk',
    author: 'alice',
    createdAtMs: 1_000,
    ...changes,
  };
}

export const bob = {
  identity: 'bob',
  keyFingerprint: fingerprint('B'),
  certificateSerial: '7',
  sessionId: `s-${'b'.repeat(32)}`,
  sourceIp: '192.0.2.10',
  target: 'web-1',
  login: 'deploy',
} as const satisfies LockFacts;

const identity = fc.constantFrom('alice', 'bob');
const keyFingerprint = fc.constantFrom(fingerprint('A'), fingerprint('B'));
const certificateSerial = fc.constantFrom('7', '8');
const sessionId = fc.constantFrom(`s-${'a'.repeat(32)}`, `s-${'b'.repeat(32)}`);
const target = fc.constantFrom('web-1', 'db-1');
const login = fc.constantFrom('root', 'deploy');

/** Few values, so that locks fit now and then. */
export const anySelector: fc.Arbitrary<LockSelector> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({ all: true } as const) },
  {
    weight: 20,
    arbitrary: fc
      .record(
        {
          identity,
          keyFingerprint,
          certificateSerial,
          sessionId,
          target,
          login,
          source: fc.constantFrom('192.0.2.10', '192.0.2.0/24', '2001:db8::/64'),
        },
        { requiredKeys: [] },
      )
      .filter((selector) => Object.keys(selector).length > 0),
  },
);

export const anyFacts: fc.Arbitrary<LockFacts> = fc.record(
  {
    identity,
    keyFingerprint,
    certificateSerial,
    sessionId: fc.nat(20).map((number) => `s-${number.toString(16).padStart(32, '0')}`),
    target,
    login,
    sourceIp: fc.constantFrom('192.0.2.10', '192.0.2.11', '203.0.113.9', '2001:db8::1'),
  },
  { requiredKeys: ['sessionId', 'sourceIp'] },
);
