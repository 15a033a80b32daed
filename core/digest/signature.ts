import { createPublicKey, hash, type KeyObject, verify } from 'node:crypto';
import type { Signer } from '#core/contract';
import { type Digest, type DigestStatement, encodeDigest, encodeStatement, signedMessage } from './digest.ts';

/** A key that digests may be signed by. */
export type DigestKey = {
  /** SHA-256 of its DER SubjectPublicKeyInfo, lower-case hex. */
  readonly keyId: string;
  readonly algorithm: Signer['algorithm'];
  readonly key: KeyObject;
};

/** The digest's object. */
export async function signDigest(
  signer: Signer,
  unsigned: Omit<DigestStatement, 'algorithm' | 'keyId'>,
): Promise<Buffer> {
  const { algorithm, publicKeySpki } = signer;
  const line = encodeStatement({ ...unsigned, algorithm, keyId: digestKeyId(publicKeySpki) });
  return encodeDigest(line, await signer.sign(signedMessage(hash('sha256', line, 'hex'))));
}

export function digestKeyId(publicKeySpki: Uint8Array): string {
  return hash('sha256', publicKeySpki, 'hex');
}

/** Undefined for a key that digests cannot be signed by. `spki` is PEM or DER. */
export function digestKeyOf(spki: string | Uint8Array): DigestKey | undefined {
  let key: KeyObject;
  try {
    key =
      typeof spki === 'string'
        ? createPublicKey({ key: spki, format: 'pem' })
        : createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
  } catch {
    // OpenSSL's reason is left out: it says nothing a person could use.
    return undefined;
  }
  const algorithm = algorithmOf(key);
  if (algorithm === undefined) return undefined;
  return { keyId: digestKeyId(key.export({ type: 'spki', format: 'der' })), algorithm, key };
}

/** Whether one of the keys, by key id, signed it. */
export function isSignedBy(digest: Digest, keys: ReadonlyMap<string, DigestKey>): boolean {
  const { keyId, algorithm } = digest.statement;
  const trusted = keys.get(keyId);
  if (trusted === undefined || trusted.algorithm !== algorithm) return false;
  const message = signedMessage(digest.statementSha256);
  try {
    return verify(algorithm === 'ed25519' ? null : 'sha256', message, trusted.key, digest.signature);
  } catch {
    // A signature that is none at all.
    return false;
  }
}

function algorithmOf(key: KeyObject): Signer['algorithm'] | undefined {
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519';
  const isP256 = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === 'prime256v1';
  return isP256 ? 'ecdsa-p256-sha256' : undefined;
}
