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
};

type TotpVerdict =
  | { readonly ok: true; readonly step: number }
  | { readonly ok: false; readonly reason: 'malformed' | 'wrong' | 'reused' };

/** Steps accepted before and after the present one, for clocks that differ (RFC 6238 §5.2). */
const windowSteps = 1;

/** Checks a code against the present step and its neighbours. All are compared, in constant time, whichever matches. */
export function verifyTotp(check: TotpCheck): TotpVerdict {
  const secret = readSecret(check.secret);
  const code = check.code.slice(0, 32).replaceAll(' ', '');
  if (!/^[0-9]{6}$/.test(code)) return { ok: false, reason: 'malformed' };
  const typed = Buffer.from(code, 'latin1');
  const present = TOTP.counter({ period: totpParameters.period, timestamp: check.nowMs });
  let accepted = -1;
  let seen = false;
  for (let step = Math.max(0, present - windowSteps); step <= present + windowSteps; step += 1) {
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
  if (accepted >= 0) return { ok: true, step: accepted };
  return { ok: false, reason: seen ? 'reused' : 'wrong' };
}
