import { createECDH, diffieHellman, type ECDH, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { rawBytesOf, rawPublicKey } from '../keys/index.ts';
import { WireWriter } from '../wire/index.ts';
import { AlgorithmError } from './algorithm-error.ts';
import type { KeyExchangeMethod } from './key-exchange-method.ts';

export const X25519_BYTES = 32;

/** RFC 8731: curve25519-sha256. */
export const curve25519: KeyExchangeMethod = {
  hash: 'sha256',
  initiate() {
    const own = x25519KeyPair();
    return {
      publicValue: own.publicValue,
      finish: (peerValue) => asMpint(x25519Secret(own.privateKey, peerValue)),
    };
  },
  respond(peerValue) {
    const own = x25519KeyPair();
    return {
      publicValue: own.publicValue,
      secret: asMpint(x25519Secret(own.privateKey, peerValue)),
    };
  },
};

/** RFC 5656 §4: ecdh over a NIST curve; points travel uncompressed. */
export function nistCurve(
  curve: string,
  pointBytes: number,
  hash: 'sha256' | 'sha384' | 'sha512',
): KeyExchangeMethod {
  const secretFrom = (own: ECDH, peerValue: Buffer): Buffer => {
    if (peerValue.length !== pointBytes)
      throw new AlgorithmError('bad-public-value', `the peer's ${curve} point is not ${pointBytes} bytes`);
    return asMpint(nistSecret(own, peerValue));
  };
  return {
    hash,
    initiate() {
      const own = createECDH(curve);
      return { publicValue: own.generateKeys(), finish: (peerValue) => secretFrom(own, peerValue) };
    },
    respond(peerValue) {
      const own = createECDH(curve);
      return { publicValue: own.generateKeys(), secret: secretFrom(own, peerValue) };
    },
  };
}

/** @throws AlgorithmError where the point is compressed, at infinity or not on the curve. */
export function nistSecret(own: ECDH, peerValue: Buffer): Buffer {
  if (peerValue[0] !== 0x04)
    throw new AlgorithmError('bad-public-value', "the peer's point is not an uncompressed one");
  try {
    return own.computeSecret(peerValue);
  } catch (cause) {
    throw new AlgorithmError('bad-public-value', "the peer's point is not on its curve", { cause });
  }
}

export function x25519KeyPair(): { readonly privateKey: KeyObject; readonly publicValue: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('x25519');
  return { privateKey, publicValue: rawBytesOf(publicKey) };
}

/** @throws AlgorithmError where the value has the wrong length or the secret comes out as zero (RFC 7748 §6.1). */
export function x25519Secret(privateKey: KeyObject, peerValue: Buffer): Buffer {
  if (peerValue.length !== X25519_BYTES)
    throw new AlgorithmError('bad-public-value', `the peer's X25519 value has ${peerValue.length} bytes`);
  let secret: Buffer;
  try {
    secret = diffieHellman({ privateKey, publicKey: rawPublicKey('x25519', peerValue) });
  } catch (cause) {
    throw new AlgorithmError('bad-public-value', "the peer's X25519 value gives no secret", { cause });
  }
  if (secret.every((byte) => byte === 0))
    throw new AlgorithmError('bad-public-value', "the peer's X25519 value gives an all-zero secret");
  return secret;
}

function asMpint(secret: Buffer): Buffer {
  const encoded = new WireWriter(secret.length + 8).mpint(secret).finish();
  secret.fill(0);
  return encoded;
}
