import type { ProvenEngineer } from './engineer-authenticator.ts';
import type { LoginQuestion } from './login-question.ts';
import type { MfaProofs } from './mfa-proofs.ts';
import type { FactorVerdict, SecondFactor } from './second-factor.ts';

export type VerificationCodeOptions = {
  readonly secondFactor: SecondFactor;
  /**
   * Would a code help this engineer? False when policy denies either way, so that nobody is asked in vain, and where a factor that is
   * proved already is fresh enough.
   */
  readonly wanted: (engineer: ProvenEngineer) => Promise<boolean>;
  readonly witness: {
    challenged(engineer: ProvenEngineer): Promise<void>;
    codeRefused(engineer: ProvenEngineer, why: string): Promise<void>;
    recoveryCodeUsed(engineer: ProvenEngineer, left: number): Promise<void>;
  };
  readonly keepProof: MfaProofs['keep'];
  readonly now: () => number;
};

/** Asks identities that have a second factor for a code. */
export function verificationCode(options: VerificationCodeOptions): LoginQuestion {
  const { secondFactor, wanted, witness, now } = options;

  async function proved(
    engineer: ProvenEngineer,
    verdict: FactorVerdict & { kind: 'accepted' },
  ): Promise<ProvenEngineer> {
    const { method } = verdict;
    const withFactor = { ...engineer, mfa: { verified: true, method, atMs: now() } };
    if (verdict.method === 'recovery-code') await witness.recoveryCodeUsed(withFactor, verdict.left);
    await options.keepProof(withFactor);
    return withFactor;
  }

  return {
    async of(engineer) {
      const { identity } = engineer;
      if (!(await wanted(engineer)) || !(await secondFactor.has(identity))) return undefined;
      return {
        async begin() {
          await witness.challenged(engineer);
          const prompts = [{ text: 'Verification code: ', echo: false }];
          return {
            kind: 'ask',
            request: { name: '', instruction: `Second factor of ${identity.name}`, prompts },
          };
        },
        async answer(responses) {
          const verdict = await secondFactor.check(identity, (responses[0] ?? '').trim());
          if (verdict.kind === 'accepted')
            return { kind: 'answered', engineer: await proved(engineer, verdict) };
          await witness.codeRefused(engineer, verdict.reason);
          return { kind: 'refused' };
        },
      };
    },
  };
}
