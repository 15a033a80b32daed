import { describe, expect, it } from 'vitest';
import type { BlobStore, Finding } from '../../../core/contract/index.ts';
import { createActionExecutor } from '../../../core/runbook/index.ts';
import { memoryControlStore } from './fakes.ts';

const clock = { nowMs: Date.UTC(2026, 10, 20, 12) };
const session = `s-${'0'.repeat(32)}`;
const finding: Finding = {
  runbookId: 'SSH-900',
  key: '../../etc/passwd',
  title: 't',
  severity: 'high',
  foundAtMs: clock.nowMs,
  columns: {},
  state: 'open',
};

function setUp() {
  const objects = new Map<string, string>();
  const blobs: BlobStore = {
    putIfAbsent: async (key, bytes) => {
      if (objects.has(key)) return 'exists';
      objects.set(key, Buffer.from(bytes).toString());
      return 'stored';
    },
    get: async () => undefined,
    getRange: async () => undefined,
    list: async function* () {},
  };
  const control = memoryControlStore(clock);
  return { objects, control, actions: createActionExecutor({ blobs, control, now: () => clock.nowMs }) };
}

describe('actions', () => {
  it('keep a finding and its rows under a name no key can steer', async () => {
    const { actions, objects } = setUp();

    const key = await actions.snapshot(finding, [{ n: 9007199254740993n, text: 'x' }]);
    const again = await actions.snapshot(finding, []);

    expect(key).toMatch(/^findings\/dt=2026-11-20\/SSH-900\/[0-9a-f]{64}\.json$/);
    expect(again).toBe(key);
    expect(JSON.parse(objects.get(key) ?? '')).toMatchObject({
      key: '../../etc/passwd',
      rows: [{ n: '9007199254740993', text: 'x' }],
    });
  });

  it('ask for the end of a session once', async () => {
    const { actions, control } = setUp();
    const wish = { by: 'runbook/SSH-900', message: 'why' };

    const answers = [await actions.revokeSession(session, wish), await actions.revokeSession(session, wish)];

    expect(answers).toEqual(['asked', 'already']);
    expect((await control.get('revocation', session))?.data).toMatchObject(wish);
  });

  it('read from the store whether a session is open', async () => {
    const { actions, control } = setUp();
    const live = {
      sessionId: session,
      identity: 'alice',
      principalId: 'local:alice',
      login: 'deploy',
      target: 'web-1',
      sourceIp: '203.0.113.9',
      userAgent: 'SSH-2.0-OpenSSH_9.9',
      mfa: false,
      mfaMethod: 'none',
      startedAtMs: clock.nowMs,
      proxyId: 'p',
    };

    const absent = await actions.sessionIsOpen(session);
    await control.put('session', session, { ...live, state: 'open' }, { kind: 'any' });
    const open = await actions.sessionIsOpen(session);
    await control.put('session', session, { ...live, state: 'ended' }, { kind: 'any' });

    expect([absent, open, await actions.sessionIsOpen(session)]).toEqual([false, true, false]);
  });

  it('take nothing for a session that is no session id', async () => {
    const { actions } = setUp();

    await expect(actions.sessionIsOpen('s-1/../x')).rejects.toBeInstanceOf(RangeError);
    await expect(actions.revokeSession('*', { by: 'x', message: 'y' })).rejects.toBeInstanceOf(RangeError);
  });
});
