import { type SqlToken, sqlTokens } from '#core/lake';

/**
 * What a macro cannot do for Trino's spelling, done on tokens so that quoted text and comments stay as they are:
 * the type `array(T)` becomes `T[]`, and `transform(` becomes `list_transform(`.
 */
export function trinoToDuckDb(sql: string): string {
  return rewrite(sqlTokens(sql), 0, undefined).text;
}

type Piece = { readonly text: string; readonly next: number };

/** Rewrites from `start` to the parenthesis that closes what is open there, or to the end. */
function rewrite(tokens: readonly SqlToken[], start: number, end: ')' | undefined): Piece {
  let text = '';
  let depth = 0;
  let at = start;
  while (at < tokens.length) {
    const token = tokens[at];
    if (token === undefined) break;
    if (end !== undefined && depth === 0 && token.text === ')') break;
    if (token.text === '(') depth += 1;
    if (token.text === ')') depth -= 1;
    const called = tokens[at + 1]?.text === '(' ? token.text.toLowerCase() : undefined;
    if (token.kind === 'word' && called === 'array' && isTypeInside(tokens, at + 2)) {
      const inner = rewrite(tokens, at + 2, ')');
      text += `${inner.text}[]`;
      at = inner.next + 1;
      continue;
    }
    text += token.kind === 'word' && called === 'transform' ? 'list_transform' : token.text;
    at += 1;
  }
  return { text, next: at };
}

/** `array(SELECT ...)` is DuckDB's own and no type. */
function isTypeInside(tokens: readonly SqlToken[], start: number): boolean {
  const inside = tokens.slice(start).find((token) => token.kind !== 'space' && token.kind !== 'comment');
  return inside?.kind === 'word' && !['select', 'with', 'from', 'values'].includes(inside.text.toLowerCase());
}
