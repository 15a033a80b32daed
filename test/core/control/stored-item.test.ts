import { describe, expect, it } from 'vitest';
import { readControlItem } from '#core/control';

const stored = (data: object) => ({
  id: 'one',
  version: 1,
  data: JSON.stringify(data),
  expiresAtMs: undefined,
});

const session = {
  sessionId: 's-0193a0b1c2d3e4f5a6b7c8d9e0f10213',
  identity: 'alice',
  principalId: 'alice',
  login: 'deploy',
  target: 'web-1',
  sourceIp: '192.0.2.7',
  userAgent: 'OpenSSH_9.2',
  mfa: false,
  mfaMethod: 'none',
  startedAtMs: 1,
  proxyId: 'gateway-1',
  state: 'open',
};
const lock = {
  lockId: 'l-1',
  selector: { identity: 'alice' },
  message: 'left',
  author: 'bob',
  createdAtMs: 1,
};

describe('an item that a newer version wrote', () => {
  it('is read without what that version added, where it is a session', () => {
    expect(readControlItem('session', stored({ ...session, added: { later: true } })).data).toEqual(session);
  });

  it.each([
    ['another field', { ...lock, added: true }],
    ['a selector that narrows it', { ...lock, selector: { ...lock.selector, weekday: 1 } }],
  ])('is refused where it is a lock with %s, which might fit others than it was made for', (_, data) => {
    expect(readControlItem('lock', stored(lock)).data).toEqual(lock);
    expect(() => readControlItem('lock', stored(data))).toThrow(/not what this version writes/);
  });

  it('is refused where it lacks what is needed', () => {
    const { state: _, ...rest } = session;

    expect(() => readControlItem('session', stored(rest))).toThrow(/not what this version writes/);
  });
});
