import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createKeywordScan } from '../../../core/redaction/keyword-scan.ts';

const words = fc.array(
  fc.string({ unit: fc.constantFrom('a', 'b', 'A', '-', 'c'), minLength: 1, maxLength: 6 }),
  { maxLength: 8 },
);
const text = fc.string({ unit: fc.constantFrom('a', 'b', 'B', '-', 'c', 'x', '\n', 'é'), maxLength: 40 });

describe('createKeywordScan', () => {
  it('finds a word exactly where there is one, in any case', () => {
    fc.assert(
      fc.property(words, text, (some, searched) => {
        const bytes = Buffer.from(searched);
        const found = createKeywordScan(some, 'text').find(bytes, 0, bytes.length);

        expect(found).toBe(some.some((word) => searched.toLowerCase().includes(word.toLowerCase())));
      }),
    );
  });

  it('finds words across the blocks it reads in, and looks nowhere else', () => {
    const scan = createKeywordScan(['secret'], 'text');
    const bytes = Buffer.from(`${'x'.repeat(4093)}SECRET${'x'.repeat(5000)}`);

    expect(scan.find(bytes, 0, bytes.length)).toBe(true);
    expect(scan.find(bytes, 0, 4098)).toBe(false);
    expect(scan.find(bytes, 4094, bytes.length)).toBe(false);
  });

  it.each([
    ['a line that ends in CR LF', 'plain text\r\nmore\r\n', false],
    ['tabs and other scripts', 'a\tb 漢字 größe\n', false],
    ['two returns before a line feed', 'a\r\r\n', false],
    ['a colour', 'a\u001b[1mb', true],
    ['a backspace', 'a\bb', true],
    ['a return within a line', 'progress\rprogress', true],
    ['a C1 control', 'a\u009b1mb', true],
    ['a bell', 'a\u0007', true],
  ])('says of a terminal whether %s needs a closer look', (_what, shown, expected) => {
    const bytes = Buffer.from(shown);

    expect(createKeywordScan(['secret'], 'terminal').find(bytes, 0, bytes.length)).toBe(expected);
  });
});
