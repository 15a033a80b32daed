import { describe, expect, it } from 'vitest';
import { trinoToDuckDb } from '../../../../adapters/local/duckdb/trino-bridge.ts';
import { TrinoSQL } from '../../../support/trino-sql.ts';
import { allRows, sampleLake } from './sample-lake.ts';
import { trinoConstructs, trinoQueries } from './trino-constructs.ts';

const table = `WITH v AS (SELECT k, n, date_add('minute', n, from_iso8601_timestamp('2026-11-20T10:00:00Z')) AS t
  FROM (VALUES ('a', 1), ('a', 2), ('b', 3)) AS raw(k, n))`;

describe('DuckDB answers as Trino does', () => {
  it('for every portable expression', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    const wrong: unknown[] = [];
    for (const [expression, expected] of trinoConstructs) {
      const rows = await allRows(engine, `SELECT ${expression} AS x`);
      // A whole number is integer in one engine and bigint in the other; the value is what counts.
      if (!same(rows[0]?.['x'], expected)) wrong.push({ expression, expected, got: rows[0]?.['x'] });
    }

    expect(wrong).toEqual([]);
    expect(trinoConstructs.length + trinoQueries.length).toBeGreaterThan(100);
  });

  it('for every portable query', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    const wrong: unknown[] = [];
    for (const [query, expected] of trinoQueries) {
      const rows = await allRows(engine, `${table} ${query}`);
      const got = rows.map((row) => Object.values(row));
      if (!same(got, expected)) wrong.push({ query, expected, got });
    }

    expect(wrong).toEqual([]);
  });

  it('and Trino can read every one of them', () => {
    const parser = new TrinoSQL();
    const all = trinoConstructs
      .map(([expression]) => `SELECT ${expression} AS x`)
      .concat(trinoQueries.map(([query]) => `${table} ${query}`));

    const refused = all.filter((sql) => parser.validate(sql).length > 0);

    expect(refused).toEqual([]);
  });

  it.each([
    "format_datetime(from_iso8601_timestamp('2026-11-20T10:00:00Z'), 'QQQ')",
    "date_format(from_iso8601_timestamp('2026-11-20T10:00:00Z'), '%j')",
    "date_add('fortnight', 1, from_iso8601_timestamp('2026-11-20T10:00:00Z'))",
  ])('and refuses what it would answer differently: %s', async (expression) => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    await expect(allRows(engine, `SELECT ${expression} AS x`)).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('the bridge', () => {
  it.each([
    ['CAST(x AS array(varchar))', 'CAST(x AS varchar[])'],
    ['CAST(x AS ARRAY( array(decimal(3, 1)) ))', 'CAST(x AS  decimal(3, 1)[] [])'],
    ['transform (a, x -> x)', 'transform (a, x -> x)'],
    ['transform(a, x -> x)', 'list_transform(a, x -> x)'],
    ["'array(varchar) transform('", "'array(varchar) transform('"],
    ['"transform(" -- array(varchar)', '"transform(" -- array(varchar)'],
    ['ARRAY(SELECT 1)', 'ARRAY(SELECT 1)'],
    ['array(varchar', 'varchar[]'],
  ])('%s', (trino, duckdb) => {
    expect(trinoToDuckDb(trino)).toBe(duckdb);
  });
});

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a, plain) === JSON.stringify(b, plain);
}

function plain(_: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}
