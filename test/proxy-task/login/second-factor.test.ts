import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openSqliteControlStore } from '#adapters/local';
import type { ControlStore } from '#core/contract';
import { newRecoveryCodes, newTotpSecret, totpCode } from '#core/totp';
import type { Identity } from '../../../proxy-task/login/identity-directory.ts';
import { createTotpFactor } from '../../../proxy-task/login/second-factor.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const startMs = 1_800_000_000_000;
const alice: Identity = { name: 'alice', principalId: 'alice', type: 'person', groups: [] };
const secret = newTotpSecret(randomBytes);
const recovery = newRecoveryCodes(randomBytes);
const right = totpCode(secret, startMs);
const near = new Set([-1, 0, 1].map((steps) => totpCode(secret, startMs + steps * 30_000)));
const wrong = ['000000', '000001', '000002', '000003'].find((code) => !near.has(code)) ?? '';

async function prepare(enrolled = true) {
  const clock = { nowMs: startMs };
  const control = await openSqliteControlStore(join(temporaryFolder(), 'control.sqlite'), {
    now: () => clock.nowMs,
  });
  onTestFinished(() => control.close());
  if (enrolled) await enroll(control);
  return { clock, control, factor: createTotpFactor(control, () => clock.nowMs) };
}

async function enroll(control: ControlStore): Promise<void> {
  await control.put(
    'factor',
    'alice',
    {
      secret,
      enrolledAtMs: startMs,
      enrolledBy: 'carol',
      salt: recovery.salt,
      recoveryCodes: recovery.hashes,
    },
    { kind: 'any' },
  );
}

const [first = '', second = ''] = recovery.codes;

describe('an enrolled factor', () => {
  test('is asked for and takes its code, once', async () => {
    const { factor } = await prepare();

    expect(await factor.has(alice)).toBe(true);
    expect(await factor.check(alice, right)).toEqual({ kind: 'accepted', method: 'totp' });
    expect(await factor.check(alice, right)).toEqual({ kind: 'refused', reason: 'reused' });
  });

  test('is none for somebody else, nor for a service of that name', async () => {
    const { factor } = await prepare();
    const service: Identity = { ...alice, type: 'service', totpSecret: secret };

    for (const identity of [{ ...alice, name: 'bob' }, service]) {
      expect(await factor.has(identity)).toBe(false);
      expect(await factor.check(identity, right)).toEqual({ kind: 'refused', reason: 'not-enrolled' });
      expect(await factor.check(identity, first)).toEqual({ kind: 'refused', reason: 'not-enrolled' });
    }
  });

  test('gives way to the secret of the configuration', async () => {
    const { factor } = await prepare();
    const configured = newTotpSecret(randomBytes);
    const identity = { ...alice, totpSecret: configured };

    expect(await factor.check(identity, totpCode(configured, startMs))).toMatchObject({ kind: 'accepted' });
    expect(await factor.check(identity, right)).toMatchObject({ kind: 'refused' });
  });

  test('follows a clock that drifts', async () => {
    const { clock, factor, control } = await prepare();

    for (const steps of [1, 2, 3, 4]) {
      clock.nowMs += 600_000;
      const code = totpCode(secret, clock.nowMs + steps * 30_000);
      expect(await factor.check(alice, code)).toMatchObject({ kind: 'accepted' });
    }
    expect((await control.get('totp', 'alice'))?.data.driftSteps).toBe(4);
  });
});

describe('a recovery code', () => {
  test('stands for a code once, and says how many are left', async () => {
    const { factor } = await prepare();

    expect(await factor.check(alice, first)).toEqual({ kind: 'accepted', method: 'recovery-code', left: 9 });
    expect(await factor.check(alice, first)).toEqual({ kind: 'refused', reason: 'wrong' });
    expect(await factor.check(alice, second.toUpperCase())).toMatchObject({ kind: 'accepted', left: 8 });
  });

  test('is taken by one gateway alone where many are given it at once', async () => {
    const { control, factor, clock } = await prepare();
    const gateways = [
      factor,
      ...Array.from({ length: 3 }, () => createTotpFactor(control, () => clock.nowMs)),
    ];

    const verdicts = await Promise.all(gateways.map((gateway) => gateway.check(alice, first)));

    expect(verdicts.filter(({ kind }) => kind === 'accepted')).toHaveLength(1);
    expect((await control.get('factor', 'alice'))?.data.recoveryCodes).toHaveLength(9);
  });

  test('that is wrong counts as a wrong code, and nothing is looked at once too many were', async () => {
    const { clock, control, factor } = await prepare();
    for (let attempt = 0; attempt < 5; attempt += 1)
      expect(await factor.check(alice, `aaaa-aaaa-aaaa-aaa${attempt + 2}`)).toEqual({
        kind: 'refused',
        reason: 'wrong',
      });

    expect(await factor.check(alice, first)).toEqual({ kind: 'refused', reason: 'locked' });
    expect(await factor.check(alice, right)).toEqual({ kind: 'refused', reason: 'locked' });
    clock.nowMs += 60_000;
    expect(await factor.check(alice, first)).toMatchObject({ kind: 'accepted' });
    expect((await control.get('totp', 'alice'))?.data).toMatchObject({ failures: 0, lockedUntilMs: 0 });
  });
});

test('guesses that race lock as fast as guesses one after the other', async () => {
  const { control, clock } = await prepare();
  const gateways = Array.from({ length: 40 }, () => createTotpFactor(control, () => clock.nowMs));

  const verdicts = await Promise.all(gateways.map((gateway) => gateway.check(alice, wrong)));

  const looked = verdicts.filter((verdict) => verdict.kind === 'refused' && verdict.reason === 'wrong');
  expect(looked.length).toBeLessThanOrEqual(5);
  expect(await gateways[0]?.check(alice, right)).toEqual({ kind: 'refused', reason: 'locked' });
});
