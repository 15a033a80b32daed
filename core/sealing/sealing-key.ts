import { createECDH, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { SealingError } from './sealing-error.ts';

/** Key agreements a sealed original may use, with their number in its header and the bytes of a public key. */
export const suites = {
  x25519: { number: 1, publicKeyBytes: 32 },
  p256: { number: 2, publicKeyBytes: 65 },
} as const;
export type SuiteName = keyof typeof suites;

export type SealingKey = {
  readonly suite: SuiteName;
  /** X25519: RFC 7748 §5. P-256: the uncompressed point, SEC 1 §2.3.3. */
  readonly bytes: Buffer;
  readonly object: KeyObject;
};

/** PKCS #8 of an X25519 private key, without its 32 bytes (RFC 8410 §7). */
const x25519PrivateHead = Buffer.from('302e020100300506032b656e04220420', 'hex');

/**
 * Reads `x25519:BASE64` or `p256:BASE64`, the public key as it stands in a configuration.
 * @throws SealingError `bad-key`
 */
export function parseSealingKey(text: string): SealingKey {
  const [, name, base64 = ''] = /^(x25519|p256):([A-Za-z0-9+/]{40,90}={0,2})$/.exec(text) ?? [];
  if (name !== 'x25519' && name !== 'p256')
    throw new SealingError(
      'bad-key',
      'that is no sealing key; write x25519: or p256: and the public key in base64',
    );
  return sealingKey(name, Buffer.from(base64, 'base64'));
}

/** @throws SealingError `bad-key` */
export function sealingKey(suite: SuiteName, bytes: Buffer): SealingKey {
  const wanted = suites[suite].publicKeyBytes;
  if (bytes.length !== wanted)
    throw new SealingError(
      'bad-key',
      `a public key of ${suite} has ${wanted} bytes, this has ${bytes.length}; export it again`,
    );
  try {
    return { suite, bytes, object: createPublicKey({ format: 'jwk', key: publicJwk(suite, bytes) }) };
  } catch (cause) {
    throw new SealingError('bad-key', `that is no public key of ${suite}; export it again`, { cause });
  }
}

export function sealingKeyText({ suite, bytes }: SealingKey): string {
  return `${suite}:${bytes.toString('base64')}`;
}

/**
 * The public half of an X25519 or P-256 private key.
 * @throws SealingError `bad-key`
 */
export function sealingKeyOf(privateKey: KeyObject): SealingKey {
  const { kty, crv, x = '', y = '' } = createPublicKey(privateKey).export({ format: 'jwk' });
  const first = Buffer.from(x, 'base64url');
  if (kty === 'OKP' && crv === 'X25519') return sealingKey('x25519', first);
  if (kty === 'EC' && crv === 'P-256')
    return sealingKey('p256', Buffer.concat([Buffer.from([4]), first, Buffer.from(y, 'base64url')]));
  throw new SealingError(
    'bad-key',
    'the private key is neither X25519 nor P-256; use the one made for sealing',
  );
}

/**
 * A private key from 32 random bytes.
 * @throws SealingError `bad-randomness`
 */
export function privateKeyFrom(suite: SuiteName, random: Uint8Array): KeyObject {
  if (random.length !== 32)
    throw new SealingError('bad-randomness', `${random.length} random bytes came; pass what gives 32`);
  try {
    if (suite === 'x25519')
      return createPrivateKey({
        format: 'der',
        type: 'pkcs8',
        key: Buffer.concat([x25519PrivateHead, random]),
      });
    const agreement = createECDH('prime256v1');
    agreement.setPrivateKey(random);
    const key = {
      ...publicJwk(suite, agreement.getPublicKey()),
      d: Buffer.from(random).toString('base64url'),
    };
    return createPrivateKey({ format: 'jwk', key });
  } catch (cause) {
    throw new SealingError('bad-randomness', 'the random bytes make no private key; pass others', { cause });
  }
}

function publicJwk(suite: SuiteName, bytes: Buffer) {
  if (suite === 'x25519') return { kty: 'OKP', crv: 'X25519', x: bytes.toString('base64url') };
  if (bytes[0] !== 4) throw new SealingError('bad-key', 'the point is not uncompressed; export it again');
  const [x, y] = [bytes.subarray(1, 33), bytes.subarray(33)].map((half) => half.toString('base64url'));
  return { kty: 'EC', crv: 'P-256', x: x ?? '', y: y ?? '' };
}
