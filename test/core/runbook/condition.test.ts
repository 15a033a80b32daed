import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { conditionColumns, isMet, parseCondition } from '../../../core/runbook/condition.ts';

const columns = {
  still_open: 'true',
  target_user: 'root',
  targets: '12',
  mfa: 'false',
  quote: "it's",
  empty: '',
};

function evaluate(text: string): boolean {
  const parsed = parseCondition(text);
  if (!parsed.ok) throw new Error(parsed.message);
  return isMet(parsed.condition, columns);
}

describe('a condition', () => {
  it.each([
    ['still_open', true],
    ['mfa', false],
    ['not mfa', true],
    ['missing', false],
    ['not missing', true],
    ["target_user = 'root'", true],
    ["target_user != 'root'", false],
    ["target_user = 'ROOT'", false],
    ['targets >= 10', true],
    ['targets > 12', false],
    ['targets <= 12', true],
    ['targets < 9', false],
    ['targets = 12', true],
    ['targets = -12', false],
    ["targets > '9'", false],
    ['target_user > 1', false],
    ['empty < 1', false],
    ["quote = 'it''s'", true],
    ['mfa = false', true],
    ['missing is null', true],
    ['missing is not null', false],
    ['still_open is not null', true],
    ['missing != 1', false],
    ['still_open and mfa', false],
    ['still_open or mfa', true],
    ['mfa and mfa or still_open', true],
    ['mfa and (mfa or still_open)', false],
    ['not (still_open and mfa)', true],
    ['NOT mfa AND still_open', true],
    ['not not still_open', true],
    ['constructor', false],
    ['__proto__ is null', true],
  ])('%s is %s', (text, expected) => {
    expect(evaluate(text)).toBe(expected);
  });

  it.each([
    '',
    'and',
    'still_open and',
    'still_open mfa',
    '(still_open',
    'still_open)',
    'targets >=',
    'targets == 1',
    "target_user = 'x",
    'is null',
    'a is b',
    'process.exit()',
    'a + b > 1',
    'a = b',
    'A',
    `${'('.repeat(30)}a${')'.repeat(30)}`,
    `${'not '.repeat(40)}a`,
    'a'.repeat(600),
  ])('refuses %s', (text) => {
    expect(parseCondition(text)).toMatchObject({ ok: false });
  });

  it('names its columns', () => {
    const parsed = parseCondition("a and not (b = 1 or c is null) and d != 'x'");

    expect(parsed.ok && conditionColumns(parsed.condition)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('answers any text with a condition or a reason', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-c()'=<>! 0-9andornotisull]*$/)), (text) => {
        const parsed = parseCondition(text);

        const answer = parsed.ok ? isMet(parsed.condition, columns) : parsed.message;
        expect(answer).not.toBe('');
      }),
    );
  });
});
