import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { newRecoveryCodes, readRecoveryCode, TotpError, withoutRecoveryCode } from '#core/totp';

const made = newRecoveryCodes(randomBytes);
const kept = { salt: made.salt, recoveryCodes: made.hashes };

function codeAt(index: number): string {
  return readRecoveryCode(made.codes[index] ?? '') ?? '';
}

describe('recovery codes', () => {
  it('are ten different ones of 80 bits each, and nothing that is kept shows one', () => {
    expect(new Set(made.codes).size).toBe(10);
    expect(new Set(made.hashes).size).toBe(10);
    for (const code of made.codes) {
      expect(code).toMatch(/^[a-z2-7]{4}(-[a-z2-7]{4}){3}$/);
      expect(JSON.stringify(kept)).not.toContain(code.replaceAll('-', ''));
    }
  });

  it('are used up one by one, each of them once', () => {
    let { recoveryCodes } = kept;
    for (let index = 9; index >= 0; index -= 1) {
      const rest = withoutRecoveryCode({ ...kept, recoveryCodes }, codeAt(index));

      expect(rest).toHaveLength(index);
      recoveryCodes = rest ?? [];
      expect(withoutRecoveryCode({ ...kept, recoveryCodes }, codeAt(index))).toBeUndefined();
    }
  });

  it('are nothing under another salt', () => {
    expect(withoutRecoveryCode({ ...kept, salt: '00'.repeat(16) }, codeAt(0))).toBeUndefined();
  });

  it('may be typed in capitals, with blanks or without dashes', () => {
    const [code = ''] = made.codes;

    for (const typed of [code.toUpperCase(), code.replaceAll('-', ' '), code.replaceAll('-', '')])
      expect(readRecoveryCode(typed)).toBe(codeAt(0));
  });

  it.each(['', '123456', 'abcd-efgh-ijkl-mno', 'abcd-efgh-ijkl-mno1', `${'a'.repeat(16)}\0`, 'a'.repeat(17)])(
    'are not what only looks like one: %j',
    (text) => {
      expect(readRecoveryCode(text)).toBeUndefined();
    },
  );

  it('are found in no text by chance', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const code = readRecoveryCode(text);

        expect(code === undefined ? undefined : withoutRecoveryCode(kept, code)).toBeUndefined();
      }),
    );
  });

  it('cannot be made from a source that gives too little', () => {
    expect(() => newRecoveryCodes(() => new Uint8Array(3))).toThrow(TotpError);
  });
});
