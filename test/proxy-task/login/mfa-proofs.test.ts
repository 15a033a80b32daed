import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteControlStore } from '#adapters/local';
import { removeTotp } from '#core/totp';
import type { ProvenEngineer } from '../../../proxy-task/login/engineer-authenticator.ts';
import { createMfaProofs } from '../../../proxy-task/login/mfa-proofs.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const startMs = 1_800_000_000_000;
const graceMs = 300_000;
const proof = { method: 'totp', atMs: startMs };
const alice: ProvenEngineer = {
  user: 'root@web-1',
  identity: { name: 'alice', principalId: 'alice', type: 'person', groups: [] },
  authMethod: 'publickey',
  keyFingerprint: 'SHA256:2VxQzPb3kKqjY0tGZ5o3mT1w8hR4uC7sN6dLfXeAaBc',
  mfa: { verified: true, ...proof },
};

async function prepare() {
  const clock = { nowMs: startMs };
  const now = () => clock.nowMs;
  const control = await openSqliteControlStore(join(temporaryFolder(), 'control.sqlite'), { now });
  onTestFinished(() => control.close());
  const proofsAt = (sourceAddress = '192.0.2.1', grace = graceMs) =>
    createMfaProofs({ control, graceMs: grace, sourceAddress, now });
  return { clock, control, proofsAt };
}

describe('a proof', () => {
  test('is good for the same identity, key and address until the grace is over', async () => {
    const { clock, proofsAt } = await prepare();
    await proofsAt().keep(alice);

    clock.nowMs += graceMs - 1;
    expect(await proofsAt().find(alice)).toEqual(proof);
    clock.nowMs += 1;
    expect(await proofsAt().find(alice)).toBeUndefined();
  });

  test('does not last longer for being used', async () => {
    const { clock, proofsAt } = await prepare();
    await proofsAt().keep(alice);

    for (let login = 0; login < 5; login += 1) {
      clock.nowMs += graceMs / 5 - 1;
      const found = await proofsAt().find(alice);
      expect(found).toEqual(proof);
    }
    clock.nowMs += 5;
    expect(await proofsAt().find(alice)).toBeUndefined();
  });

  test.each<[string, Partial<ProvenEngineer>, string]>([
    ['another identity', { identity: { ...alice.identity, name: 'bob' } }, '192.0.2.1'],
    ['another key', { keyFingerprint: 'SHA256:other' }, '192.0.2.1'],
    ['another address', {}, '192.0.2.10'],
    ['a service', { identity: { ...alice.identity, type: 'service' } }, '192.0.2.1'],
  ])('is nothing to %s', async (_what, change, address) => {
    const { proofsAt } = await prepare();
    await proofsAt().keep(alice);

    expect(await proofsAt(address).find({ ...alice, ...change })).toBeUndefined();
  });

  test('ends sooner where the grace was made shorter, and is not kept where there is none', async () => {
    const { clock, control, proofsAt } = await prepare();
    await proofsAt('192.0.2.1', 0).keep(alice);
    expect(await control.list('proof')).toEqual([]);
    await proofsAt().keep(alice);
    clock.nowMs += 10_000;

    expect(await proofsAt('192.0.2.1', 10_000).find(alice)).toBeUndefined();
    expect(await proofsAt('192.0.2.1', 0).find(alice)).toBeUndefined();
    expect(await proofsAt().find(alice)).toEqual(proof);
  });

  test('is forgotten with the factor, and nobody else’s is', async () => {
    const { control, proofsAt } = await prepare();
    const bob = { ...alice, identity: { ...alice.identity, name: 'bob' } };
    await proofsAt().keep(alice);
    await proofsAt('192.0.2.10').keep(alice);
    await proofsAt().keep(bob);

    const factor = {
      secret: 'A'.repeat(32),
      enrolledAtMs: 0,
      enrolledBy: 'carol',
      salt: '',
      recoveryCodes: [],
    };
    await control.put('factor', 'alice', factor, { kind: 'any' });
    expect(await removeTotp(control, 'alice', async () => undefined)).toBe(true);

    expect(await proofsAt().find(alice)).toBeUndefined();
    expect(await proofsAt('192.0.2.10').find(alice)).toBeUndefined();
    expect(await proofsAt().find(bob)).toEqual(proof);
  });
});
