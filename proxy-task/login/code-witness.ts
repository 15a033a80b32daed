import { challengeMfa, type LoginAttempt } from '#core/event';
import type { GatewayParts } from '../gateway-parts.ts';
import type { ProvenEngineer } from './engineer-authenticator.ts';
import type { VerificationCodeOptions } from './verification-code.ts';

/** Puts on record what an engineer was asked for and how they answered. */
export function codeWitness(
  { journal, now }: Pick<GatewayParts, 'journal' | 'now'>,
  attempt: (engineer: ProvenEngineer) => LoginAttempt,
): VerificationCodeOptions['witness'] {
  async function record(engineer: ProvenEngineer, what: Parameters<typeof challengeMfa>[2]): Promise<void> {
    await journal.record(challengeMfa(attempt(engineer), now(), what));
  }
  return {
    challenged: (engineer) => record(engineer, { method: 'totp', outcome: 'asked' }),
    codeRefused: (engineer, reason) => record(engineer, { method: 'totp', outcome: 'failed', reason }),
    recoveryCodeUsed: (engineer, recoveryCodesLeft) =>
      record(engineer, { method: 'recovery-code', outcome: 'passed', recoveryCodesLeft }),
  };
}
