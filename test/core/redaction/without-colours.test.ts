import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { withoutColours } from '../../../core/redaction/without-colours.ts';

const esc = '\u001b';

function stripped(text: string): string | undefined {
  const bytes = Buffer.from(text);
  const into = Buffer.alloc(bytes.length);
  const length = withoutColours(bytes, 0, bytes.length, into);
  return length === undefined ? undefined : into.toString('utf8', 0, length);
}

describe('withoutColours', () => {
  it.each([
    ['nothing', 'plain 漢字\r\n', 'plain 漢字\r\n'],
    ['colours', `${esc}[01;34mto${esc}[m${esc}[38:2::1:2:3mken${esc}[0m\r\n`, 'token\r\n'],
    ['erasing to the end', `a${esc}[Kb`, 'ab'],
  ])('takes away %s', (_what, text, expected) => {
    expect(stripped(text)).toBe(expected);
  });

  it.each([
    `a${esc}[3Db`,
    `a${esc}]0;b\u0007`,
    `a${esc}[`,
    `a${esc}[1`,
    `a${esc}`,
    `a${esc}[?25h`,
    `a${esc}7b`,
  ])('leaves %j to a closer look', (text) => {
    expect(stripped(text)).toBeUndefined();
  });

  it('takes any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const length = withoutColours(bytes, 0, bytes.length, new Uint8Array(bytes.length));
        expect(length ?? 0).toBeLessThanOrEqual(bytes.length);
      }),
    );
  });
});
