import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { oneSelect, QueryError, uniqueNames, withParameters } from '../../../core/lake/index.ts';

const anySql = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^(select|with|\() ?[a-z'"?;$\-{}()/* \n]*$/),
);

describe('one SELECT', () => {
  it.each([
    ['SELECT 1', 'SELECT 1'],
    ['  with a as (select 1) select * from a', '  with a as (select 1) select * from a'],
    ['(SELECT 1) UNION (SELECT 2)', '(SELECT 1) UNION (SELECT 2)'],
    ["-- why\nSELECT ';' ;", "-- why\nSELECT ';'"],
    ['SELECT 1 ; ; -- done', 'SELECT 1   -- done'],
  ])('%j is one', (sql, expected) => {
    expect(oneSelect(sql, 1_000)).toBe(expected);
  });

  it.each([
    ['', 'refused'],
    ['-- SELECT 1', 'refused'],
    ['DROP TABLE x', 'refused'],
    ['/* x */ INSERT INTO x SELECT 1', 'refused'],
    ['SELECT 1; SELECT 2', 'refused'],
    ['SELECT 1;--\n;DROP TABLE x', 'refused'],
    [`SELECT '${'x'.repeat(1_000)}'`, 'refused'],
    ["SELECT 'x", 'invalid'],
    ['SELECT "x', 'invalid'],
    ['SELECT 1 /* x', 'invalid'],
    ['SELECT ${;}', 'invalid'],
  ])('%j is %s', (sql, code) => {
    expect(() => oneSelect(sql, 1_000)).toThrow(expect.objectContaining({ code }));
  });

  it('has no semicolon left outside of quotes, whatever came in', () => {
    fc.assert(
      fc.property(anySql, (sql) => {
        try {
          const statement = oneSelect(sql, 1_000);
          expect(
            statement.replace(/'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[^]*?\*\//g, ''),
          ).not.toContain(';');
        } catch (error) {
          expect(error).toBeInstanceOf(QueryError);
        }
      }),
    );
  });
});

describe('values for ?', () => {
  it('are written as quoted text, outside of quotes only', () => {
    expect(withParameters(`SELECT ?, '?', "?" -- ?\n, ?`, ["a'b", '?'])).toBe(
      `SELECT 'a''b', '?', "?" -- ?\n, '?'`,
    );
  });

  it.each([
    ['SELECT ?', []],
    ['SELECT 1', ['x']],
    ["SELECT '?'", ['x']],
  ])('%s with %j are not as many', (sql, values) => {
    expect(() => withParameters(sql, values)).toThrow(expect.objectContaining({ code: 'invalid' }));
  });

  it('never get out of their quotes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const statement = withParameters('SELECT ? AS x', [value]);

        expect(statement).toBe(`SELECT '${value.replaceAll("'", "''")}' AS x`);
      }),
    );
  });
});

it('names of columns are lower case, and each is there once', () => {
  expect(uniqueNames(['A', 'a', 'a_1', '_col0', 'A'])).toEqual(['a', 'a_1', 'a_1_1', '_col0', 'a_2']);
});
