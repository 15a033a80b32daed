import { createHash, timingSafeEqual } from 'node:crypto';
import { TotpError } from './totp-error.ts';

/** 80 bits: no guesser gets through them, so that a fast hash with a salt keeps them as well as a slow one. */
const codeBytes = 10;
const saltBytes = 16;
const codeCount = 10;
/** RFC 4648 §6, in lower case. */
const alphabet = 'abcdefghijklmnopqrstuvwxyz234567';

export type RecoveryCodes = {
  /** To be shown once: `abcd-efgh-ijkl-mnop`. */
  readonly codes: readonly string[];
  /** Hex, to be kept. */
  readonly salt: string;
  readonly hashes: readonly string[];
};

/** Ten codes for the day the authenticator is lost. `randomBytes` is node:crypto's, or a fixed one in tests. */
export function newRecoveryCodes(randomBytes: (size: number) => Uint8Array): RecoveryCodes {
  const salt = Buffer.from(bytesOf(randomBytes, saltBytes)).toString('hex');
  const codes = Array.from({ length: codeCount }, () => base32(bytesOf(randomBytes, codeBytes)));
  return {
    codes: codes.map((code) => code.replace(/.{4}(?=.)/g, '$&-')),
    salt,
    hashes: codes.map((code) => hashOf(salt, code)),
  };
}

/** The code as it is hashed, or undefined where the text is none. Case, dashes and blanks do not matter. */
export function readRecoveryCode(text: string): string | undefined {
  const code = text.slice(0, 64).replaceAll(/[ -]/g, '').toLowerCase();
  return /^[a-z2-7]{16}$/.test(code) ? code : undefined;
}

/** What remains of the kept hashes once the code is used, or undefined where it is none of them. All are compared, in constant time. */
export function withoutRecoveryCode(
  kept: { readonly salt: string; readonly recoveryCodes: readonly string[] },
  code: string,
): readonly string[] | undefined {
  const wanted = Buffer.from(hashOf(kept.salt, code), 'hex');
  const rest = kept.recoveryCodes.filter((hash) => {
    const candidate = Buffer.from(hash, 'hex');
    return candidate.length !== wanted.length || !timingSafeEqual(candidate, wanted);
  });
  return rest.length === kept.recoveryCodes.length ? undefined : rest;
}

function hashOf(salt: string, code: string): string {
  return createHash('sha256').update(Buffer.from(salt, 'hex')).update(code, 'latin1').digest('hex');
}

function base32(bytes: Uint8Array): string {
  let bits = 0n;
  for (const byte of bytes) bits = (bits << 8n) | BigInt(byte);
  const digits = Array.from({ length: (bytes.length * 8) / 5 }, (_digit, index) => {
    const shift = BigInt(bytes.length * 8 - 5 * (index + 1));
    return alphabet.charAt(Number((bits >> shift) & 31n));
  });
  return digits.join('');
}

function bytesOf(randomBytes: (size: number) => Uint8Array, size: number): Uint8Array {
  const bytes = randomBytes(size);
  if (bytes.length !== size)
    throw new TotpError(
      'bad-randomness',
      `the source of randomness gave ${bytes.length} bytes instead of ${size}; pass node:crypto's randomBytes`,
    );
  return bytes;
}
