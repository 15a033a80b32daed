import { Secret, TOTP } from 'otpauth';
import { TotpError } from './totp-error.ts';

/** What authenticator apps assume when a URI says nothing else: RFC 6238 over HMAC-SHA-1, six digits, 30 seconds. */
export const totpParameters = { algorithm: 'SHA1', digits: 6, period: 30 } as const;

/** RFC 4226 §4 R6: at least 128 bits, 160 recommended. */
const minSecretBytes = 16;
const maxSecretBytes = 128;
const newSecretBytes = 20;

/** Why a text is no usable base32 secret, or undefined when it is one. Never repeats the text. */
export function totpSecretProblem(text: string): string | undefined {
  const digits = text.replace(/=+$/, '');
  if (!/^[A-Z2-7]+$/.test(digits)) return 'is not base32 (A to Z and 2 to 7, no blanks)';
  const bytes = Math.floor((digits.length * 5) / 8);
  if (bytes < minSecretBytes)
    return `is too short: ${bytes * 8} bits where at least ${minSecretBytes * 8} are needed`;
  if (bytes > maxSecretBytes) return `is too long: more than ${maxSecretBytes * 8} bits`;
  return undefined;
}

/** A fresh secret of 160 bits as base32. `randomBytes` is node:crypto's, or a fixed one in tests. */
export function newTotpSecret(randomBytes: (size: number) => Uint8Array): string {
  const bytes = randomBytes(newSecretBytes);
  if (bytes.length !== newSecretBytes)
    throw new TotpError(
      'bad-randomness',
      `the source of randomness gave ${bytes.length} bytes instead of ${newSecretBytes}; pass node:crypto's randomBytes`,
    );
  return new Secret({ buffer: Uint8Array.from(bytes).buffer }).base32;
}

/** The `otpauth://` URI that authenticator apps read from a QR code. It contains the secret. */
export function otpauthUri(account: {
  readonly issuer: string;
  readonly identity: string;
  readonly secret: string;
}): string {
  return new TOTP({
    issuer: account.issuer,
    label: account.identity,
    secret: readSecret(account.secret),
    ...totpParameters,
  }).toString();
}

/** The code an authenticator app shows at that time. */
export function totpCode(secret: string, nowMs: number): string {
  return TOTP.generate({ secret: readSecret(secret), timestamp: nowMs, ...totpParameters });
}

/** @throws TotpError code `bad-secret`. */
export function readSecret(text: string): Secret {
  const problem = totpSecretProblem(text);
  if (problem !== undefined)
    throw new TotpError(
      'bad-secret',
      `the TOTP secret ${problem}; use 26 or more base32 characters, as newTotpSecret makes them`,
    );
  return Secret.fromBase32(text);
}
