import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bytesOfEvidenceText, evidenceText } from '#core/event';

test('keeps valid text exactly, control characters and all', () => {
  const hostile = '\u001b]0;pwned\u0007\r\n{"a":1}\u202e,\u0000=cmd|’/C calc’!A0\u2028\ufeff';

  expect(evidenceText(hostile, 8192)).toEqual({ text: hostile, escaped: false, truncated: false });
  expect(evidenceText(Buffer.from(hostile), 8192).text).toBe(hostile);
});

test('escapes bytes that are no UTF-8 and doubles backslashes then, and only then', () => {
  expect(evidenceText(Buffer.from('a\\xff b'), 99)).toEqual({
    text: 'a\\xff b',
    escaped: false,
    truncated: false,
  });
  expect(evidenceText(Buffer.from([0x61, 0xff, 0x5c, 0x62]), 99)).toEqual({
    text: 'a\\xff\\\\b',
    escaped: true,
    truncated: false,
  });
});

test('finds the same bytes again, whatever they are', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const { text, escaped } = evidenceText(bytes, 10_000);

      expect(text.isWellFormed()).toBe(true);
      expect(bytesOfEvidenceText(text, escaped)).toEqual(Buffer.from(bytes));
    }),
    { numRuns: 300 },
  );
});

test('takes any string, one with lone surrogates too, to valid Unicode', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary', maxLength: 100 }),
      fc.constantFrom('', '\ud800', 'x\udc00y'),
      (a, b) => {
        const { text, escaped } = evidenceText(a + b, 10_000);

        expect(text.isWellFormed()).toBe(true);
        expect(escaped).toBe(!(a + b).isWellFormed());
        expect(text === a + b || escaped).toBe(true);
      },
    ),
  );
  expect(evidenceText('\ud800', 99).text).toBe('\\xed\\xa0\\x80');
});

test('never passes its bound and cuts no character in two', () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ unit: 'grapheme', maxLength: 80 }), fc.uint8Array({ maxLength: 80 })),
      fc.integer({ min: 0, max: 60 }),
      (value, maxBytes) => {
        const { text, escaped, truncated } = evidenceText(value, maxBytes);
        const original = Buffer.from(typeof value === 'string' ? Buffer.from(value) : value);
        const kept = bytesOfEvidenceText(text, escaped);

        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        expect(text.isWellFormed()).toBe(true);
        expect(original.subarray(0, kept.length)).toEqual(kept);
        expect(truncated).toBe(kept.length < original.length);
      },
    ),
    { numRuns: 300 },
  );
});
