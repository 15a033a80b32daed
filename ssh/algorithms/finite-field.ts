import { createDiffieHellmanGroup, type DiffieHellmanGroup } from 'node:crypto';
import { WireWriter } from '../wire/index.ts';
import { AlgorithmError } from './algorithm-error.ts';
import type { KeyExchangeMethod } from './key-exchange-method.ts';

/** RFC 3526 groups by the names of RFC 8268. */
type GroupName = 'modp14' | 'modp16' | 'modp18';

/**
 * Diffie-Hellman over a fixed group (RFC 4253 §8, RFC 8268). e and f travel as mpints, whose framing is that of the strings which the other
 * methods send: `publicValue` holds the two's complement bytes that are framed and hashed.
 */
export function finiteField(group: GroupName, hash: 'sha256' | 'sha512'): KeyExchangeMethod {
  return {
    hash,
    initiate() {
      const own = createDiffieHellmanGroup(group);
      const publicValue = asMpint(own.generateKeys());
      return { publicValue, finish: (peerValue) => secretFrom(own, peerValue) };
    },
    respond(peerValue) {
      const own = createDiffieHellmanGroup(group);
      const publicValue = asMpint(own.generateKeys());
      return { publicValue, secret: secretFrom(own, peerValue) };
    },
  };
}

/** @throws AlgorithmError where the value is not a minimal mpint in [2, p-2], which is what RFC 4253 §8 and SP 800-56A ask for. */
function secretFrom(own: DiffieHellmanGroup, peerValue: Buffer): Buffer {
  const value = magnitudeOf(peerValue);
  const prime = own.getPrime();
  const one = Buffer.of(1);
  const largest = Buffer.from(prime);
  // p is odd, so p - 1 differs in its last bit alone.
  largest[largest.length - 1] = (largest.at(-1) ?? 0) - 1;
  if (compare(value, one) <= 0 || compare(value, largest) >= 0) throw outOfRange();
  const secret = own.computeSecret(value);
  const encoded = new WireWriter(secret.length + 8).mpint(secret).finish();
  secret.fill(0);
  return encoded;
}

/** The bytes of an mpint without their length (RFC 4251 §5). */
function asMpint(magnitude: Buffer): Buffer {
  return new WireWriter(magnitude.length + 8).mpint(magnitude).finish().subarray(4);
}

function magnitudeOf(mpint: Buffer): Buffer {
  const [first, second] = mpint;
  if (first === undefined || first >= 0x80) throw outOfRange();
  if (first !== 0) return mpint;
  // A leading zero is there only to keep the number positive.
  if (second === undefined || second < 0x80) throw outOfRange();
  return mpint.subarray(1);
}

/** Of magnitudes without leading zeros. Public values: no need for constant time. */
function compare(a: Buffer, b: Buffer): number {
  return a.length === b.length ? a.compare(b) : a.length - b.length;
}

function outOfRange(): AlgorithmError {
  return new AlgorithmError('bad-public-value', "the peer's Diffie-Hellman value is not between 1 and p - 1");
}
