import type { ControlItem, ControlStore, PutCondition } from '#core/contract';
import {
  afterWrongCode,
  attemptTotp,
  readRecoveryCode,
  totpLockedForMs,
  withoutRecoveryCode,
} from '#core/totp';
import type { Identity } from './identity-directory.ts';

export type FactorVerdict =
  | { readonly kind: 'accepted'; readonly method: 'totp' }
  /** `left`: codes that can still be used. */
  | { readonly kind: 'accepted'; readonly method: 'recovery-code'; readonly left: number }
  | {
      readonly kind: 'refused';
      readonly reason: 'malformed' | 'wrong' | 'reused' | 'locked' | 'not-enrolled';
    };

/** A second factor by codes, each of them looked at once. */
export type SecondFactor = {
  /** Whether there is anything to ask this identity for. */
  has(identity: Identity): Promise<boolean>;
  check(identity: Identity, code: string): Promise<FactorVerdict>;
};

/** Tries at a store that another process keeps changing before the attempt counts as refused. */
const maxConflicts = 8;

/**
 * TOTP with its state in the control store: a code counts once, whichever gateway it is typed at, and wrong codes
 * lock the identity for a while. The state is stored before the attempt is answered. The secret is the configuration's where it has one,
 * else the enrolled one; the recovery codes are those of the enrolment.
 */
export function createTotpFactor(control: ControlStore, now: () => number): SecondFactor {
  async function checkCode(name: string, secret: string, code: string): Promise<FactorVerdict> {
    for (let conflict = 0; conflict < maxConflicts; conflict += 1) {
      const stored = await control.get('totp', name);
      const attempt = attemptTotp(stored?.data, { secret, code, nowMs: now() });
      if (attempt.kind === 'locked') return refused('locked');
      if ((await control.put('totp', name, attempt.state, unchanged(stored))) === undefined) continue;
      return attempt.kind === 'accepted' ? { kind: 'accepted', method: 'totp' } : refused(attempt.reason);
    }
    return refused('locked');
  }

  async function checkRecoveryCode(name: string, code: string): Promise<FactorVerdict> {
    for (let conflict = 0; conflict < maxConflicts; conflict += 1) {
      const [state, factor] = await Promise.all([control.get('totp', name), control.get('factor', name)]);
      if (totpLockedForMs(state?.data, now()) > 0) return refused('locked');
      const rest = factor === undefined ? undefined : withoutRecoveryCode(factor.data, code);
      if (factor === undefined || rest === undefined) {
        const failed = afterWrongCode(state?.data, now());
        if ((await control.put('totp', name, failed, unchanged(state))) === undefined) continue;
        return refused('wrong');
      }
      const used = { ...factor.data, recoveryCodes: rest };
      if ((await control.put('factor', name, used, unchanged(factor))) === undefined) continue;
      // The row of wrong codes ends here, unless another one came meanwhile, which then counts.
      if (state !== undefined && state.data.failures > 0)
        await control.put('totp', name, { ...state.data, failures: 0, lockedUntilMs: 0 }, unchanged(state));
      return { kind: 'accepted', method: 'recovery-code', left: rest.length };
    }
    return refused('locked');
  }

  async function secretOf({ name, type, totpSecret }: Identity): Promise<string | undefined> {
    if (type === 'service') return undefined;
    return totpSecret ?? (await control.get('factor', name))?.data.secret;
  }

  return {
    has: async (identity) => (await secretOf(identity)) !== undefined,
    async check(identity, code) {
      const secret = await secretOf(identity);
      if (secret === undefined) return refused('not-enrolled');
      const recovery = readRecoveryCode(code);
      return recovery === undefined
        ? checkCode(identity.name, secret, code)
        : checkRecoveryCode(identity.name, recovery);
    },
  };
}

function refused(reason: Extract<FactorVerdict, { kind: 'refused' }>['reason']): FactorVerdict {
  return { kind: 'refused', reason };
}

function unchanged(stored: ControlItem<'totp' | 'factor'> | undefined): PutCondition {
  return stored === undefined ? { kind: 'absent' } : { kind: 'version', version: stored.version };
}
