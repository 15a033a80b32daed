import {
  cloudTrailColumns,
  derivedTableNames,
  eventColumns,
  meaningfulTokens,
  type SqlToken,
  sessionColumnNames,
} from '#core/lake';

/** Something in a query that not every engine reads the same way, or that a runbook must not say. */
export type SqlProblem = {
  /** In the SQL, from 0. */
  readonly line: number;
  readonly message: string;
};

/** What the query may take from the runbook. */
export type SqlNames = {
  readonly inputs: readonly string[];
  /** Whether the trigger says how far `${baseline}` reaches. */
  readonly baseline: boolean;
};

const notPortable: Readonly<Record<string, string>> = {
  qualify: 'QUALIFY is not Trino; filter in an outer SELECT',
  exclude: 'EXCLUDE is not Trino; name the columns',
  ilike: 'ILIKE is not Trino; use lower(x) LIKE',
  pivot: 'PIVOT is not Trino; use count_if and the like',
  unpivot: 'UNPIVOT is not Trino; use UNNEST',
  asof: 'ASOF joins are not Trino; use a join and max_by',
  similar: 'SIMILAR TO is not Trino; use regexp_like',
  ipaddress: 'IPADDRESS is not everywhere; use ipv4_in_cidr(ip, cidr)',
  tablesample: 'a sample is not reproducible; leave it out',
};

const notPortableCalls: Readonly<Record<string, string>> = {
  any_match: 'any_match is not everywhere; use cardinality(filter(a, x -> ...)) > 0',
  all_match: 'all_match is not everywhere; use cardinality(filter(a, x -> NOT (...))) = 0',
  none_match: 'none_match is not everywhere; use cardinality(filter(a, x -> ...)) = 0',
  reduce: 'reduce is not everywhere; use an aggregate over UNNEST',
  listagg: "listagg is not everywhere; use array_join(array_agg(x ORDER BY x), ',')",
  json_query: 'json_query is not everywhere; use json_extract_scalar with a simple path',
  json_value: 'json_value is not everywhere; use json_extract_scalar with a simple path',
  map_entries: 'map_entries is not everywhere; use UNNEST(map_keys(m)) and element_at',
  regexp_matches: 'regexp_matches is not Trino; use regexp_like',
  string_split: 'string_split is not Trino; use split',
  strftime: 'strftime is not Trino; use date_format or format_datetime',
  strptime: 'strptime is not Trino; use date_parse',
  epoch: 'epoch is not Trino; use to_unixtime',
  list_transform: 'list_transform is not Trino; use transform',
  list_contains: 'list_contains is not Trino; use contains',
  list_filter: 'list_filter is not Trino; use filter',
  struct_pack: 'struct_pack is not Trino; use CAST(ROW(...) AS ROW(...))',
  generate_series: 'generate_series is not Trino; use sequence',
  now: 'now() makes runs differ; use ${to}',
  random: 'random() makes runs differ; leave it out',
  rand: 'rand() makes runs differ; leave it out',
  uuid: 'uuid() makes runs differ; leave it out',
};

const clockWords = new Set([
  'current_timestamp',
  'current_date',
  'current_time',
  'localtimestamp',
  'localtime',
]);
const writingWords = new Set([
  'insert',
  'update',
  'delete',
  'drop',
  'create',
  'alter',
  'copy',
  'attach',
  'install',
  'pragma',
]);
const intervalUnits = new Set(['second', 'minute', 'hour', 'day', 'month', 'year']);

/** Portable SQL over the derived tables, and nothing else; every problem, in order. */
export function lintSql(sql: string, names: SqlNames): readonly SqlProblem[] {
  const tokens = meaningfulTokens(sql);
  const problems = tokens.flatMap((_, index) => tokenProblems(tokens, index, names));
  problems.push(...shapeProblems(tokens), ...aliasProblems(tokens));
  return problems.sort((a, b) => a.line - b.line);
}

/** What stands around one token. */
function tokenProblems(tokens: readonly SqlToken[], index: number, names: SqlNames): readonly SqlProblem[] {
  const token = tokens[index];
  if (token === undefined) return [];
  const message = tokenMessage(token, tokens[index - 1], tokens[index + 1], tokens[index + 2], names);
  return message === undefined ? [] : [{ line: token.line, message }];
}

function tokenMessage(
  token: SqlToken,
  before: SqlToken | undefined,
  next: SqlToken | undefined,
  afterNext: SqlToken | undefined,
  names: SqlNames,
): string | undefined {
  switch (token.kind) {
    case 'broken':
      return 'a quote, comment or ${ does not end';
    case 'placeholder':
      return placeholderMessage(token.text.slice(2, -1), names);
    case 'text':
      return textMessage(token.text);
    case 'symbol':
      return symbolMessage(token, before, next);
    case 'word':
      return wordMessage(token.text.toLowerCase(), before, next, afterNext);
    default:
      return undefined;
  }
}

function placeholderMessage(name: string, names: SqlNames): string | undefined {
  if (derivedTableNames.some((table) => table === name) || ['from', 'to'].includes(name)) return undefined;
  if (name === 'baseline')
    return names.baseline ? undefined : '${baseline} has no reach; add baseline: 7d under trigger';
  if (name.startsWith('inputs.'))
    return names.inputs.includes(name.slice(7))
      ? undefined
      : `\${${name}} is not declared; add it under inputs`;
  const known = [...derivedTableNames, 'baseline', 'from', 'to'].map((each) => `\${${each}}`).join(', ');
  return `\${${name}} is not known in this version; there are ${known} and \${inputs.name}`;
}

function textMessage(text: string): string | undefined {
  if (text.includes('${')) return 'inside quotes ${...} is plain text; take it out of the quotes';
  if (/\(\?(?:=|!|<=|<!)/.test(text)) return 'look-around is not in RE2; write the pattern without it';
  if (/\\[1-9]/.test(text)) return 'back-references are not in RE2; write the pattern without them';
  return undefined;
}

function symbolMessage(
  token: SqlToken,
  before: SqlToken | undefined,
  next: SqlToken | undefined,
): string | undefined {
  switch (token.text) {
    case '::':
      return ':: is not Trino; use CAST(x AS type)';
    case '//':
      return '// is not Trino; / divides whole numbers';
    case '**':
      return '** is not Trino; use power(x, y)';
    case '~':
    case '!':
      return `${token.text} is not a Trino operator; use regexp_like or <>`;
    case '$$':
    case '$':
      return 'dollar quotes are not Trino; use single quotes';
    case ';':
      return 'one SELECT, without a semicolon';
    case '{':
      return 'braces are not Trino; use ROW or MAP';
    case '[':
      return bracketMessage(before, next);
    default:
      return undefined;
  }
}

/** Words after which a bracket begins a value and is no subscript. */
const beforeValue = new Set([
  'select',
  'distinct',
  'in',
  'and',
  'or',
  'not',
  'then',
  'else',
  'when',
  'on',
  'where',
  'by',
  'having',
]);

function bracketMessage(before: SqlToken | undefined, next: SqlToken | undefined): string | undefined {
  const after = before?.text.toLowerCase();
  if (after === 'array') return undefined;
  if (
    before === undefined ||
    beforeValue.has(after ?? '') ||
    !(before.kind === 'word' || before.kind === 'name' || after === ']' || after === ')')
  )
    return "['a'] is not Trino; use ARRAY['a']";
  return next?.kind === 'text'
    ? 'a missing key is an error in Trino and NULL elsewhere; use element_at(m, key)'
    : 'an index past the end is an error in Trino and NULL elsewhere; use element_at(a, i)';
}

function wordMessage(
  word: string,
  before: SqlToken | undefined,
  next: SqlToken | undefined,
  afterNext: SqlToken | undefined,
): string | undefined {
  // A column of that name is no keyword.
  if (before?.text === '.' || (before?.text.toLowerCase() === 'as' && word !== 'ipaddress')) return undefined;
  if (Object.hasOwn(notPortable, word)) return notPortable[word];
  if (next?.text === '(' && Object.hasOwn(notPortableCalls, word)) return notPortableCalls[word];
  if (next?.text === '(' && /^(read_|duckdb_|pragma_|glob$|query$|query_table$)/.test(word))
    return `${word} is not Trino; read from \${events} or another derived table`;
  if (clockWords.has(word)) return `${word} makes runs differ; use \${to}`;
  if (writingWords.has(word)) return `${word.toUpperCase()} has no place in a query; write one SELECT`;
  if (word === 'interval' && next?.kind === 'text') return intervalMessage(next, afterNext);
  if (word === 'e' && next?.kind === 'text') return "E'...' is not Trino; use plain quotes";
  if ((word === 'group' || word === 'order') && afterNext?.text.toLowerCase() === 'all')
    return `${word.toUpperCase()} BY ALL is not Trino; name the columns`;
  return undefined;
}

function intervalMessage(amount: SqlToken, unit: SqlToken | undefined): string | undefined {
  if (/^'[0-9]+'$/.test(amount.text) && intervalUnits.has(unit?.text.toLowerCase() ?? '')) return undefined;
  return "an interval is written INTERVAL '10' MINUTE";
}

function shapeProblems(tokens: readonly SqlToken[]): readonly SqlProblem[] {
  const problems: SqlProblem[] = [];
  const first = tokens[0]?.text.toLowerCase();
  if (first !== 'select' && first !== 'with')
    problems.push({ line: 0, message: 'a query begins with SELECT or WITH' });
  if (!tokens.some((token) => token.kind === 'placeholder' && isTable(token.text)))
    problems.push({ line: 0, message: 'a query reads FROM ${events} AS e, or from another derived table' });
  for (const [index, token] of tokens.entries()) {
    if (token.kind === 'placeholder' && isTable(token.text) && !isNamed(tokens, index))
      problems.push({ line: token.line, message: `give it a name: ${token.text} AS e` });
    if (token.text.toLowerCase() === 'limit' && !isOrdered(tokens, index))
      problems.push({
        line: token.line,
        message: 'LIMIT without ORDER BY picks rows at random; add an ORDER BY',
      });
    if (token.text.toLowerCase() === 'unnest') problems.push(...unnestProblems(tokens, index));
  }
  return problems;
}

function isTable(placeholder: string): boolean {
  return [...derivedTableNames, 'baseline'].some((name) => placeholder === `\${${name}}`);
}

function isNamed(tokens: readonly SqlToken[], index: number): boolean {
  const next = tokens[index + 1];
  const name = next?.text.toLowerCase() === 'as' ? tokens[index + 2] : next;
  return (
    name?.kind === 'word' &&
    ![
      'where',
      'join',
      'left',
      'right',
      'inner',
      'full',
      'cross',
      'group',
      'order',
      'limit',
      'union',
      'on',
    ].includes(name.text.toLowerCase())
  );
}

/** Backwards at the same depth: an ORDER before this SELECT begins. */
function isOrdered(tokens: readonly SqlToken[], index: number): boolean {
  let depth = 0;
  for (let at = index - 1; at >= 0; at -= 1) {
    const text = tokens[at]?.text.toLowerCase();
    if (text === ')') depth += 1;
    if (text === '(') depth -= 1;
    if (depth < 0) return false;
    if (depth === 0 && text === 'order') return true;
    if (depth === 0 && text === 'select') return false;
  }
  return false;
}

/** `UNNEST(x) AS t(a, b)`: of a map or of rows that is two columns in Trino and one in DuckDB. */
function unnestProblems(tokens: readonly SqlToken[], index: number): readonly SqlProblem[] {
  const close = closing(tokens, index + 1);
  const after = tokens.slice(close + 1, close + 8).map((token) => token.text.toLowerCase());
  const ordinality = after[0] === 'with' && after[1] === 'ordinality';
  const names = after.slice(ordinality ? 2 : 0);
  const start = names[0] === 'as' ? 1 : 0;
  if (names[start + 1] !== '(' || names[start + 3] !== ',' || ordinality) return [];
  return [
    {
      line: tokens[index]?.line ?? 0,
      message:
        'UNNEST into two columns differs between engines; use UNNEST(map_keys(m)) AS t(k) and element_at(m, k)',
    },
  ];
}

function closing(tokens: readonly SqlToken[], open: number): number {
  let depth = 0;
  for (let at = open; at < tokens.length; at += 1) {
    if (tokens[at]?.text === '(') depth += 1;
    if (tokens[at]?.text === ')') depth -= 1;
    if (depth === 0) return at;
  }
  return tokens.length;
}

const knownColumns = new Set([
  ...[...eventColumns, ...cloudTrailColumns].map((column) => column.name),
  ...sessionColumnNames,
]);

type SelectScope = { readonly aliases: Set<string>; part: 'list' | 'from' | 'group' | 'other' };

/** Trino does not know a SELECT's aliases in its GROUP BY and HAVING; DuckDB does, so it would pass here and fail there. */
function aliasProblems(tokens: readonly SqlToken[]): readonly SqlProblem[] {
  const problems: SqlProblem[] = [];
  const scopes: (SelectScope | undefined)[] = [undefined];
  for (const [index, token] of tokens.entries()) {
    const text = token.text.toLowerCase();
    const scope = scopes.at(-1);
    if (text === '(') scopes.push(startsSelect(tokens[index + 1]) ? undefined : inner(scope));
    else if (text === ')') scopes.pop();
    else if (text === 'select') scopes[scopes.length - 1] = { aliases: new Set(), part: 'list' };
    else if (scope !== undefined && token.kind === 'word') {
      if (text === 'from' && scope.part === 'list') scope.part = 'from';
      else if (text === 'group' || text === 'having') scope.part = 'group';
      else if (['order', 'limit', 'union', 'intersect', 'except', 'window'].includes(text))
        scope.part = 'other';
      else if (scope.part === 'list' && text === 'as' && tokens[index + 1]?.kind === 'word')
        scope.aliases.add(tokens[index + 1]?.text.toLowerCase() ?? '');
      else if (scope.part === 'group' && isAliasUse(tokens, index) && scope.aliases.has(text))
        problems.push({
          line: token.line,
          message: `Trino does not know the alias ${text} in GROUP BY or HAVING; repeat the expression`,
        });
    }
  }
  return problems;
}

/** Inside the parentheses of an expression the names are the same, but `CAST(x AS type)` names nothing. */
function inner(scope: SelectScope | undefined): SelectScope | undefined {
  if (scope === undefined || scope.part === 'list') return undefined;
  return scope;
}

function startsSelect(token: SqlToken | undefined): boolean {
  return ['select', 'with'].includes(token?.text.toLowerCase() ?? '');
}

function isAliasUse(tokens: readonly SqlToken[], index: number): boolean {
  const text = tokens[index]?.text.toLowerCase() ?? '';
  return tokens[index - 1]?.text !== '.' && tokens[index + 1]?.text !== '(' && !knownColumns.has(text);
}
