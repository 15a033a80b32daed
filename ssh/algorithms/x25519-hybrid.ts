import { hash as digestOf } from 'node:crypto';
import { WireWriter } from '../wire/index.ts';
import { AlgorithmError } from './algorithm-error.ts';
import { X25519_BYTES, x25519KeyPair, x25519Secret } from './elliptic-curve.ts';
import type { KeyEncapsulation } from './key-encapsulation.ts';
import type { KeyExchangeMethod } from './key-exchange-method.ts';

/**
 * draft-ietf-sshm-mlkem-hybrid-kex and draft-ietf-sshm-ntruprime-ssh: both values concatenated, X25519 last;
 * K = HASH(K_PQ || K_CL), hashed as `string` and not as mpint.
 */
export function x25519Hybrid(mechanism: KeyEncapsulation, hash: 'sha256' | 'sha512'): KeyExchangeMethod {
  const { publicKeyBytes, ciphertextBytes } = mechanism;
  const expectLength = (value: Buffer, expected: number): void => {
    if (value.length !== expected)
      throw new AlgorithmError(
        'bad-public-value',
        `the peer's ${mechanism.name} and X25519 value has ${value.length} bytes instead of ${expected}`,
      );
  };
  return {
    hash,
    initiate() {
      const classical = x25519KeyPair();
      const quantum = mechanism.generate();
      return {
        publicValue: Buffer.concat([quantum.publicKey, classical.publicValue]),
        finish(peerValue) {
          expectLength(peerValue, ciphertextBytes + X25519_BYTES);
          const secret = quantum.decapsulate(peerValue.subarray(0, ciphertextBytes));
          return combined(
            hash,
            secret,
            x25519Secret(classical.privateKey, peerValue.subarray(ciphertextBytes)),
          );
        },
      };
    },
    respond(peerValue) {
      expectLength(peerValue, publicKeyBytes + X25519_BYTES);
      const classical = x25519KeyPair();
      // First what costs little: a bad point ends it before the large key is worked with.
      const classicalSecret = x25519Secret(classical.privateKey, peerValue.subarray(publicKeyBytes));
      const { secret, ciphertext } = mechanism.encapsulate(peerValue.subarray(0, publicKeyBytes));
      return {
        publicValue: Buffer.concat([ciphertext, classical.publicValue]),
        secret: combined(hash, secret, classicalSecret),
      };
    },
  };
}

function combined(hash: string, quantum: Buffer, classical: Buffer): Buffer {
  const both = Buffer.concat([quantum, classical]);
  const secret = digestOf(hash, both, 'buffer');
  both.fill(0);
  quantum.fill(0);
  classical.fill(0);
  const encoded = new WireWriter(secret.length + 4).string(secret).finish();
  secret.fill(0);
  return encoded;
}
