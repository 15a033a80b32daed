import { timingSafeEqual } from 'node:crypto';
import { HOTP, TOTP } from 'otpauth';
import { readSecret, totpParameters } from './secret.ts';

export type TotpCheck = {
  /** Base32. */
  readonly secret: string;
  /** As the engineer typed it; blanks around and within are forgiven. */
  readonly code: string;
  readonly nowMs: number;
  /** The last step for which a code was accepted, -1 for none. It and earlier ones are refused (RFC 6238 §5.2). */
  readonly lastStep: number;
  /** Steps by which the authenticator's clock was ahead when it was last seen; 0 when absent. */
  readonly driftSteps?: number;
};

type TotpVerdict =
  /** `driftSteps`: by how many steps the code was ahead of the present one. */
  | { readonly ok: true; readonly step: number; readonly driftSteps: number }
  | { readonly ok: false; readonly reason: 'malformed' | 'wrong' | 'reused' };

/** Steps accepted before and after the expected one, for clocks that differ (RFC 6238 §5.2). */
const windowSteps = 1;
/** A clock that drifts is followed this far: two minutes. */
const maxDriftSteps = 4;

/**
 * Checks a code against the steps about the present one, and about the one that the authenticator's clock shows if it is still off by
 * as much as the last time (RFC 6238 §6). All are compared, in constant time, whichever matches.
 */
export function verifyTotp(check: TotpCheck): TotpVerdict {
  const secret = readSecret(check.secret);
  const code = check.code.slice(0, 32).replaceAll(' ', '');
  if (!/^[0-9]{6}$/.test(code)) return { ok: false, reason: 'malformed' };
  const typed = Buffer.from(code, 'latin1');
  const present = TOTP.counter({ period: totpParameters.period, timestamp: check.nowMs });
  let accepted = -1;
  let seen = false;
  for (const offset of offsets(check.driftSteps ?? 0)) {
    const step = present + offset;
    if (step < 0) continue;
    const expected = HOTP.generate({
      secret,
      counter: step,
      algorithm: totpParameters.algorithm,
      digits: totpParameters.digits,
    });
    if (!timingSafeEqual(typed, Buffer.from(expected, 'latin1'))) continue;
    seen = true;
    if (step > check.lastStep) accepted = step;
  }
  if (accepted >= 0) return { ok: true, step: accepted, driftSteps: accepted - present };
  return { ok: false, reason: seen ? 'reused' : 'wrong' };
}

/** Ascending. A clock that was put right again must not have to be put wrong: the window about the present always counts. */
function offsets(driftSteps: number): readonly number[] {
  const found: number[] = [];
  for (let offset = -maxDriftSteps; offset <= maxDriftSteps; offset += 1)
    if (Math.abs(offset) <= windowSteps || Math.abs(offset - driftSteps) <= windowSteps) found.push(offset);
  return found;
}
