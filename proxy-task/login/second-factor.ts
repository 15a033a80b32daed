import type { ControlStore } from '#core/contract';
import { attemptTotp } from '#core/totp';
import type { Identity } from './identity-directory.ts';

/** A second factor, looked at once per code. */
export type SecondFactor = {
  /** `accepted` counts as proof now; the others say why not, in a closed list. */
  check(identity: Identity, code: string): Promise<'accepted' | 'malformed' | 'wrong' | 'reused' | 'locked'>;
};

/** Tries at a store that another process keeps changing before the attempt counts as refused. */
const maxConflicts = 8;

/**
 * TOTP with its state in the control store: a code counts once, whichever gateway it is typed at, and wrong codes
 * lock the identity for a while. The state is stored before the attempt is answered.
 */
export function createTotpFactor(control: ControlStore, now: () => number): SecondFactor {
  return {
    async check(identity, code) {
      const secret = identity.totpSecret;
      if (secret === undefined) return 'malformed';
      for (let conflict = 0; conflict < maxConflicts; conflict += 1) {
        const stored = await control.get('totp', identity.name);
        const attempt = attemptTotp(stored?.data, { secret, code, nowMs: now() });
        if (attempt.kind === 'locked') return 'locked';
        const condition =
          stored === undefined
            ? ({ kind: 'absent' } as const)
            : ({ kind: 'version', version: stored.version } as const);
        const version = await control.put('totp', identity.name, attempt.state, condition);
        if (version !== undefined) return attempt.kind === 'accepted' ? 'accepted' : attempt.reason;
      }
      return 'locked';
    },
  };
}
