import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { lintSql } from '../../../core/runbook/lint-sql.ts';

const names = { inputs: ['limit_n'], baseline: false };
const lint = (sql: string) => lintSql(sql, names).map((problem) => problem.message);

describe('the SQL linter', () => {
  it.each([
    'SELECT e.user_name FROM ${events} AS e WHERE e.event_time >= ${from} AND e.event_time < ${to}',
    'SELECT e.user_name, count(*) AS n FROM ${events} AS e GROUP BY e.user_name HAVING count(*) > ${inputs.limit_n}',
    'WITH d AS (SELECT e.user_name AS who FROM ${events} AS e) SELECT d.who, max(d.who) FROM d GROUP BY d.who',
    "SELECT e.event_id FROM ${events} e WHERE e.event_time > ${to} - INTERVAL '10' MINUTE",
    'SELECT e.event_id FROM ${events} AS e ORDER BY e.event_time LIMIT 10',
    "SELECT element_at(split(e.command, ' '), 1) AS program FROM ${commands} AS e",
    'SELECT t.x FROM ${events} AS e CROSS JOIN UNNEST(ARRAY[e.user_name, e.source_ip]) AS t(x)',
    'SELECT t.x FROM ${events} AS e CROSS JOIN UNNEST(ARRAY[e.user_name]) WITH ORDINALITY AS t(x, i)',
    "SELECT s.session_id FROM ${sessions} AS s WHERE s.end_reason = 'DELETE; now() ::'",
    'SELECT s.session_id /* UPDATE :: */ FROM ${sessions} AS s -- [1]',
    'SELECT e.user_name AS user_name, count(*) FROM ${events} AS e GROUP BY user_name',
  ])('accepts %s', (sql) => {
    expect(lint(sql)).toEqual([]);
  });

  it.each([
    ['SELECT x::bigint FROM ${events} AS e', 'CAST'],
    ["SELECT e.m['k'] FROM ${events} AS e", 'element_at'],
    ['SELECT e.a[9] FROM ${events} AS e', 'element_at'],
    ["SELECT ['a'] FROM ${events} AS e", "ARRAY['a']"],
    ['SELECT * EXCLUDE (a) FROM ${events} AS e', 'EXCLUDE'],
    ['SELECT 1 FROM ${events} AS e QUALIFY row_number() OVER () = 1', 'QUALIFY'],
    ["SELECT 1 FROM ${events} AS e WHERE e.command ILIKE '%x%'", 'lower'],
    ["SELECT 1 FROM ${events} AS e WHERE e.command ~ 'x'", 'regexp_like'],
    ["SELECT 1 FROM ${events} AS e WHERE regexp_like(e.command, 'a(?=b)')", 'look-around'],
    ["SELECT 1 FROM ${events} AS e WHERE regexp_like(e.command, '(a)\\1')", 'back-references'],
    ["SELECT e.event_time - INTERVAL '10 minutes' FROM ${events} AS e", "INTERVAL '10' MINUTE"],
    ['SELECT e.event_time - INTERVAL 10 MINUTE, now() FROM ${events} AS e', '${to}'],
    ['SELECT current_timestamp FROM ${events} AS e', '${to}'],
    ['SELECT any_match(e.a, x -> x > 1) FROM ${events} AS e', 'cardinality(filter'],
    ['SELECT listagg(e.user_name) FROM ${events} AS e', 'array_join'],
    ['SELECT CAST(e.source_ip AS IPADDRESS) FROM ${events} AS e', 'ipv4_in_cidr'],
    ["SELECT strftime(e.event_time, '%Y') FROM ${events} AS e", 'date_format'],
    ["SELECT * FROM read_text('/etc/passwd') AS r, ${events} AS e", 'derived table'],
    ["SELECT * FROM query('DROP') AS r, ${events} AS e", 'derived table'],
    ['SELECT count(*) AS n FROM ${events} AS e GROUP BY e.user_name HAVING n > 1', 'alias n'],
    ['SELECT lower(e.user_name) AS who FROM ${events} AS e GROUP BY who', 'alias who'],
    ['SELECT e.user_name FROM ${events} AS e GROUP BY ALL', 'GROUP BY ALL'],
    ['SELECT e.user_name FROM ${events} AS e LIMIT 50', 'ORDER BY'],
    ['SELECT t.k FROM ${events} AS e CROSS JOIN UNNEST(m) AS t(k, v)', 'map_keys'],
    ['SELECT 1; DROP TABLE x', 'semicolon'],
    ['DELETE FROM ${events} AS e', 'begins with SELECT'],
    ['SELECT 1', '${events}'],
    ['SELECT 1 FROM ${events} WHERE true', 'give it a name'],
    ['SELECT ${nothing} FROM ${events} AS e', 'not known'],
    ['SELECT ${targets} FROM ${events} AS e', 'not known'],
    ['SELECT ${inputs.other} FROM ${events} AS e', 'add it under inputs'],
    ['SELECT 1 FROM ${baseline} AS b', 'baseline: 7d'],
    ["SELECT '${inputs.limit_n}' FROM ${events} AS e", 'out of the quotes'],
    ["SELECT 'x FROM ${events} AS e", 'does not end'],
    ['SELECT 1 /* x FROM ${events} AS e', 'does not end'],
    ['SELECT $$x$$ FROM ${events} AS e', 'single quotes'],
    ["SELECT E'x' FROM ${events} AS e", 'plain quotes'],
    ["SELECT {'a': 1} FROM ${events} AS e", 'ROW or MAP'],
    ['SELECT 7 // 2 FROM ${events} AS e', 'divides'],
  ])('refuses %s', (sql, hint) => {
    expect(lint(sql).join('\n')).toContain(hint);
  });

  it('says on which line', () => {
    const problems = lintSql("SELECT e.user_name\nFROM ${events} AS e\nWHERE e.command ILIKE 'x'", names);

    expect(problems).toEqual([{ line: 2, message: 'ILIKE is not Trino; use lower(x) LIKE' }]);
  });

  it('answers any text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[a-z'"$\-{}()[\]*/ ,;]*$/)), (text) => {
        expect(lintSql(text, names).every((problem) => problem.message !== '')).toBe(true);
      }),
    );
  });
});
