import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sntrup761 } from '../../../ssh/algorithms/sntrup761.ts';
import { decodeNumbers, encodeNumbers } from '../../../ssh/algorithms/sntrup761-encoding.ts';
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
} from '../../../ssh/algorithms/sntrup761-ring.ts';

const small = fc
  .array(fc.integer({ min: -1, max: 1 }), { minLength: P, maxLength: P })
  .map((values) => Int32Array.from(values));
const one = Int32Array.from({ length: P }, (_, index) => (index === 0 ? 1 : 0));
const slow = { numRuns: 5 };

describe('sntrup761', () => {
  it('has the lengths that OpenSSH expects', () => {
    const { publicKey } = sntrup761.generate();
    const { ciphertext, secret } = sntrup761.encapsulate(publicKey);

    expect([publicKey.length, ciphertext.length, secret.length]).toEqual([1158, 1039, 32]);
  });

  it('gives the key’s owner the secret', () => {
    for (let round = 0; round < 3; round += 1) {
      const key = sntrup761.generate();
      const { ciphertext, secret } = sntrup761.encapsulate(key.publicKey);

      expect(key.decapsulate(ciphertext)).toEqual(secret);
    }
  });

  it('answers a ciphertext changed in any part with another secret, always the same one', () => {
    const key = sntrup761.generate();
    const { ciphertext, secret } = sntrup761.encapsulate(key.publicKey);
    const seen = new Set([secret.toString('hex')]);
    const places = [0, 1, 500, 1006, 1007, 1038];

    for (const index of places) {
      const forged = Buffer.from(ciphertext);
      forged.writeUInt8(forged.readUInt8(index) ^ 1, index);
      const answer = key.decapsulate(forged);

      expect(key.decapsulate(forged)).toEqual(answer);
      seen.add(answer.toString('hex'));
    }

    expect(seen.size).toBe(1 + places.length);
  });

  it('answers the same refused ciphertext differently under another key', () => {
    const garbage = Buffer.alloc(1039, 7);

    expect(sntrup761.generate().decapsulate(garbage)).not.toEqual(sntrup761.generate().decapsulate(garbage));
  });

  it('takes any bytes of the right length as key and as ciphertext', () => {
    const key = sntrup761.generate();
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1158, maxLength: 1158 }),
        fc.uint8Array({ minLength: 1039, maxLength: 1039 }),
        (publicKey, ciphertext) => {
          expect(sntrup761.encapsulate(Buffer.from(publicKey)).ciphertext).toHaveLength(1039);
          expect(key.decapsulate(Buffer.from(ciphertext))).toHaveLength(32);
        },
      ),
      slow,
    );
  });

  it('draws the plaintext anew each time', () => {
    const { publicKey } = sntrup761.generate();
    const ciphertexts = [1, 2, 3].map(() => sntrup761.encapsulate(publicKey).ciphertext.toString('hex'));

    expect(new Set(ciphertexts).size).toBe(3);
  });
});

describe('the encoding of number sequences', () => {
  const sequence = fc
    .array(
      fc
        .integer({ min: 1, max: 16383 })
        .chain((modulus) => fc.tuple(fc.nat(modulus - 1), fc.constant(modulus))),
      { minLength: 1, maxLength: 800 },
    )
    .map((pairs) => ({
      numbers: pairs.map(([number]) => number),
      moduli: pairs.map(([, modulus]) => modulus),
    }));

  it('gives back what went in, for any moduli below 2^14', () => {
    fc.assert(
      fc.property(sequence, ({ numbers, moduli }) => {
        expect(decodeNumbers(encodeNumbers(numbers, moduli), moduli)).toEqual(numbers);
      }),
    );
  });

  it('takes a length that depends on the moduli alone', () => {
    fc.assert(
      fc.property(sequence, ({ numbers, moduli }) => {
        const zeroes = encodeNumbers(Array<number>(numbers.length).fill(0), moduli);

        expect(encodeNumbers(numbers, moduli)).toHaveLength(zeroes.length);
      }),
    );
  });

  it('reads any bytes as numbers below their moduli, also where bytes are missing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 1200 }), (bytes) => {
        for (const modulus of [Q, (Q + 2) / 3]) {
          const numbers = decodeNumbers(bytes, Array<number>(P).fill(modulus));

          expect(numbers).toHaveLength(P);
          expect(numbers.every((number) => number >= 0 && number < modulus)).toBe(true);
        }
      }),
    );
  });

  it('writes a single number low byte first', () => {
    expect(encodeNumbers([0x1234], [4591 * 3])).toEqual(Buffer.from([0x34, 0x12]));
    expect(encodeNumbers([5], [7])).toEqual(Buffer.from([5]));
    expect(encodeNumbers([0], [1])).toEqual(Buffer.alloc(0));
  });
});

describe('the ring', () => {
  it('reduces to the representatives around zero', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 24), max: 2 ** 24 }), (number) => {
        const reduced = modQ(number);

        expect(Math.abs(reduced)).toBeLessThanOrEqual(HALF_Q);
        expect(Math.abs((number - reduced) % Q)).toBe(0);
      }),
      { numRuns: 5000 },
    );
    for (let number = -2400; number <= 2400; number += 1) {
      expect(Math.abs(mod3(number))).toBeLessThanOrEqual(1);
      expect(Math.abs((number - mod3(number)) % 3)).toBe(0);
    }
  });

  it('tells zero from everything else by a mask', () => {
    expect([0, 1, -1, 2 ** 31 - 1, -(2 ** 31), 286].map(maskOfNonzero)).toEqual([0, -1, -1, -1, -1, -1]);
  });

  it('multiplies modulo x^761 - x - 1', () => {
    const power = (exponent: number) =>
      Int32Array.from({ length: P }, (_, index) => (index === exponent ? 1 : 0));

    // x^760 x = x + 1, and x^760 x^760 = x^759 (x + 1) = x^760 + x^759.
    const first = product(power(760), power(1));
    const second = product(power(760), power(760));

    expect(first).toEqual(Int32Array.from({ length: P }, (_, index) => (index < 2 ? 1 : 0)));
    expect(second).toEqual(
      Int32Array.from({ length: P }, (_, index) => (index === 759 || index === 760 ? 1 : 0)),
    );
  });

  it('inverts three times a polynomial modulo 4591', () => {
    fc.assert(
      fc.property(small, (polynomial) => {
        fc.pre(polynomial.some((value) => value !== 0));
        const triple = product(reciprocalOfTriple(polynomial), polynomial).map((value) =>
          modQ(3 * modQ(value)),
        );

        expect(triple).toEqual(one);
      }),
      slow,
    );
  });

  it('inverts a polynomial modulo 3, or says that it cannot', () => {
    fc.assert(
      fc.property(small, (polynomial) => {
        const inverse = reciprocalMod3(polynomial);

        if (inverse !== undefined) expect(product(polynomial, inverse).map(mod3)).toEqual(one);
      }),
      { numRuns: 20 },
    );
    expect(reciprocalMod3(new Int32Array(P))).toBeUndefined();
    expect(reciprocalMod3(one)).toEqual(one);
  });
});
