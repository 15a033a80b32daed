import { describe, expect, test } from 'vitest';
import type { ProvenEngineer } from '../../../proxy-task/login/engineer-authenticator.ts';
import type { FactorVerdict } from '../../../proxy-task/login/second-factor.ts';
import { verificationCode } from '../../../proxy-task/login/verification-code.ts';

const nowMs = 1_800_000_000_000;
const alice: ProvenEngineer = {
  user: 'root@web-1',
  identity: { name: 'alice', principalId: 'alice', type: 'person', groups: [] },
  authMethod: 'publickey',
  keyFingerprint: 'SHA256:x',
  mfa: { verified: false, method: 'none' },
};

/** The question, and in order what it told and kept. */
function question(
  verdict: FactorVerdict,
  options: { readonly wanted?: boolean; readonly has?: boolean } = {},
) {
  const told: string[] = [];
  const asked = verificationCode({
    secondFactor: { has: async () => options.has ?? true, check: async () => verdict },
    wanted: async () => options.wanted ?? true,
    witness: {
      challenged: async () => void told.push('challenged'),
      codeRefused: async (_engineer, why) => void told.push(`refused ${why}`),
      recoveryCodeUsed: async ({ mfa }, left) => void told.push(`${mfa.method} used, ${left} left`),
    },
    keepProof: async ({ mfa }) => void told.push(`kept ${mfa.method} of ${mfa.atMs}`),
    now: () => nowMs,
  });
  return { asked, told };
}

describe('the question for a code', () => {
  test('is put to nobody who has none, or whom none would help', async () => {
    const accepted: FactorVerdict = { kind: 'accepted', method: 'totp' };

    expect(await question(accepted, { has: false }).asked.of(alice)).toBeUndefined();
    expect(await question(accepted, { wanted: false }).asked.of(alice)).toBeUndefined();
  });

  test('is put to who proved a factor too long ago, and the new one takes its place', async () => {
    const { asked, told } = question({ kind: 'accepted', method: 'totp' });
    const stale = { ...alice, mfa: { verified: true, method: 'totp', atMs: nowMs - 200_000 } };

    const dialogue = await asked.of(stale);
    const step = await dialogue?.begin();
    const answered = await dialogue?.answer(['123456']);

    expect(step).toMatchObject({ kind: 'ask', request: { prompts: [{ echo: false }] } });
    expect(answered).toEqual({
      kind: 'answered',
      engineer: { ...alice, mfa: { verified: true, method: 'totp', atMs: nowMs } },
    });
    expect(told).toEqual(['challenged', `kept totp of ${nowMs}`]);
  });

  test('has a recovery code on record before it counts', async () => {
    const { asked, told } = question({ kind: 'accepted', method: 'recovery-code', left: 3 });

    const answered = await (await asked.of(alice))?.answer(['abcd-efgh-ijkl-mnop']);

    expect(answered).toMatchObject({ engineer: { mfa: { method: 'recovery-code' } } });
    expect(told).toEqual(['recovery-code used, 3 left', `kept recovery-code of ${nowMs}`]);
  });

  test('keeps nothing of an answer that was refused', async () => {
    const { asked, told } = question({ kind: 'refused', reason: 'locked' });

    expect(await (await asked.of(alice))?.answer([])).toEqual({ kind: 'refused' });
    expect(told).toEqual(['refused locked']);
  });
});
