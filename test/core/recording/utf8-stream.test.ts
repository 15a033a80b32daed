import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createUtf8Stream } from '../../../core/recording/utf8-stream.ts';

const hostileByte = fc.constantFrom(
  0x41,
  0x80,
  0xbf,
  0xc2,
  0xc0,
  0xe0,
  0xed,
  0xa0,
  0xef,
  0xbb,
  0xf0,
  0x90,
  0xf4,
  0xff,
);
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.array(hostileByte, { maxLength: 40 }).map((list) => Uint8Array.from(list)),
);

function decodeInPieces(whole: Uint8Array, cuts: readonly number[]): { text: string; invalidBytes: number } {
  const stream = createUtf8Stream();
  const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length].sort((a, b) => a - b);
  const parts = places.slice(1).map((end, index) => stream.decode(whole.slice(places[index], end)));
  const all = [...parts, stream.end()];
  return {
    text: all.map((part) => part.text).join(''),
    invalidBytes: all.reduce((sum, part) => sum + part.invalidBytes, 0),
  };
}

describe('createUtf8Stream', () => {
  it('gives what a whole decoding gives, wherever the bytes are cut', () => {
    fc.assert(
      fc.property(bytes, fc.array(fc.nat(), { maxLength: 6 }), (whole, cuts) => {
        const pieces = decodeInPieces(whole, cuts);

        expect(pieces.text).toBe(new TextDecoder('utf-8', { ignoreBOM: true }).decode(whole));
        expect(pieces.invalidBytes).toBe(decodeInPieces(whole, []).invalidBytes);
      }),
      { numRuns: 500 },
    );
  });

  it('counts no invalid byte in text, not even where the text holds U+FFFD itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.array(fc.nat(), { maxLength: 6 }), (text, cuts) => {
        const whole = Buffer.from(`${text}\ufffd`, 'utf8');

        expect(decodeInPieces(whole, cuts)).toEqual({ text: whole.toString('utf8'), invalidBytes: 0 });
      }),
    );
  });

  it.each([
    ['a lone continuation byte', [0x41, 0x80, 0x42], 1],
    ['an overlong slash', [0xc0, 0xaf], 2],
    ['a surrogate', [0xed, 0xa0, 0x80], 3],
    ['a sequence that breaks off', [0xe2, 0x82, 0x41], 2],
    ['a sequence the stream ends in', [0xf0, 0x9f, 0x98], 3],
    ['beyond the last code point', [0xf4, 0x90, 0x80, 0x80], 4],
  ])('counts each byte of %s', (_name, list, expected) => {
    const found = decodeInPieces(Uint8Array.from(list), [1]);

    expect(found.invalidBytes).toBe(expected);
    expect(found.text).toContain('\ufffd');
  });
});
