import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  sign,
} from 'node:crypto';
import { WireWriter } from '../wire/index.ts';
import type { PrivateKey, PublicKey, SignatureAlgorithm } from './contract.ts';
import { KeyError } from './key-error.ts';
import { curves, rsaHash } from './key-family.ts';
import { publicKeyFromKeyObject } from './public-key.ts';

export type PrivateKeyType = 'ed25519' | 'ecdsa-p256' | 'ecdsa-p384' | 'ecdsa-p521' | 'rsa-3072';

/** Makes a new key. `ed25519` takes microseconds and suits keys of one session; `rsa-3072` blocks for a good part of a second. */
export function generatePrivateKey(type: PrivateKeyType): PrivateKey {
  const pair = generators[type]();
  return new HeldPrivateKey(publicKeyFromKeyObject(pair.publicKey), pair.privateKey);
}

/**
 * The SSH form of a node:crypto private key.
 *
 * @throws KeyError `unsupported-type`, `weak`, or `malformed` where its private and public halves do not belong together.
 */
export function privateKeyFromKeyObject(keyObject: KeyObject): PrivateKey {
  const key = new HeldPrivateKey(publicKeyFromKeyObject(createPublicKey(keyObject)), keyObject);
  if (!ownSignatureVerifies(key))
    throw new KeyError('malformed', 'the private and public halves of a key do not belong together');
  return key;
}

/**
 * The KeyObject behind a key of this module.
 *
 * @throws KeyError `not-exportable` for any other implementation of `PrivateKey`.
 */
export function keyObjectOf(key: PrivateKey): KeyObject {
  return HeldPrivateKey.keyObjectOf(key);
}

/** RFC 5656 §3.1.2 signature body from r and s. */
export function ecdsaSignatureBody(r: Uint8Array, s: Uint8Array): Buffer {
  return new WireWriter(160).mpint(r).mpint(s).finish();
}

const generators: Record<PrivateKeyType, () => KeyPairKeyObjectResult> = {
  ed25519: () => generateKeyPairSync('ed25519'),
  'ecdsa-p256': () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  'ecdsa-p384': () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
  'ecdsa-p521': () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
  'rsa-3072': () => generateKeyPairSync('rsa', { modulusLength: 3072 }),
};

function ownSignatureVerifies(key: PrivateKey): boolean {
  const algorithm = key.publicKey.algorithms[0];
  if (algorithm === undefined) return false;
  const probe = Buffer.from('both halves of one key');
  try {
    return key.publicKey.verify(probe, key.sign(probe, algorithm)).valid;
  } catch (cause) {
    throw new KeyError('malformed', 'a private key cannot sign', { cause });
  }
}

/** A class so that the secret stands in a private field: inspecting or serialising the key shows only its public half. */
class HeldPrivateKey implements PrivateKey {
  readonly publicKey: PublicKey;
  readonly #keyObject: KeyObject;

  constructor(publicKey: PublicKey, keyObject: KeyObject) {
    this.publicKey = publicKey;
    this.#keyObject = keyObject;
  }

  static keyObjectOf(key: PrivateKey): KeyObject {
    if (#keyObject in key) return key.#keyObject;
    throw new KeyError(
      'not-exportable',
      'the secret of this key is not in this process; export it where it is',
    );
  }

  sign(data: Uint8Array, algorithm: SignatureAlgorithm): Buffer {
    if (!this.publicKey.algorithms.includes(algorithm))
      throw new KeyError(
        'unsupported-algorithm',
        `a ${this.publicKey.type} key cannot sign with ${algorithm}`,
      );
    return new WireWriter(160).string(algorithm).string(this.#signatureBytes(data, algorithm)).finish();
  }

  #signatureBytes(data: Uint8Array, algorithm: SignatureAlgorithm): Buffer {
    switch (this.#keyObject.asymmetricKeyType) {
      case 'ed25519':
        return sign(null, data, this.#keyObject);
      case 'rsa':
        return sign(rsaHash(algorithm), data, this.#keyObject);
      default:
        return this.#ecdsaBytes(data, algorithm);
    }
  }

  #ecdsaBytes(data: Uint8Array, algorithm: SignatureAlgorithm): Buffer {
    const curve = curves.find((each) => algorithm === `ecdsa-sha2-${each.name}`);
    if (curve === undefined)
      throw new KeyError('unsupported-algorithm', `${algorithm} is not an algorithm of ecdsa keys`);
    const joined = sign(curve.hash, data, { key: this.#keyObject, dsaEncoding: 'ieee-p1363' });
    const half = curve.coordinateBytes;
    return ecdsaSignatureBody(joined.subarray(0, half), joined.subarray(half));
  }
}
