import { hash, randomFillSync } from 'node:crypto';
import type { KeyEncapsulation } from './key-encapsulation.ts';
import { decodeNumbers, encodeNumbers } from './sntrup761-encoding.ts';
import {
  HALF_Q,
  maskOfNonzero,
  mod3,
  modQ,
  P,
  product,
  Q,
  reciprocalMod3,
  reciprocalOfTriple,
} from './sntrup761-ring.ts';

/** Coefficients of a short polynomial that are not zero. */
const WEIGHT = 286;
const ROUNDED_BYTES = 1007;
const HASH_BYTES = 32;
const SMALL_BYTES = Math.ceil(P / 4);

const moduliOfQ = Array<number>(P).fill(Q);
/** Of rounded coefficients, which are multiples of 3. */
const moduliOfRounded = Array<number>(P).fill((Q + 2) / 3);

type PrivateKey = {
  readonly f: Int32Array;
  readonly inverseOfG: Int32Array;
  readonly publicKey: Buffer;
  /** Stands in for the plaintext of a ciphertext that is refused. */
  readonly rho: Buffer;
};

/**
 * Streamlined NTRU Prime 761 (NTRU Prime: round 3, 2020-10-07), in the encodings of OpenSSH's sntrup761.
 *
 * No branch, loop bound or table index depends on a secret. What JavaScript cannot promise: that the engine compiles the
 * arithmetic to instructions of constant time, and that it keeps no copies of secrets which cannot be erased. Keys live for
 * one exchange only, and X25519 stands beside it.
 */
export const sntrup761: KeyEncapsulation = {
  name: 'sntrup761',
  publicKeyBytes: 1158,
  ciphertextBytes: ROUNDED_BYTES + HASH_BYTES,
  generate() {
    const key = generateKey();
    return { publicKey: key.publicKey, decapsulate: (ciphertext) => decapsulate(key, ciphertext) };
  },
  encapsulate(publicKey) {
    const plaintext = randomShort();
    const encoded = encodeSmall(plaintext);
    const ciphertext = hide(plaintext, encoded, publicKey);
    const secret = sessionKey(1, encoded, ciphertext);
    plaintext.fill(0);
    encoded.fill(0);
    return { ciphertext, secret };
  },
};

function generateKey(): PrivateKey {
  let g = randomSmall();
  let inverseOfG = reciprocalMod3(g);
  while (inverseOfG === undefined) {
    g = randomSmall();
    inverseOfG = reciprocalMod3(g);
  }
  const f = randomShort();
  const h = product(reciprocalOfTriple(f), g).map(modQ);
  g.fill(0);
  const publicKey = encodeNumbers(
    Array.from(h, (coefficient) => coefficient + HALF_Q),
    moduliOfQ,
  );
  return { f, inverseOfG, publicKey, rho: randomFillSync(Buffer.allocUnsafeSlow(SMALL_BYTES)) };
}

function decapsulate(key: PrivateKey, ciphertext: Buffer): Buffer {
  const plaintext = decrypted(key, ciphertext.subarray(0, ROUNDED_BYTES));
  const encoded = encodeSmall(plaintext);
  const expected = hide(plaintext, encoded, key.publicKey);
  plaintext.fill(0);
  let difference = 0;
  for (const [index, byte] of expected.entries()) difference |= byte ^ (ciphertext[index] ?? 0);
  const refused = maskOfNonzero(difference);
  for (let index = 0; index < SMALL_BYTES; index += 1) {
    const byte = encoded[index] ?? 0;
    encoded[index] = byte ^ (refused & (byte ^ (key.rho[index] ?? 0)));
  }
  const secret = sessionKey(1 + refused, encoded, ciphertext);
  encoded.fill(0);
  return secret;
}

/** The plaintext; a fixed one where the ciphertext holds none of the right weight. */
function decrypted({ f, inverseOfG }: PrivateKey, ciphertext: Buffer): Int32Array {
  const rounded = Int32Array.from(decodeNumbers(ciphertext, moduliOfRounded), (value) => 3 * value - HALF_Q);
  const masked = product(rounded, f).map((value) => mod3(modQ(3 * modQ(value))));
  const plaintext = product(masked, inverseOfG).map(mod3);
  masked.fill(0);
  let weight = 0;
  for (const value of plaintext) weight += value & 1;
  const wrong = maskOfNonzero(weight - WEIGHT);
  return plaintext.map((value, index) => {
    const fixed = index < WEIGHT ? 1 : 0;
    return value ^ (wrong & (value ^ fixed));
  });
}

/** The ciphertext of a plaintext: h r rounded to multiples of 3, and the hash that confirms it. */
function hide(plaintext: Int32Array, encoded: Buffer, publicKey: Buffer): Buffer {
  const h = Int32Array.from(decodeNumbers(publicKey, moduliOfQ), (value) => value - HALF_Q);
  const rounded = Array.from(product(h, plaintext), (value) => {
    const coefficient = modQ(value);
    return ((coefficient - mod3(coefficient) + HALF_Q) * 10923) >> 15;
  });
  const confirmation = prefixedHash(2, [prefixedHash(3, [encoded]), prefixedHash(4, [publicKey])]);
  return Buffer.concat([encodeNumbers(rounded, moduliOfRounded), confirmation]);
}

/** `outcome` is 1, or 0 where the ciphertext was refused. */
function sessionKey(outcome: number, encoded: Buffer, ciphertext: Buffer): Buffer {
  return prefixedHash(outcome, [prefixedHash(3, [encoded]), ciphertext]);
}

function prefixedHash(prefix: number, parts: readonly Buffer[]): Buffer {
  const input = Buffer.concat([Buffer.from([prefix]), ...parts]);
  const digest = hash('sha512', input, 'buffer');
  input.fill(0);
  return digest.subarray(0, HASH_BYTES);
}

/** Two bits a coefficient, the first in the lowest. */
function encodeSmall(coefficients: Int32Array): Buffer {
  const out = Buffer.alloc(SMALL_BYTES);
  for (const [index, value] of coefficients.entries()) {
    const byte = index >> 2;
    out[byte] = (out[byte] ?? 0) | ((value + 1) << (2 * (index & 3)));
  }
  return out;
}

function randomSmall(): Int32Array {
  return randomNumbers().map((number) => (((number & 0x3fffffff) * 3) >>> 30) - 1);
}

/** WEIGHT coefficients of -1 and 1, the others 0, in an order that sorting random numbers gives. */
function randomShort(): Int32Array {
  const numbers = randomNumbers().map((number, index) => (index < WEIGHT ? number & -2 : (number & -3) | 1));
  sortInPublicOrder(numbers);
  return numbers.map((number) => (number & 3) - 1);
}

function randomNumbers(): Int32Array {
  return randomFillSync(new Int32Array(P));
}

/** Batcher's merge exchange (Knuth 5.2.2 M): which places are compared does not depend on what they hold. */
function sortInPublicOrder(numbers: Int32Array): void {
  const half = 2 ** (Math.ceil(Math.log2(numbers.length)) - 1);
  for (let p = half; p > 0; p >>= 1) {
    let distance = p;
    let rest = 0;
    for (let q = half; ; q >>= 1) {
      for (let i = 0; i + distance < numbers.length; i += 1) {
        if ((i & p) === rest) orderPair(numbers, i, i + distance);
      }
      if (q === p) break;
      distance = q - p;
      rest = p;
    }
  }
}

function orderPair(numbers: Int32Array, low: number, high: number): void {
  const a = numbers[low] ?? 0;
  const b = numbers[high] ?? 0;
  const difference = (b - a) | 0;
  // -1 where b < a, also where the difference overflows.
  const less = (difference ^ ((a ^ b) & (difference ^ b))) >> 31;
  const exchanged = less & (a ^ b);
  numbers[low] = a ^ exchanged;
  numbers[high] = b ^ exchanged;
}
