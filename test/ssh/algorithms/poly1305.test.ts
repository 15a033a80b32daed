import { poly1305 as independent } from '@noble/ciphers/_poly1305.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { poly1305 } from '../../../ssh/algorithms/poly1305.ts';
import { poly1305Module } from '../../../ssh/algorithms/poly1305-module.ts';
import macs from '../../vectors/ssh-algorithms/macs.json' with { type: 'json' };
import { poly1305 as reference } from './reference-mac.ts';

/** Bytes that sit at the limbs' edges as often as anywhere else. */
const edgeBytes = (minLength: number, maxLength: number) =>
  fc
    .array(fc.oneof(fc.constantFrom(0, 1, 3, 0xfa, 0xfb, 0xfc, 0xfe, 0xff), fc.nat(255)), {
      minLength,
      maxLength,
    })
    .map((values) => Buffer.from(values));

describe('poly1305', () => {
  it.each(macs.poly1305)('gives what $source says', ({ key, data, tag }) => {
    expect(poly1305(Buffer.from(data, 'hex'), Buffer.from(key, 'hex')).toString('hex')).toBe(tag);
  });

  it('agrees with the definition and with another implementation on any message', () => {
    fc.assert(
      fc.property(edgeBytes(0, 130), edgeBytes(32, 32), (message, key) => {
        const tag = poly1305(message, key);

        expect(tag).toEqual(reference(key, message));
        expect(tag).toEqual(Buffer.from(independent(message, key)));
      }),
      { numRuns: 500 },
    );
  });

  it('carries through sums just below, at and above the modulus', () => {
    const key = Buffer.concat([Buffer.from([1]), Buffer.alloc(31)]);
    for (let last = 0xf0; last <= 0xff; last += 1) {
      // With r = 1 the sum is that of the blocks: 2^128 + 2^128 - 1 and so on up to 2^130 and over it.
      const block = Buffer.alloc(16, 0xff);
      block[0] = last;
      const message = Buffer.concat([block, block, block, Buffer.alloc(16, 0xff)]);

      expect(poly1305(message, key)).toEqual(reference(key, message));
    }
  });

  it('takes a message as long as a packet can be, from any place in memory', () => {
    const memory = Buffer.alloc(256 * 1024 + 21, 0xc3);
    const message = memory.subarray(17);
    const key = Buffer.alloc(32, 0xee);

    expect(poly1305(message, key)).toEqual(Buffer.from(independent(message, key)));
  });

  it('keeps nothing of one message for the next', () => {
    const key = Buffer.alloc(32, 0x7f);
    const first = poly1305(Buffer.alloc(21, 9), key);

    poly1305(Buffer.alloc(500, 0xff), Buffer.alloc(32, 0xff));

    expect(poly1305(Buffer.alloc(21, 9), key)).toEqual(first);
  });

  it('refuses a message that its memory does not hold', () => {
    expect(() => poly1305(Buffer.alloc(5 * 65536), Buffer.alloc(32))).toThrow(RangeError);
  });

  it('runs a module of a few hundred bytes, the same each time', () => {
    expect(poly1305Module()).toEqual(poly1305Module());
    expect(poly1305Module().length).toBeLessThan(1500);
  });
});
