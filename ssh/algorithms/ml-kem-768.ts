import { decapsulate, encapsulate, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { rawBytesOf, rawPublicKey } from '../keys/index.ts';
import { AlgorithmError } from './algorithm-error.ts';
import type { KeyEncapsulation } from './key-encapsulation.ts';

/** FIPS 203, as OpenSSL does it. */
export const mlKem768: KeyEncapsulation = {
  name: 'ML-KEM-768',
  publicKeyBytes: 1184,
  ciphertextBytes: 1088,
  generate() {
    const { privateKey, publicKey } = generateKeyPairSync('ml-kem-768');
    return {
      publicKey: rawBytesOf(publicKey),
      decapsulate: (ciphertext) => decapsulated(privateKey, ciphertext),
    };
  },
  encapsulate(publicKey) {
    try {
      const { ciphertext, sharedKey } = encapsulate(rawPublicKey('ml-kem-768', publicKey));
      return { ciphertext, secret: sharedKey };
    } catch (cause) {
      throw new AlgorithmError('bad-public-value', "the peer's ML-KEM-768 key is invalid", { cause });
    }
  },
};

/** A wrong ciphertext of the right length gives another secret, not an error (FIPS 203 §6.3). */
export function decapsulated(privateKey: KeyObject, ciphertext: Buffer): Buffer {
  try {
    return decapsulate(privateKey, ciphertext);
  } catch (cause) {
    throw new AlgorithmError('bad-public-value', "the peer's ML-KEM-768 ciphertext is invalid", { cause });
  }
}
