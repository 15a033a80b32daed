import { describe, expect, test } from 'vitest';
import { WireWriter } from '../../../ssh/wire/index.ts';

describe('a writer', () => {
  test.each([
    ['zero', '', '00000000'],
    ['zero with leading zeros', '0000', '00000000'],
    ['the number of RFC 4251 §5', '09a378f9b2e332a7', '0000000809a378f9b2e332a7'],
    ['0x80, which needs a zero in front', '80', '000000020080'],
    ['a number with leading zeros', '00000080', '000000020080'],
  ])('writes %s as mpint', (_name, magnitude, expected) => {
    const written = new WireWriter().mpint(Buffer.from(magnitude, 'hex')).finish();

    expect(written.toString('hex')).toBe(expected);
  });

  test('writes the name-lists of RFC 4251 §5', () => {
    expect(new WireWriter().nameList([]).finish().toString('hex')).toBe('00000000');
    expect(new WireWriter().nameList(['zlib']).finish().toString('hex')).toBe('000000047a6c6962');
    expect(new WireWriter().nameList(['zlib', 'none']).finish().toString('hex')).toBe(
      '000000097a6c69622c6e6f6e65',
    );
  });

  test('writes text as UTF-8 with its length in bytes', () => {
    expect(new WireWriter().string('é').finish().toString('hex')).toBe('00000002c3a9');
  });

  test('hands out memory of exactly the written length that shares no pool', () => {
    const written = new WireWriter().string('a message to keep').finish();

    expect(written.buffer.byteLength).toBe(written.length);
  });

  test('grows far over its first capacity and keeps what stands in it', () => {
    const writer = new WireWriter(1).byte(7);

    for (let count = 0; count < 5000; count += 1) writer.uint32(count);
    const written = writer.finish();

    expect(written.length).toBe(1 + 4 * 5000);
    expect(written[0]).toBe(7);
    expect(written.readUInt32BE(1 + 4 * 4999)).toBe(4999);
  });

  test('goes on after finish without touching what it handed out', () => {
    const writer = new WireWriter().byte(1);

    const first = writer.finish();
    const second = writer.byte(2).finish();

    expect([...first]).toEqual([1]);
    expect([...second]).toEqual([1, 2]);
  });

  test.each([-1, 2 ** 32])('refuses %s as uint32 instead of wrapping it', (value) => {
    expect(() => new WireWriter().uint32(value)).toThrow(RangeError);
  });
});
