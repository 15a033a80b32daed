import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { WireError, WireReader, WireWriter } from '../../../ssh/wire/index.ts';

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const uint32 = fc.integer({ min: 0, max: 0xffffffff });

function codeOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    if (error instanceof WireError) return error.code;
    throw error;
  }
  return 'none';
}

function stringOf(hex: string): Buffer {
  return new WireWriter().string(Buffer.from(hex, 'hex')).finish();
}

describe('a reader gives back what a writer wrote', () => {
  test('for every type in one message', () => {
    fc.assert(
      fc.property(
        fc.nat(255),
        fc.boolean(),
        uint32,
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        bytes,
        fc.string({ unit: 'grapheme' }),
        (byte, flag, word, long, raw, text) => {
          const message = new WireWriter(1)
            .byte(byte)
            .boolean(flag)
            .uint32(word)
            .uint64(long)
            .string(raw)
            .string(text)
            .raw(raw)
            .finish();

          const reader = new WireReader(message);

          expect(reader.byte()).toBe(byte);
          expect(reader.boolean()).toBe(flag);
          expect(reader.uint32()).toBe(word);
          expect(reader.uint64()).toBe(long);
          expect(reader.string().equals(raw)).toBe(true);
          expect(reader.text()).toBe(text);
          expect(reader.rest().equals(raw)).toBe(true);
          reader.end();
        },
      ),
    );
  });

  test('for numbers of any size, as mpint', () => {
    fc.assert(
      fc.property(bytes, (magnitude) => {
        const written = new WireWriter().mpint(magnitude).finish();

        const read = new WireReader(written).mpint();

        expect(read.toString('hex')).toBe(magnitude.toString('hex').replace(/^(00)+/, ''));
      }),
    );
  });

  test('for name-lists', () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a-z0-9@.-]{1,20}$/), { maxLength: 20 }), (names) => {
        const written = new WireWriter().nameList(names).finish();

        expect(new WireReader(written).nameList()).toEqual(names);
      }),
    );
  });
});

describe('a reader of hostile bytes', () => {
  test('either reads or says truncated or malformed, and never leaves its range', () => {
    const steps = fc.array(
      fc.constantFrom('byte', 'boolean', 'uint32', 'uint64', 'string', 'text', 'nameList', 'mpint', 'rest'),
      { maxLength: 12 },
    );
    fc.assert(
      fc.property(bytes, fc.nat(20), steps, (input, margin, methods) => {
        const end = Math.max(0, input.length - margin);
        const start = Math.min(margin, end);
        const reader = new WireReader(input, start, end);

        for (const method of methods) {
          const outcome = codeOf(() => {
            if (method === 'byte') reader.byte();
            else if (method === 'boolean') reader.boolean();
            else if (method === 'uint32') reader.uint32();
            else if (method === 'uint64') reader.uint64();
            else if (method === 'string') reader.string();
            else if (method === 'text') reader.text();
            else if (method === 'nameList') reader.nameList();
            else if (method === 'mpint') reader.mpint();
            else reader.rest();
          });
          expect(['none', 'truncated', 'malformed']).toContain(outcome);
        }

        expect(reader.offset).toBeGreaterThanOrEqual(start);
        expect(reader.offset).toBeLessThanOrEqual(end);
      }),
    );
  });

  test('refuses a length of 4 GiB without allocating it', () => {
    const claim = Buffer.from('ffffffff00', 'hex');

    expect(codeOf(() => new WireReader(claim).string())).toBe('truncated');
  });

  test('does not see bytes behind its end', () => {
    const message = new WireWriter().string('inside').raw(Buffer.from('outside')).finish();

    const reader = new WireReader(message, 0, 10);

    expect(reader.text()).toBe('inside');
    expect(reader.remaining).toBe(0);
    expect(codeOf(() => reader.byte())).toBe('truncated');
  });

  test.each([
    ['a negative mpint', '80', 'malformed'],
    ['an mpint of one zero byte', '00', 'malformed'],
    ['an mpint with a zero in front for nothing', '007f', 'malformed'],
    ['an mpint with a needed zero in front', '0080', 'none'],
    ['the mpint zero', '', 'none'],
  ])('judges %s', (_name, hex, outcome) => {
    expect(codeOf(() => new WireReader(stringOf(hex)).mpint())).toBe(outcome);
  });

  test.each([
    ['an empty name', 'a,,b'],
    ['a leading comma', ',a'],
    ['a trailing comma', 'a,'],
    ['a space', 'a b'],
    ['a newline', 'a\nb'],
    ['a zero byte', 'a\0b'],
    ['a letter outside ascii', 'é'],
  ])('refuses a name-list with %s', (_name, text) => {
    const written = new WireWriter().string(text).finish();

    expect(codeOf(() => new WireReader(written).nameList())).toBe('malformed');
  });

  test('refuses text that is not UTF-8 instead of replacing it', () => {
    expect(codeOf(() => new WireReader(stringOf('ff')).text())).toBe('malformed');
    expect(codeOf(() => new WireReader(stringOf('c0af')).text())).toBe('malformed');
    expect(codeOf(() => new WireReader(stringOf('eda080')).text())).toBe('malformed');
  });

  test('keeps a byte order mark, so that equal names are equal bytes', () => {
    expect(new WireReader(stringOf('efbbbf61')).text()).toBe('\ufeffa');
  });

  test('refuses bytes behind the last field', () => {
    const reader = new WireReader(Buffer.from('0001', 'hex'));

    reader.byte();

    expect(codeOf(() => reader.end())).toBe('malformed');
  });
});
