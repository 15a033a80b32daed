import { decapsulate, encapsulate, generateKeyPairSync, hash, type KeyObject } from 'node:crypto';
import { rawBytesOf, rawPublicKey } from '../keys/index.ts';
import { WireWriter } from '../wire/index.ts';
import { AlgorithmError } from './algorithm-error.ts';
import { X25519_BYTES, x25519KeyPair, x25519Secret } from './elliptic-curve.ts';
import type { KeyExchangeMethod } from './key-exchange-method.ts';

const ENCAPSULATION_KEY_BYTES = 1184;
const CIPHERTEXT_BYTES = 1088;

/**
 * mlkem768x25519-sha256 (draft-ietf-sshm-mlkem-hybrid-kex): both values concatenated, ML-KEM first;
 * K = SHA-256(K_PQ || K_CL), hashed as `string` and not as mpint.
 */
export const mlkem768x25519: KeyExchangeMethod = {
  hash: 'sha256',
  initiate() {
    const classical = x25519KeyPair();
    const { privateKey, publicKey } = generateKeyPairSync('ml-kem-768');
    return {
      publicValue: Buffer.concat([rawBytesOf(publicKey), classical.publicValue]),
      finish(peerValue) {
        expectLength(peerValue, CIPHERTEXT_BYTES + X25519_BYTES);
        const quantum = decapsulated(privateKey, peerValue.subarray(0, CIPHERTEXT_BYTES));
        return combined(quantum, x25519Secret(classical.privateKey, peerValue.subarray(CIPHERTEXT_BYTES)));
      },
    };
  },
  respond(peerValue) {
    expectLength(peerValue, ENCAPSULATION_KEY_BYTES + X25519_BYTES);
    const { sharedKey, ciphertext } = encapsulated(peerValue.subarray(0, ENCAPSULATION_KEY_BYTES));
    const classical = x25519KeyPair();
    return {
      publicValue: Buffer.concat([ciphertext, classical.publicValue]),
      secret: combined(
        sharedKey,
        x25519Secret(classical.privateKey, peerValue.subarray(ENCAPSULATION_KEY_BYTES)),
      ),
    };
  },
};

function expectLength(value: Buffer, expected: number): void {
  if (value.length !== expected)
    throw new AlgorithmError(
      'bad-public-value',
      `the peer's mlkem768x25519 value has ${value.length} bytes instead of ${expected}`,
    );
}

function encapsulated(key: Buffer): { readonly sharedKey: Buffer; readonly ciphertext: Buffer } {
  try {
    return encapsulate(rawPublicKey('ml-kem-768', key));
  } catch (cause) {
    throw new AlgorithmError('bad-public-value', "the peer's ML-KEM-768 key is invalid", { cause });
  }
}

/** A wrong ciphertext of the right length gives another secret, not an error (FIPS 203, implicit rejection). */
export function decapsulated(privateKey: KeyObject, ciphertext: Buffer): Buffer {
  try {
    return decapsulate(privateKey, ciphertext);
  } catch (cause) {
    throw new AlgorithmError('bad-public-value', "the peer's ML-KEM-768 ciphertext is invalid", { cause });
  }
}

function combined(quantum: Buffer, classical: Buffer): Buffer {
  const both = Buffer.concat([quantum, classical]);
  const secret = hash('sha256', both, 'buffer');
  both.fill(0);
  quantum.fill(0);
  classical.fill(0);
  return new WireWriter(secret.length + 4).string(secret).finish();
}
