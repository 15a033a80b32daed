import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRule } from '../../../core/redaction/index.ts';
import { parsePattern, patternSource } from '../../../core/redaction/pattern-syntax.ts';

function compiled(pattern: string) {
  return compileRule({ id: 'x', pattern, keywords: ['word'] });
}

describe('a pattern', () => {
  it.each([
    ['a literal', 'word'],
    ['ends for open repetitions', 'word=[a-z]+'],
    ['choices that differ', '(?:password|passwd|pass|pwd)=(\\S+)'],
    ['a repetition whose end shows', '(?:[a-z0-9]{1,20}-){0,4}key=\\S{1,100}'],
    ['looks at one character', '(?<!\\w)word(?![a-z])(?=;)'],
    ['the case of letters ignored', '(?i)Word: (.{1,80})$'],
    ['quoted or not', 'w\\s?=\\s?(?:"([^"]{1,80})"|([^\\s"]{1,80}))'],
  ])('ok: may have %s', (_what, pattern) => {
    expect(compiled(pattern)).toMatchObject({ ok: true });
  });

  it.each([
    ['nested repetitions', '(a{1,60}){1,60}$', /many ways/],
    ['open nested repetitions', '(a+)+$', /8192/],
    ['nested repetitions of groups', '(?:(?:ab?)*c?)*d', /many ways|8192/],
    ['options that are alike', '(?:a|a)*b', /many ways|8192/],
    ['options that begin alike in a loop', '(?:\\w|\\d){1,60}!', /many ways/],
    ['repetitions beside each other', '\\w{1,600}\\w{1,600}\\w{1,600}!', /many ways/],
    ['a loop around anything', '.*word.*=.*;', /many ways/],
    ['a polynomial in an option', '(?:x{1,200}x{1,200}|y)z', /many ways/],
    ['back references', '(a)\\1', /not known/],
    ['named groups', '(?<name>a)', /kind that is not known/],
    ['a look at more than one character', '(?=.*a)b', /more than one/],
    ['Unicode properties', '\\p{L}+', /not known/],
    ['nothing to match', '^$', /no character/],
    ['matches without a bound', '(?:[a-z]{1,1000}-){1,1000}', /8192/],
    ['huge counts', 'a{1,99999}', /repeats/],
    ['counts the wrong way round', 'a{9,2}', /repeats/],
    ['an open group', '(a', /without its \)/],
    ['an open class', '[a', /ends in the middle/],
    ['a closing bracket too many', 'a)', /without its \(/],
    ['a repeated repetition', 'a**', /repeats a repetition/],
    ['a repeated assertion', '\\b+a', /no character/],
    ['too much text', 'a'.repeat(2000), /longer/],
    ['groups too deep', `${'('.repeat(40)}a${')'.repeat(40)}`, /deep/],
  ])('fail: may not have %s', (_what, pattern, message) => {
    const result = compiled(pattern);

    expect(result).toMatchObject({ ok: false, problem: { at: 'pattern' } });
    expect(!result.ok && result.problem.message).toMatch(message);
  });

  it('is refused or runs in a time that its text cannot stretch', () => {
    const pieces = [
      'a',
      '\\w',
      '.',
      '[ab]',
      '(',
      '(?:',
      ')',
      '|',
      '*',
      '+',
      '?',
      '{1,9}',
      '{3}',
      'b',
      '\\s',
      '$',
      '^',
      '\\b',
    ];
    const hostile = ['a'.repeat(5000), 'ab'.repeat(2500), `${'a '.repeat(2500)}b`];

    fc.assert(
      fc.property(fc.array(fc.constantFrom(...pieces), { maxLength: 14 }), (parts) => {
        const result = compiled(parts.join(''));
        if (result.ok) for (const text of hostile) text.replace(result.rule.expression, '');
      }),
      { numRuns: 600 },
    );
  });

  it('takes any text for a pattern without a fault, and what it accepts JavaScript accepts', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60, unit: 'binary' }), (text) => {
        const parsed = parsePattern(text);
        if (parsed.ok) expect(() => new RegExp(patternSource(parsed.pattern))).not.toThrow();
      }),
      { numRuns: 500 },
    );
  });

  it('matches what JavaScript matches, where its ends are not reached', () => {
    const pattern = '(?i)\\b(?:user|login)[=:]\\s?([\\w.+-]{1,40})@';
    const parsed = parsePattern(pattern);
    const text = 'Login: a.b+c@example.com USER=root@';

    expect(
      parsed.ok &&
        [...text.matchAll(new RegExp(patternSource(parsed.pattern), 'gi'))].map(([, name]) => name),
    ).toEqual(['a.b+c', 'root']);
  });
});

describe('a rule', () => {
  it.each([
    ['no keywords', { keywords: [] }, 'keywords'],
    ['a keyword that stands everywhere', { keywords: ['a'] }, 'keywords'],
    ['a keyword beyond ASCII', { keywords: ['schlüssel'] }, 'keywords'],
    ['an empty list of commands', { after: [] }, 'after'],
    ['a group that is not there', { group: 2 }, 'group'],
  ])('fail: may not have %s', (_what, changed, at) => {
    const result = compileRule({ id: 'x', pattern: 'a(b)', keywords: ['word'], ...changed });

    expect(result).toMatchObject({ ok: false, problem: { at } });
  });
});
