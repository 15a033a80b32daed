import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closestName, printable } from '#core/wording';

describe('printable text', () => {
  it('keeps letters of every script and spells out what would move a cursor', () => {
    expect(printable('Zoë 日本 😀')).toBe('Zoë 日本 😀');
    expect(printable('a\u001b[2J\r\n\u0085\u202e\u200b\u2028\ud800')).toBe(
      'a\\u{1b}[2J\\u{d}\\u{a}\\u{85}\\u{202e}\\u{200b}\\u{2028}\\u{d800}',
    );
  });

  it('of anything has one line and no control character', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(printable(text)).not.toMatch(/[\p{Cc}\p{Cf}\u2028\u2029]/u);
      }),
    );
  });
});

describe('the closest name', () => {
  it.each([
    ['hostkeys', 'hostKeys'],
    ['taregts', 'targets'],
    ['polices', 'policies'],
    ['prt', 'port'],
    ['zzz', undefined],
    ['a'.repeat(10_000), undefined],
  ])('to %.10s is %s', (name, expected) => {
    expect(closestName(name, ['hostKeys', 'targets', 'policies', 'port'])).toBe(expected);
  });
});
