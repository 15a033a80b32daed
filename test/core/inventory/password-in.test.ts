import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { passwordIn } from '#core/inventory';

describe('passwordIn', () => {
  it.each([
    ['ok/one line', 'correct horse\n', 'correct horse'],
    ['ok/one line of Windows', 'pass\r\n', 'pass'],
    ['ok/no line end', 'päss wörd ', 'päss wörd '],
    ['fail/nothing', '\n', undefined],
    ['fail/empty', '', undefined],
    ['fail/a second line', 'one\ntwo\n', undefined],
    ['fail/a second line end', 'one\n\n', undefined],
    ['fail/a character nobody types', 'a\u0000b', undefined],
    ['fail/too long', 'x'.repeat(1025), undefined],
  ])('%s', (_name, text, password) => {
    expect(passwordIn(text)).toBe(password);
  });

  it('makes nothing but passwords of whatever the text is', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        const password = passwordIn(text);

        if (password !== undefined) expect(password).toMatch(/^[^\p{Cc}]{1,1024}$/u);
      }),
      { numRuns: 40 },
    );
  });
});
