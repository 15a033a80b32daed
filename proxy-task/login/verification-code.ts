import type { ProvenEngineer } from './engineer-authenticator.ts';
import type { LoginQuestion } from './login-question.ts';
import type { SecondFactor } from './second-factor.ts';

export type VerificationCodeOptions = {
  readonly secondFactor: SecondFactor;
  /** Would a code help this engineer? False when policy denies either way, so that nobody is asked in vain. */
  readonly wanted: (engineer: ProvenEngineer) => Promise<boolean>;
  readonly witness: {
    challenged(engineer: ProvenEngineer): Promise<void>;
    codeRefused(engineer: ProvenEngineer, why: string): Promise<void>;
  };
  readonly now: () => number;
};

/** Asks identities that have a second factor for its code, unless something else proved one. */
export function verificationCode({
  secondFactor,
  wanted,
  witness,
  now,
}: VerificationCodeOptions): LoginQuestion {
  return {
    async of(engineer) {
      const { identity, mfa } = engineer;
      if (mfa.verified || identity.totpSecret === undefined || !(await wanted(engineer))) return undefined;
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
          const outcome = await secondFactor.check(identity, (responses[0] ?? '').trim());
          if (outcome === 'accepted')
            return {
              kind: 'answered',
              engineer: { ...engineer, mfa: { verified: true, method: 'totp', atMs: now() } },
            };
          await witness.codeRefused(engineer, outcome);
          return { kind: 'refused' };
        },
      };
    },
  };
}
