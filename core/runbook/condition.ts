/** A parsed `when`: a small language over a finding's columns. */
export type Condition =
  | { readonly kind: 'column'; readonly column: string }
  | {
      readonly kind: 'compare';
      readonly column: string;
      readonly operator: Operator;
      readonly value: string | number;
    }
  | { readonly kind: 'is-null'; readonly column: string }
  | { readonly kind: 'not'; readonly of: Condition }
  | { readonly kind: 'and' | 'or'; readonly left: Condition; readonly right: Condition };

const operators = ['=', '!=', '<', '<=', '>', '>='] as const;
type Operator = (typeof operators)[number];

export type ConditionResult =
  | { readonly ok: true; readonly condition: Condition }
  | { readonly ok: false; readonly message: string };

const maxLength = 500;
const maxDepth = 20;

/**
 * `still_open`, `target_user = 'root'`, `targets >= 10`, `ended_at is null`, with `and`, `or`, `not` and parentheses.
 * There is no third truth value: a comparison with a column that is NULL is false.
 */
export function parseCondition(text: string): ConditionResult {
  if (text.length > maxLength)
    return { ok: false, message: `a condition has at most ${maxLength} characters` };
  const tokens = tokenise(text);
  if (typeof tokens === 'string') return { ok: false, message: tokens };
  try {
    const reader = { tokens, at: 0 };
    const condition = disjunction(reader, 0);
    if (reader.at < tokens.length)
      return { ok: false, message: `${JSON.stringify(tokens[reader.at])} was not expected there` };
    return { ok: true, condition };
  } catch (error) {
    if (error instanceof ConditionSyntax) return { ok: false, message: error.message };
    throw error;
  }
}

export function conditionColumns(condition: Condition): readonly string[] {
  switch (condition.kind) {
    case 'not':
      return conditionColumns(condition.of);
    case 'and':
    case 'or':
      return [...conditionColumns(condition.left), ...conditionColumns(condition.right)];
    default:
      return [condition.column];
  }
}

/** Columns are a finding's: text, absent where NULL. */
export function isMet(condition: Condition, columns: Readonly<Record<string, string>>): boolean {
  switch (condition.kind) {
    case 'column':
      return own(columns, condition.column) === 'true';
    case 'is-null':
      return own(columns, condition.column) === undefined;
    case 'compare':
      return compare(own(columns, condition.column), condition.operator, condition.value);
    case 'not':
      return !isMet(condition.of, columns);
    case 'and':
      return isMet(condition.left, columns) && isMet(condition.right, columns);
    case 'or':
      return isMet(condition.left, columns) || isMet(condition.right, columns);
    default:
      return condition satisfies never;
  }
}

function own(columns: Readonly<Record<string, string>>, name: string): string | undefined {
  return Object.hasOwn(columns, name) ? columns[name] : undefined;
}

function compare(text: string | undefined, operator: Operator, value: string | number): boolean {
  if (text === undefined) return false;
  const left = typeof value === 'number' ? Number(text) : text;
  if (typeof left === 'number' && (text.trim() === '' || Number.isNaN(left))) return false;
  switch (operator) {
    case '=':
      return left === value;
    case '!=':
      return left !== value;
    case '<':
      return left < value;
    case '<=':
      return left <= value;
    case '>':
      return left > value;
    case '>=':
      return left >= value;
    default:
      return operator satisfies never;
  }
}

class ConditionSyntax extends Error {}

type TokenReader = { readonly tokens: readonly string[]; at: number };

/** The tokens, or what is wrong. */
function tokenise(text: string): readonly string[] | string {
  const tokens: string[] = [];
  const pattern =
    /\s*(?:('(?:[^']|'')*')|([A-Za-z_][A-Za-z0-9_]*)|(-?[0-9]+(?:\.[0-9]+)?)|(!=|<=|>=|[=<>()]))/y;
  let at = 0;
  while (text.slice(at).trim() !== '') {
    pattern.lastIndex = at;
    const match = pattern.exec(text);
    if (match === null) return `cannot read it from ${JSON.stringify(text.slice(at, at + 20))} on`;
    tokens.push(match[0].trim());
    at = pattern.lastIndex;
  }
  return tokens;
}

function disjunction(reader: TokenReader, depth: number): Condition {
  let left = conjunction(reader, depth);
  while (takeWord(reader, 'or')) left = { kind: 'or', left, right: conjunction(reader, depth) };
  return left;
}

function conjunction(reader: TokenReader, depth: number): Condition {
  let left = negation(reader, depth);
  while (takeWord(reader, 'and')) left = { kind: 'and', left, right: negation(reader, depth) };
  return left;
}

function negation(reader: TokenReader, depth: number): Condition {
  if (depth > maxDepth) throw new ConditionSyntax(`conditions nest at most ${maxDepth} deep`);
  if (takeWord(reader, 'not')) return { kind: 'not', of: negation(reader, depth + 1) };
  if (takeWord(reader, '(')) {
    const inner = disjunction(reader, depth + 1);
    if (!takeWord(reader, ')')) throw new ConditionSyntax('a closing parenthesis is missing');
    return inner;
  }
  return comparison(reader);
}

function comparison(reader: TokenReader): Condition {
  const column = reader.tokens[reader.at];
  if (
    column === undefined ||
    !/^[a-z_][a-z0-9_]*$/.test(column) ||
    ['and', 'or', 'is', 'null'].includes(column)
  )
    throw new ConditionSyntax(`a column was expected instead of ${JSON.stringify(column ?? 'the end')}`);
  reader.at += 1;
  if (takeWord(reader, 'is')) {
    const negated = takeWord(reader, 'not');
    if (!takeWord(reader, 'null')) throw new ConditionSyntax("after 'is' comes null or not null");
    const isNull: Condition = { kind: 'is-null', column };
    return negated ? { kind: 'not', of: isNull } : isNull;
  }
  const operator = operators.find((each) => each === reader.tokens[reader.at]);
  if (operator === undefined) return { kind: 'column', column };
  reader.at += 1;
  return { kind: 'compare', column, operator, value: literal(reader) };
}

function literal(reader: TokenReader): string | number {
  const token = reader.tokens[reader.at];
  reader.at += 1;
  if (token !== undefined && /^-?[0-9]/.test(token)) return Number(token);
  if (token?.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
  if (token === 'true' || token === 'false') return token;
  throw new ConditionSyntax(
    `a 'text', a number, true or false was expected instead of ${JSON.stringify(token ?? 'the end')}`,
  );
}

function takeWord(reader: TokenReader, word: string): boolean {
  if (reader.tokens[reader.at]?.toLowerCase() !== word) return false;
  reader.at += 1;
  return true;
}
