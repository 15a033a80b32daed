import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BinaryBrake } from '../../../proxy-task/recording/binary-brake.ts';

function through(chunks: readonly Uint8Array[]) {
  const brake = new BinaryBrake();
  const released = [...chunks.flatMap((chunk, index) => brake.output(index, chunk)), ...brake.end()];
  return {
    kept: Buffer.concat(released.map(({ data }) => data)),
    omitted: released.flatMap(({ omitted }) => (omitted === undefined ? [] : [omitted])),
  };
}

const text = Buffer.from('a line of the report, coloured \u001b[31mred\u001b[0m\tand äöü\r\n'.repeat(2000));

describe('output of a command without a terminal', () => {
  test.each([
    ['text', text],
    ['text in Latin-1', Buffer.from('wäre, hätte, könnte\n'.repeat(500), 'latin1')],
    ['a progress bar', Buffer.from('\r 12% \b\b\b'.repeat(5000))],
    ['paths that end in NUL', Buffer.from('./some/folder/with/a/file-of-its-own.txt\0'.repeat(1000))],
    ['a short answer with a few odd bytes', Buffer.from([0, 0, 0, 5, 65, 66, 67, 10])],
  ])('is kept whole where it is %s', (_name, bytes) => {
    const { kept, omitted } = through([bytes.subarray(0, 5000), bytes.subarray(5000)]);

    expect(kept).toEqual(bytes);
    expect(omitted).toEqual([]);
  });

  test.each([
    ['zeros', Buffer.alloc(100_000)],
    ['compressed', gzipSync(randomBytes(50_000))],
    ['a program', readFileSync(process.execPath).subarray(0, 200_000)],
  ])('is counted and not kept where it is %s', (_name, bytes) => {
    const { kept, omitted } = through([bytes]);

    expect(kept.length).toBeLessThan(bytes.length / 4);
    expect(omitted.reduce((sum, each) => sum + each.bytes, 0)).toBe(bytes.length - kept.length);
  });

  test('is text again behind what was binary, which is told of before it', () => {
    const brake = new BinaryBrake();

    const released = [text, Buffer.alloc(10_000), text].flatMap((chunk, atMs) => brake.output(atMs, chunk));

    expect(released.map(({ omitted, data }) => [omitted, data.length])).toEqual([
      [undefined, text.length],
      [{ fromMs: 1, bytes: 10_000 }, text.length],
    ]);
    expect(brake.end()).toEqual([]);
  });

  test('is kept or counted, whatever it is', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 9000, size: 'max' }), { maxLength: 8 }), (chunks) => {
        const { kept, omitted } = through(chunks);

        const all = chunks.reduce((sum, chunk) => sum + chunk.length, 0);
        expect(kept.length + omitted.reduce((sum, each) => sum + each.bytes, 0)).toBe(all);
      }),
    );
  });
});
