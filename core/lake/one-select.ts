import { textLiteral } from './literal.ts';
import { QueryError } from './query-error.ts';
import { meaningfulTokens, type SqlToken, sqlTokens } from './sql-tokens.ts';

/** Words a query of Trino begins with. */
const trinoFirstWords: readonly string[] = ['select', 'with', 'values', '('];

/**
 * The statement's meaningful tokens, where it looks like one query. What the engine itself sees of it comes on top.
 * @throws QueryError `refused`
 */
export function queryTokens(
  sql: string,
  limits: { readonly maxLength: number; readonly firstWords?: readonly string[] },
): readonly SqlToken[] {
  if (sql.length > limits.maxLength)
    throw new QueryError(
      'refused',
      `the statement is longer than ${limits.maxLength} characters; shorten it`,
    );
  const tokens = meaningfulTokens(sql);
  const first = tokens[0]?.text.toLowerCase();
  if (first === undefined || !(limits.firstWords ?? trinoFirstWords).includes(first))
    throw new QueryError('refused', 'only one SELECT is run here; begin with SELECT or WITH');
  return tokens;
}

/**
 * The statement as engines across the network take it: one query, without a semicolon.
 * @throws QueryError `refused`, or `invalid` where a quote does not end
 */
export function oneSelect(sql: string, maxLength: number): string {
  const tokens = queryTokens(sql, { maxLength });
  if (tokens.some((token) => token.kind === 'broken'))
    throw new QueryError('invalid', 'a quote, a comment or ${ does not end; close it');
  const end = tokens.findIndex((token) => token.text === ';');
  if (end === -1) return sql;
  if (tokens.slice(end).some((token) => token.text !== ';'))
    throw new QueryError('refused', 'one SELECT at a time; this has a semicolon in it');
  // Only the statement's own semicolons are symbols of that text.
  return sqlTokens(sql)
    .filter((token) => token.kind !== 'symbol' || token.text !== ';')
    .map((token) => token.text)
    .join('')
    .trim();
}

/** Text values as the literals that stand for the statement's `?`, in order. @throws QueryError `invalid` where they are not as many. */
export function parameterLiterals(sql: string, parameters: readonly string[]): readonly string[] {
  const places = meaningfulTokens(sql).filter(isPlace).length;
  if (places !== parameters.length)
    throw new QueryError(
      'invalid',
      `the statement has ${places} ? and came with ${parameters.length} values; give one for each`,
    );
  return parameters.map(textLiteral);
}

/** The statement with its `?` written out, for engines that bind nothing. @throws QueryError `invalid` */
export function withParameters(sql: string, parameters: readonly string[] = []): string {
  const literals = parameterLiterals(sql, parameters);
  let next = 0;
  return sqlTokens(sql)
    .map((token) => (isPlace(token) ? (literals[next++] ?? '') : token.text))
    .join('');
}

function isPlace(token: SqlToken): boolean {
  return token.kind === 'symbol' && token.text === '?';
}
