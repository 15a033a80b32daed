import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { groupsOf } from '#core/configuration';

const session = 'arn:aws:sts::123456789012:assumed-role/Engineer/alice';
const fits = (arn: string, text: string) => groupsOf([{ arn, groups: ['g'] }], text).length === 1;

describe('groupsOf', () => {
  it('unites the groups of all entries that fit, each once', () => {
    const entries = [
      { arn: 'arn:aws:sts::123456789012:assumed-role/Engineer/*', groups: ['engineers', 'staff'] },
      { arn: 'arn:aws:sts::123456789012:assumed-role/*/alice', groups: ['staff', 'leads'] },
      { arn: 'arn:aws:sts::111122223333:assumed-role/Engineer/*', groups: ['others'] },
    ];

    expect(groupsOf(entries, session)).toEqual(['engineers', 'staff', 'leads']);
    expect(groupsOf(entries, 'arn:aws:iam::123456789012:user/alice')).toEqual([]);
    expect(groupsOf([], session)).toEqual([]);
  });

  it.each([
    ['the whole ARN', session, session, true],
    ['no part of it', session.slice(0, -1), session, false],
    ['no ARN that goes on', session, `${session}x`, false],
    ['any text at a star', 'arn:*:assumed-role/Engineer/*', session, true],
    ['nothing at a star', `${session}*`, session, true],
    ['stars side by side', 'arn**alice', session, true],
    ['pieces in their order only', '*alice*Engineer*', session, false],
    ['no piece twice over the same text', 'aba*aba', 'ababa', false],
    ['no role that only begins so', 'arn:aws:sts::123456789012:assumed-role/Eng/*', session, false],
    [
      'dots as dots',
      'arn:aws:sts::123456789012:assumed-role/A.B/*',
      'arn:aws:sts::123456789012:assumed-role/AxB/y',
      false,
    ],
    ['letters by their case', session.toUpperCase(), session, false],
  ])('takes %s', (_name, pattern, text, expected) => {
    expect(fits(pattern, text)).toBe(expected);
  });

  it('agrees with a regular expression', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 12 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '/', '*'), maxLength: 8 });
    fc.assert(
      fc.property(pattern, word, (glob, text) => {
        expect(fits(glob, text)).toBe(new RegExp(`^${glob.replaceAll('*', '.*')}$`).test(text));
      }),
    );
  });

  it('takes no longer for a pattern that was made to', () => {
    const pattern = `${'*a'.repeat(500)}*b`;

    expect(fits(pattern, 'a'.repeat(100_000))).toBe(false);
  });
});
