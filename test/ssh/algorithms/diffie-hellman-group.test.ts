import { getDiffieHellman } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AlgorithmError, keyExchangeNamed } from '../../../ssh/algorithms/index.ts';

const groups = [
  // RFC 3526 §3, §5 and §7: p = 2^bits - 2^(bits - 64) - 1 + 2^64 * (floor(2^(bits - 130) pi) + addend), g = 2.
  { method: 'diffie-hellman-group14-sha256', group: 'modp14', bits: 2048, addend: 124476n },
  { method: 'diffie-hellman-group16-sha512', group: 'modp16', bits: 4096, addend: 240904n },
  { method: 'diffie-hellman-group18-sha512', group: 'modp18', bits: 8192, addend: 4743158n },
] as const;

describe.each(groups)('$method', ({ method, group, bits, addend }) => {
  const p = number(getDiffieHellman(group).getPrime());

  it('works in the group that RFC 3526 defines', () => {
    const size = BigInt(bits);
    const digitsOfPi = pi(bits - 130);

    expect(p).toBe(2n ** size - 2n ** (size - 64n) - 1n + 2n ** 64n * (digitsOfPi + addend));
    expect(number(getDiffieHellman(group).getGenerator())).toBe(2n);
  });

  it.each([
    ['zero', 0n],
    ['one', 1n],
    ['p - 1', p - 1n],
    ['p', p],
    ['p + 1', p + 1n],
    ['a number over the size of p', 2n ** BigInt(bits + 8)],
  ])('refuses %s as either end’s value', (_name, value) => {
    expect(() => keyExchangeNamed(method).respond(mpint(value))).toThrow(AlgorithmError);
    expect(() => keyExchangeNamed(method).initiate().finish(mpint(value))).toThrow(AlgorithmError);
  });

  it.each([
    ['two', 2n],
    ['p - 2', p - 2n],
  ])('takes %s, the end of what the RFC allows', (_name, value) => {
    expect(keyExchangeNamed(method).respond(mpint(value)).secret.length).toBeGreaterThan(4);
  });

  it('refuses numbers that are not canonical mpints, which the two ends could hash differently', () => {
    const small = mpint(0x1234n);
    const large = mpint(p - 2n);

    for (const bad of [
      Buffer.concat([Buffer.alloc(1), small]),
      Buffer.concat([Buffer.alloc(1), large]),
      large.subarray(1),
      Buffer.from([0]),
      Buffer.from([0x80, 0]),
    ])
      expect(() => keyExchangeNamed(method).respond(bad)).toThrow(AlgorithmError);
  });
});

describe('diffie-hellman-group14-sha256', () => {
  const method = keyExchangeNamed('diffie-hellman-group14-sha256');
  const p = number(getDiffieHellman('modp14').getPrime());

  it('sends canonical mpints and computes e^y, whatever their leading bytes', () => {
    // Short values are one in 256: enough rounds to meet them, and both settings of the top bit.
    for (let round = 0; round < 40; round += 1) {
      const x = BigInt(round + 2) ** 20n;
      const { publicValue, secret } = method.respond(mpint(power(2n, x, p)));

      expect(publicValue).toEqual(mpint(number(publicValue)));
      const shared = mpint(power(number(publicValue), x, p));
      expect(secret.readUInt32BE(0)).toBe(shared.length);
      expect(secret.subarray(4)).toEqual(shared);
    }
  });

  it('keeps a secret’s leading zero bytes out of what is hashed', () => {
    const initiator = method.initiate();
    const e = number(initiator.publicValue);
    // The peer chooses its exponent until the secret comes out a byte short.
    let peerValue = 4n;
    let shared = (e * e) % p;
    while (mpint(shared).length > 255) {
      peerValue = (peerValue * 2n) % p;
      shared = (shared * e) % p;
    }

    const secret = initiator.finish(mpint(peerValue));

    expect(secret.subarray(4)).toEqual(mpint(shared));
    expect(secret.readUInt32BE(0)).toBe(secret.length - 4);
  });

  it('takes random bytes without any other error than its own', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        try {
          expect(method.respond(Buffer.from(bytes)).secret.length).toBeGreaterThan(4);
        } catch (error) {
          expect(error).toBeInstanceOf(AlgorithmError);
        }
      }),
      { numRuns: 100 },
    );
  });
});

function number(bytes: Buffer): bigint {
  return BigInt(`0x${bytes.toString('hex')}`);
}

/** Content of an mpint (RFC 4251 §5). */
function mpint(value: bigint): Buffer {
  if (value === 0n) return Buffer.alloc(0);
  const digits = value.toString(16);
  const bytes = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, 'hex');
  return bytes.readUInt8(0) >= 0x80 ? Buffer.concat([Buffer.alloc(1), bytes]) : bytes;
}

function power(base: bigint, exponent: bigint, modulus: bigint): bigint {
  let result = 1n;
  let square = base % modulus;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % modulus;
    square = (square * square) % modulus;
  }
  return result;
}

/** floor(2^bits * pi) by Machin's formula: pi = 16 arctan(1/5) - 4 arctan(1/239). */
function pi(bits: number): bigint {
  const guard = 32n;
  const one = 1n << (BigInt(bits) + guard);
  const arctanOfInverse = (divisor: bigint) => {
    let sum = 0n;
    let sign = 1n;
    let term = one / divisor;
    for (let odd = 1n; term > 0n; odd += 2n) {
      sum += sign * (term / odd);
      term /= divisor * divisor;
      sign = -sign;
    }
    return sum;
  };
  return (16n * arctanOfInverse(5n) - 4n * arctanOfInverse(239n)) >> guard;
}
