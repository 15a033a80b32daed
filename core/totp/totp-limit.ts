import type { TotpState } from '../contract/index.ts';
import { type TotpCheck, verifyTotp } from './verify-totp.ts';

type TotpAttempt =
  /** `state` must be stored, on the condition that nobody else changed it, before the attempt counts as accepted. */
  | { readonly kind: 'accepted'; readonly step: number; readonly state: TotpState }
  | {
      readonly kind: 'refused';
      readonly reason: 'malformed' | 'wrong' | 'reused';
      readonly state: TotpState;
    }
  /** The code was not looked at. */
  | { readonly kind: 'locked'; readonly retryAfterMs: number; readonly state: TotpState };

const failuresBeforeLock = 5;
const firstLockMs = 60_000;
const maxLockMs = 15 * 60_000;

/**
 * One attempt and the state it leaves: the fifth wrong code in a row locks for 60 s, each further one for twice as long,
 * up to 15 minutes. Codes that are no six digits, or were accepted before, are refused but are no guesses and do not count.
 */
export function attemptTotp(
  state: TotpState | undefined,
  attempt: Omit<TotpCheck, 'lastStep' | 'driftSteps'>,
): TotpAttempt {
  const before = state ?? unused;
  const retryAfterMs = totpLockedForMs(before, attempt.nowMs);
  if (retryAfterMs > 0) return { kind: 'locked', retryAfterMs, state: before };
  const { lastStep, driftSteps = 0 } = before;
  const verdict = verifyTotp({ ...attempt, lastStep, driftSteps });
  if (verdict.ok)
    return {
      kind: 'accepted',
      step: verdict.step,
      state: {
        lastStep: verdict.step,
        failures: 0,
        lockedUntilMs: 0,
        ...(verdict.driftSteps === 0 ? {} : { driftSteps: verdict.driftSteps }),
      },
    };
  if (verdict.reason !== 'wrong') return { kind: 'refused', reason: verdict.reason, state: before };
  return { kind: 'refused', reason: 'wrong', state: afterWrongCode(before, attempt.nowMs) };
}

/** Milliseconds until a code is looked at again; 0 when it is now. */
export function totpLockedForMs(state: TotpState | undefined, nowMs: number): number {
  return Math.max(0, (state?.lockedUntilMs ?? 0) - nowMs);
}

/** The state that one more wrong code leaves, whatever kind of code it was. */
export function afterWrongCode(state: TotpState | undefined, nowMs: number): TotpState {
  const before = state ?? unused;
  const failures = before.failures + 1;
  if (failures < failuresBeforeLock) return { ...before, failures };
  const lockMs = Math.min(maxLockMs, firstLockMs * 2 ** Math.min(failures - failuresBeforeLock, 10));
  return { ...before, failures, lockedUntilMs: nowMs + lockMs };
}

const unused: TotpState = { lastStep: -1, failures: 0, lockedUntilMs: 0 };
