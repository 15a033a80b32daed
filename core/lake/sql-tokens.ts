type SqlTokenKind =
  | 'word'
  | 'number'
  /** `'...'` with its quotes. */
  | 'text'
  /** `"..."` with its quotes. */
  | 'name'
  | 'comment'
  | 'space'
  /** `${...}` */
  | 'placeholder'
  | 'symbol'
  /** A quote, comment or placeholder that does not end. */
  | 'broken';

export type SqlToken = {
  readonly kind: SqlTokenKind;
  readonly text: string;
  /** Counts from 0. */
  readonly line: number;
};

/** Splits SQL into tokens as Trino does; joined again they are the text, character for character. */
export function sqlTokens(sql: string): readonly SqlToken[] {
  const tokens: SqlToken[] = [];
  let line = 0;
  for (let at = 0; at < sql.length; ) {
    const token = tokenAt(sql, at);
    tokens.push({ ...token, line });
    for (const character of token.text) if (character === '\n') line += 1;
    at += token.text.length;
  }
  return tokens;
}

/** Tokens that mean something: no space, no comments. */
export function meaningfulTokens(sql: string): readonly SqlToken[] {
  return sqlTokens(sql).filter((token) => token.kind !== 'space' && token.kind !== 'comment');
}

const patterns: readonly (readonly [SqlTokenKind, RegExp])[] = [
  ['space', /\s+/y],
  ['comment', /--[^\n]*/y],
  ['comment', /\/\*[^]*?\*\//y],
  ['text', /'(?:[^']|'')*'/y],
  ['name', /"(?:[^"]|"")*"/y],
  ['placeholder', /\$\{[^{}'";\n]*\}/y],
  ['broken', /'[^]*|"[^]*|\/\*[^]*|\$\{[^]*/y],
  ['number', /[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y],
  ['word', /[\p{L}_][\p{L}\p{N}_]*/uy],
  ['symbol', /::|->|<>|<=|>=|!=|=>|\|\||\$\$|\/\/|\*\*/y],
];

function tokenAt(sql: string, at: number): Omit<SqlToken, 'line'> {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = at;
    const match = pattern.exec(sql);
    if (match !== null) return { kind, text: match[0] };
  }
  return { kind: 'symbol', text: String.fromCodePoint(sql.codePointAt(at) ?? 0xfffd) };
}
