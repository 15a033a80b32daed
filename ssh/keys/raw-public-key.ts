import { createPublicKey, type KeyObject } from 'node:crypto';

/** Types whose public keys are plain bytes to node:crypto. */
export type RawKeyType = 'ed25519' | 'x25519' | 'ml-kem-768';

/** A public key from its bytes alone. @throws whatever OpenSSL says of bytes that are none. */
export function rawPublicKey(asymmetricKeyType: RawKeyType, key: Buffer): KeyObject {
  return withoutStackTraces(() => createPublicKey({ key, format: 'raw-public', asymmetricKeyType }));
}

export function rawBytesOf(publicKey: KeyObject): Buffer {
  return publicKey.export({ format: 'raw-public' });
}

/**
 * Runs without collecting stack traces. To tell what it was given, node:crypto throws and catches up to four errors inside each
 * import of a key: their traces take twice as long as the import itself.
 */
export function withoutStackTraces<Result>(run: () => Result): Result {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  try {
    return run();
  } finally {
    Error.stackTraceLimit = limit;
  }
}
