import {
  createPublicKey,
  decapsulate,
  encapsulate,
  generateKeyPairSync,
  hash,
  type KeyObject,
} from 'node:crypto';
import { WireWriter } from '../wire/index.ts';
import { AlgorithmError } from './algorithm-error.ts';
import { X25519_BYTES, x25519KeyPair, x25519Secret } from './elliptic-curve.ts';
import type { KeyExchangeMethod } from './key-exchange-method.ts';

const ENCAPSULATION_KEY_BYTES = 1184;
const CIPHERTEXT_BYTES = 1088;

// What precedes the 1184 bytes of an ML-KEM-768 key in a SubjectPublicKeyInfo.
const spkiPrefix = Buffer.from('308204b2300b0609608648016503040402038204a100', 'hex');

/**
 * mlkem768x25519-sha256 (draft-ietf-sshm-mlkem-hybrid-kex): both values concatenated, ML-KEM first;
 * K = SHA-256(K_PQ || K_CL), hashed as `string` and not as mpint.
 */
export const mlkem768x25519: KeyExchangeMethod = {
  hash: 'sha256',
  initiate() {
    const classical = x25519KeyPair();
    const { privateKey, publicKey } = generateKeyPairSync('ml-kem-768');
    const encapsulationKey = publicKey.export({ format: 'der', type: 'spki' }).subarray(spkiPrefix.length);
    return {
      publicValue: Buffer.concat([encapsulationKey, classical.publicValue]),
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
    return encapsulate(
      createPublicKey({ key: Buffer.concat([spkiPrefix, key]), format: 'der', type: 'spki' }),
    );
  } catch (cause) {
    throw new AlgorithmError('bad-public-value', "the peer's ML-KEM-768 key is invalid", { cause });
  }
}

function decapsulated(privateKey: KeyObject, ciphertext: Buffer): Buffer {
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
