import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { openSqliteControlStore } from '#adapters/local';
import type { LiveSession } from '#core/contract';
import { countEarlier, countSessions, takeIdentityPlace } from '../../proxy-task/identity-sessions.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const session = (sessionId: string, identity = 'alice'): LiveSession => ({
  sessionId,
  identity,
  principalId: identity,
  login: 'deploy',
  target: 'web-1',
  sourceIp: '192.0.2.1',
  userAgent: 'SSH-2.0-OpenSSH_9.9',
  mfa: false,
  mfaMethod: 'none',
  startedAtMs: 1_800_000_000_000,
  proxyId: 'gateway-1',
  state: 'open',
});

async function stores(count: number) {
  const file = join(temporaryFolder(), 'control.sqlite');
  const opened = await Promise.all(
    Array.from({ length: count }, () => openSqliteControlStore(file, { now: () => 1_800_000_000_000 })),
  );
  onTestFinished(async () => {
    for (const store of opened) await store.close();
  });
  return opened;
}

test('an identity has as many sessions as it may, and others have theirs', async () => {
  const [control] = await stores(1);
  if (control === undefined) throw new Error('no store');

  const taken = [
    await takeIdentityPlace(control, session('s-1'), 2),
    await takeIdentityPlace(control, session('s-2', 'bob'), 2),
    await takeIdentityPlace(control, session('s-3'), 2),
    await takeIdentityPlace(control, session('s-4'), 2),
  ];
  await control.delete('session', 's-1');
  taken.push(await takeIdentityPlace(control, session('s-5'), 2));

  expect(taken).toEqual([true, true, true, false, true]);
  expect(await countSessions(control, 'alice')).toBe(2);
  expect(await control.get('session', 's-4')).toBeUndefined();
});

test('of those that come at once, by several gateways, never too many get in', async () => {
  const opened = await stores(4);

  const taken = await Promise.all(
    opened.flatMap((control, gateway) =>
      [0, 1].map((number) => takeIdentityPlace(control, session(`s-${gateway}-${number}`), 3)),
    ),
  );

  const inside = taken.filter((got) => got).length;
  expect(inside).toBeLessThanOrEqual(3);
  for (const control of opened) expect(await countSessions(control, 'alice')).toBe(inside);
});

test('of the sessions of an identity each counts those that began before it, so that no two count each other', () => {
  const at = (sessionId: string, startedAtMs: number, identity = 'alice') => ({
    ...session(sessionId, identity),
    startedAtMs,
  });
  const live = [at('s-1', 5), at('s-3', 7), at('s-2', 7), at('s-4', 9), at('s-0', 1, 'bob')];

  expect(live.map((each) => countEarlier(live, each))).toEqual([0, 2, 1, 3, 0]);
});
