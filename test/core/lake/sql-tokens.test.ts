import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inlineAddressTests, meaningfulTokens, sqlTokens, textLiteral } from '../../../core/lake/index.ts';

const anyText = fc.oneof(fc.string(), fc.stringMatching(/^[a-z0-9'"$\-{}()[\]*/ ,;:.\n]*$/));

describe('SQL tokens', () => {
  it('joined again are the text', () => {
    fc.assert(
      fc.property(anyText, (sql) => {
        expect(
          sqlTokens(sql)
            .map((token) => token.text)
            .join(''),
        ).toBe(sql);
      }),
    );
  });

  it.each([
    ["'it''s -- ${x}'", ['text']],
    ['"a "" b"', ['name']],
    ['a -- b\n c', ['word', 'word']],
    ['a /* b */ c', ['word', 'word']],
    ['${inputs.x}', ['placeholder']],
    ["'open", ['broken']],
    ['/* open', ['broken']],
    ['${open', ['broken']],
    ['1.5e3 ::x', ['number', 'symbol', 'word']],
    ['naïve_1', ['word']],
  ])('%s is %j', (sql, kinds) => {
    expect(meaningfulTokens(sql).map((token) => token.kind)).toEqual(kinds);
  });

  it('count lines', () => {
    expect(meaningfulTokens("a\n/*\n*/ b '\n' c").map((token) => token.line)).toEqual([0, 2, 2, 3]);
  });

  it('see a text literal as one token, whatever the text', () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(sqlTokens(textLiteral(text)).map((token) => token.kind)).toEqual(['text']);
      }),
    );
  });
});

describe('address tests', () => {
  it.each([
    [
      "ipv4_in_cidr(e.source_ip, '198.51.100.0/24')",
      "contains('198.51.100.0/24', TRY_CAST(e.source_ip AS IPADDRESS))",
    ],
    ['NOT IPV4_IN_CIDR(coalesce(a, b), c) x', 'NOT contains(c, TRY_CAST(coalesce(a, b) AS IPADDRESS)) x'],
    ["'ipv4_in_cidr(a, b)'", "'ipv4_in_cidr(a, b)'"],
    ['ipv4_in_cidr(a)', 'ipv4_in_cidr(a)'],
    ['ipv4_in_cidr(a, b', 'ipv4_in_cidr(a, b'],
  ])('%s', (sql, expected) => {
    expect(inlineAddressTests(sql)).toBe(expected);
  });
});
