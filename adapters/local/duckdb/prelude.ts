/** Makes DuckDB 1.5 answer as Trino does for the portable constructs. User macros shadow the built-ins, which stay reachable as `system.main.f`. */
export const prelude: readonly string[] = [
  "SET GLOBAL TimeZone='UTC'",
  'SET GLOBAL integer_division=true',
  "SET GLOBAL lambda_syntax='ENABLE_SINGLE_ARROW'",
  ...macros(jsonMacros()),
  ...macros(timeMacros()),
  ...macros(textMacros()),
  ...macros(collectionMacros()),
  ...macros(aggregateMacros()),
];

function macros(definitions: Readonly<Record<string, string>>): readonly string[] {
  return Object.entries(definitions).map(([name, body]) => `CREATE OR REPLACE MACRO ${name}${body}`);
}

/** Trino: NULL for what is not a scalar, for JSON null and for text that is not JSON. */
function jsonMacros(): Readonly<Record<string, string>> {
  return {
    json_extract_scalar:
      "(j, p) AS CASE WHEN json_type(try_cast(j AS JSON), p) IN ('OBJECT','ARRAY','NULL') THEN NULL ELSE json_extract_string(try_cast(j AS JSON), p) END",
    json_parse: '(s) AS CAST(s AS JSON)',
    json_format: '(j) AS CAST(j AS VARCHAR)',
    json_array_contains:
      '(j, v) AS coalesce(list_contains(CAST(try_cast(j AS JSON) AS VARCHAR[]), CAST(v AS VARCHAR)), false)',
    json_size: '(j, p) AS coalesce(json_array_length(try_cast(j AS JSON), p), 0)',
  };
}

/** DuckDB wants constant formats, so they are a closed list; its date_diff counts boundaries, Trino's full units. */
function timeMacros(): Readonly<Record<string, string>> {
  return {
    from_iso8601_timestamp: '(s) AS CAST(s AS TIMESTAMPTZ)',
    from_iso8601_date: '(s) AS CAST(s AS DATE)',
    to_iso8601: "(t) AS strftime(CAST(t AS TIMESTAMP), '%Y-%m-%dT%H:%M:%S.%gZ')",
    from_unixtime: '(s) AS to_timestamp(s)',
    to_unixtime: '(t) AS epoch(t)',
    date_add: `(u, n, t) AS t + CASE lower(u) ${['millisecond', 'second', 'minute', 'hour'].map((unit) => `WHEN '${unit}' THEN to_${unit}s(CAST(n AS BIGINT))`).join(' ')} ${['day', 'week', 'month', 'year'].map((unit) => `WHEN '${unit}' THEN to_${unit}s(CAST(n AS INTEGER))`).join(' ')} ELSE CAST(error('date_add: unsupported unit ' || u) AS INTERVAL) END`,
    date_diff: '(u, a, b) AS date_sub(u, a, b)',
    format_datetime: `(t, f) AS ${formatCase('f', 'format_datetime', [
      ['yyyy-MM-dd', '%Y-%m-%d'],
      ['yyyy-MM-dd HH:mm', '%Y-%m-%d %H:%M'],
      ['yyyy-MM-dd HH:mm:ss', '%Y-%m-%d %H:%M:%S'],
      ["yyyy-MM-dd''T''HH:mm:ss''Z''", '%Y-%m-%dT%H:%M:%SZ'],
      ['yyyy/MM/dd', '%Y/%m/%d'],
      ['yyyy/MM/dd/HH', '%Y/%m/%d/%H'],
      ['yyyyMMdd', '%Y%m%d'],
      ['HH', '%H'],
      ['EEEE', '%A'],
    ])}`,
    date_format: `(t, f) AS ${formatCase('f', 'date_format', [
      ['%Y-%m-%d', '%Y-%m-%d'],
      ['%Y-%m-%d %H:%i', '%Y-%m-%d %H:%M'],
      ['%Y-%m-%d %H:%i:%s', '%Y-%m-%d %H:%M:%S'],
      ['%Y/%m/%d', '%Y/%m/%d'],
      ['%H', '%H'],
    ])}`,
    date_parse: `(s, f) AS CASE f ${[
      ['%Y-%m-%d', '%Y-%m-%d'],
      ['%Y-%m-%d %H:%i', '%Y-%m-%d %H:%M'],
      ['%Y-%m-%d %H:%i:%s', '%Y-%m-%d %H:%M:%S'],
    ]
      .map(([theirs, ours]) => `WHEN '${theirs}' THEN strptime(s, '${ours}')`)
      .join(' ')} ELSE CAST(error('date_parse: format not in the portable list: ' || f) AS TIMESTAMP) END`,
    day_of_week: '(t) AS isodow(t)',
    at_timezone: '(t, z) AS timezone(z, t)',
  };
}

function formatCase(format: string, name: string, formats: readonly (readonly [string, string])[]): string {
  const whens = formats.map(
    ([theirs, ours]) => `WHEN '${theirs}' THEN strftime(CAST(t AS TIMESTAMP), '${ours}')`,
  );
  return `CASE ${format} ${whens.join(' ')} ELSE error('${name}: format not in the portable list: ' || ${format}) END`;
}

/** Regular expressions are RE2 on both sides but for look-around and back-references, which the linter refuses. */
function textMacros(): Readonly<Record<string, string>> {
  const regexpExtract = 'system.main.regexp_extract';
  return {
    regexp_like: '(s, p) AS regexp_matches(s, p)',
    regexp_extract: `(s, p) AS CASE WHEN regexp_matches(s, p) THEN ${regexpExtract}(s, p) END, (s, p, g) AS CASE WHEN regexp_matches(s, p) THEN ${regexpExtract}(s, p, g) END`,
    regexp_replace:
      "(s, p) AS system.main.regexp_replace(s, p, '', 'g'), (s, p, r) AS system.main.regexp_replace(s, p, replace(r, '$', '\\'), 'g')",
    regexp_count: '(s, p) AS len(system.main.regexp_extract_all(s, p))',
    to_hex: '(b) AS hex(b)',
    from_utf8: '(b) AS decode(b)',
    to_utf8: '(s) AS encode(s)',
    codepoint: '(c) AS unicode(c)',
    format: [1, 2, 3, 4]
      .map((arity) => {
        const values = 'abcd'.slice(0, arity).split('').join(', ');
        return `${arity === 1 ? '' : ' '}(f, ${values}) AS system.main.printf(f, ${values})`;
      })
      .join(','),
    // DuckDB's concat skips NULL, Trino's is NULL then.
    concat: [2, 3, 4, 5, 6]
      .map((arity) => {
        const values = 'abcdef'.slice(0, arity).split('');
        return `${arity === 2 ? '' : ' '}(${values.join(', ')}) AS ${values.join(' || ')}`;
      })
      .join(','),
    ipv4_int:
      "(ip) AS CASE WHEN regexp_matches(ip, '^\\d{1,3}(\\.\\d{1,3}){3}$') THEN CAST(split_part(ip,'.',1) AS BIGINT)*16777216 + CAST(split_part(ip,'.',2) AS BIGINT)*65536 + CAST(split_part(ip,'.',3) AS BIGINT)*256 + CAST(split_part(ip,'.',4) AS BIGINT) END",
    ipv4_in_cidr:
      "(ip, cidr) AS (ipv4_int(ip) >> (32 - CAST(split_part(cidr,'/',2) AS INTEGER))) = (ipv4_int(split_part(cidr,'/',1)) >> (32 - CAST(split_part(cidr,'/',2) AS INTEGER)))",
  };
}

function collectionMacros(): Readonly<Record<string, string>> {
  return {
    element_at: '(c, k) AS c[k]',
    // One macro serves lists and maps, hence the detour over text.
    cardinality:
      "(c) AS CASE WHEN typeof(c) LIKE 'MAP%' THEN len(map_keys(try_cast(c AS MAP(VARCHAR, VARCHAR)))) ELSE len(try_cast(c AS VARCHAR[])) END",
    array_join: '(a, d) AS array_to_string(a, d)',
    arrays_overlap: '(a, b) AS list_has_any(a, b)',
    array_max: '(a) AS list_max(a)',
    array_min: '(a) AS list_min(a)',
    array_except: '(a, b) AS list_distinct(list_filter(a, lambda x: NOT list_contains(b, x)))',
    array_union: '(a, b) AS list_distinct(list_concat(a, b))',
    slice:
      '(a, s, n) AS CASE WHEN s > 0 THEN array_slice(a, s, s + n - 1) ELSE array_slice(a, len(a) + s + 1, len(a) + s + n) END',
    sequence: '(a, b) AS generate_series(a, b), (a, b, s) AS generate_series(a, b, s)',
    map: '(k, v) AS map_from_entries(list_zip(k, v))',
    // NULL among the values makes Trino's answer NULL; DuckDB's own skip it.
    greatest: extreme('greatest'),
    least: extreme('least'),
  };
}

function extreme(name: 'greatest' | 'least'): string {
  return [2, 3, 4]
    .map((arity) => {
      const values = 'abcd'.slice(0, arity).split('');
      const isNull = values.map((value) => `${value} IS NULL`).join(' OR ');
      return `${arity === 2 ? '' : ' '}(${values.join(', ')}) AS CASE WHEN ${isNull} THEN NULL ELSE system.main.${name}(${values.join(', ')}) END`;
    })
    .join(',');
}

function aggregateMacros(): Readonly<Record<string, string>> {
  return {
    approx_percentile: '(x, p) AS approx_quantile(x, p)',
    approx_distinct: '(x) AS approx_count_distinct(x)',
    map_agg: "(k, v) AS map_from_entries(list({'k': k, 'v': v}))",
    boolean_or: '(x) AS bool_or(x)',
  };
}
