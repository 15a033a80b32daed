import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import { compareValues, type Item, invalid, isRecord, parseItem, sameValue } from './dynamodb-values.ts';

/** Names and values behind placeholders; every one must be used by some expression of the request, and be defined. */
export type Placeholders = {
  name(placeholder: string): string;
  value(placeholder: string): AttributeValue;
  /** After the last expression was read. */
  checkUsed(): void;
};

export function placeholders(names: unknown, values: unknown): Placeholders {
  const known = {
    names: namesOf(names),
    values: values === undefined ? {} : parseItem(values, 'ExpressionAttributeValues'),
  };
  const used = new Set<string>();
  return {
    name(placeholder) {
      used.add(placeholder);
      const name = known.names[placeholder];
      if (name === undefined)
        throw invalid(
          `An expression attribute name used in the document path is not defined; attribute name: ${placeholder}`,
        );
      return name;
    },
    value(placeholder) {
      used.add(placeholder);
      const value = known.values[placeholder];
      if (value === undefined)
        throw invalid(
          `An expression attribute value used in expression is not defined; attribute value: ${placeholder}`,
        );
      return value;
    },
    checkUsed() {
      for (const [kind, map] of Object.entries(known)) {
        const idle = Object.keys(map).filter((placeholder) => !used.has(placeholder));
        if (idle.length > 0)
          throw invalid(
            `Value provided in ExpressionAttribute${kind === 'names' ? 'Names' : 'Values'} unused in expressions: keys: {${idle.join(', ')}}`,
          );
      }
    },
  };
}

function namesOf(names: unknown): Record<string, string> {
  if (names === undefined) return {};
  if (!isRecord(names) || Object.keys(names).length === 0)
    throw invalid('ExpressionAttributeNames must not be empty');
  return Object.fromEntries(
    Object.entries(names).map(([placeholder, name]) => {
      if (!/^#\w+$/.test(placeholder) || typeof name !== 'string')
        throw invalid(`ExpressionAttributeNames contains invalid key: Syntax error; key: "${placeholder}"`);
      return [placeholder, name];
    }),
  );
}

type Operand = { readonly path: string } | { readonly value: AttributeValue };
type Comparator = '=' | '<>' | '<' | '<=' | '>' | '>=';

export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  | { readonly kind: 'exists'; readonly path: string; readonly wanted: boolean }
  | {
      readonly kind: 'compare';
      readonly operator: Comparator;
      readonly left: Operand;
      readonly right: Operand;
    }
  | { readonly kind: 'between'; readonly subject: Operand; readonly low: Operand; readonly high: Operand }
  | { readonly kind: 'begins'; readonly path: string; readonly prefix: Operand };

export type Change =
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'set'; readonly path: string; readonly sum: readonly Summand[]; readonly sign: 1 | -1 };
type Summand = Operand | { readonly ifAbsent: string; readonly otherwise: Operand };

const token = /\s*(?:(<>|<=|>=|[=<>(),+-])|([#:]?[A-Za-z_]\w*))/y;
const maxExpressionBytes = 4096;
/** A few of the 573; a test that works here must not lean on one of those. */
const reserved =
  /^(?:data|name|status|timestamp|key|keys|value|values|date|time|ttl|type|state|user|role|by|to|from)$/i;

/** A reader over the words of one expression. */
class Words {
  readonly #subject: string;
  readonly #words: string[] = [];
  readonly #known: Placeholders;
  #at = 0;

  constructor(subject: string, text: unknown, known: Placeholders) {
    this.#subject = subject;
    this.#known = known;
    if (typeof text !== 'string' || text.trim() === '')
      throw invalid(`Invalid ${subject}: The expression can not be empty;`);
    if (Buffer.byteLength(text) > maxExpressionBytes)
      throw invalid(`Invalid ${subject}: Expression size has exceeded the maximum allowed size;`);
    for (token.lastIndex = 0; token.lastIndex < text.trimEnd().length; ) {
      const found = token.exec(text);
      if (found === null) throw invalid(`Invalid ${subject}: Syntax error`);
      this.#words.push(found[1] ?? found[2] ?? '');
    }
  }

  get done(): boolean {
    return this.#at === this.#words.length;
  }

  fail(): Error {
    return invalid(`Invalid ${this.#subject}: Syntax error; token: "${this.#words[this.#at] ?? '<EOF>'}"`);
  }

  next(): string {
    const word = this.#words[this.#at];
    if (word === undefined) throw this.fail();
    this.#at += 1;
    return word;
  }

  takes(word: string): boolean {
    if (this.#words[this.#at]?.toUpperCase() !== word.toUpperCase()) return false;
    this.#at += 1;
    return true;
  }

  must(word: string): void {
    if (!this.takes(word)) throw this.fail();
  }

  path(): string {
    const operand = this.operand();
    if (!('path' in operand)) throw this.fail();
    return operand.path;
  }

  operand(): Operand {
    const word = this.next();
    if (word.startsWith(':')) return { value: this.#known.value(word) };
    if (word.startsWith('#')) return { path: this.#known.name(word) };
    if (!/^[A-Za-z_]/.test(word)) {
      this.#at -= 1;
      throw this.fail();
    }
    if (reserved.test(word))
      throw invalid(
        `Invalid ${this.#subject}: Attribute name is a reserved keyword; reserved keyword: ${word}`,
      );
    return { path: word };
  }
}

export function parseCondition(subject: string, text: unknown, known: Placeholders): Condition {
  const words = new Words(subject, text, known);
  const condition = either(words);
  if (!words.done) throw words.fail();
  return condition;
}

function either(words: Words): Condition {
  const parts = [both(words)];
  while (words.takes('OR')) parts.push(both(words));
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'or', parts };
}

function both(words: Words): Condition {
  const parts = [single(words)];
  while (words.takes('AND')) parts.push(single(words));
  return parts.length === 1 && parts[0] !== undefined ? parts[0] : { kind: 'and', parts };
}

function single(words: Words): Condition {
  if (words.takes('NOT')) return { kind: 'not', part: single(words) };
  if (words.takes('(')) {
    const inner = either(words);
    words.must(')');
    return inner;
  }
  for (const [name, wanted] of [
    ['attribute_exists', true],
    ['attribute_not_exists', false],
  ] as const)
    if (words.takes(name)) {
      words.must('(');
      const path = words.path();
      words.must(')');
      return { kind: 'exists', path, wanted };
    }
  if (words.takes('begins_with')) {
    words.must('(');
    const path = words.path();
    words.must(',');
    const prefix = words.operand();
    words.must(')');
    return { kind: 'begins', path, prefix };
  }
  const left = words.operand();
  if (words.takes('BETWEEN')) {
    const low = words.operand();
    words.must('AND');
    return { kind: 'between', subject: left, low, high: words.operand() };
  }
  const operator = words.next();
  if (!isComparator(operator)) throw words.fail();
  return { kind: 'compare', operator, left, right: words.operand() };
}

function isComparator(word: string): word is Comparator {
  return ['=', '<>', '<', '<=', '>', '>='].includes(word);
}

export function holds(condition: Condition, item: Item | undefined): boolean {
  switch (condition.kind) {
    case 'and':
      return condition.parts.every((part) => holds(part, item));
    case 'or':
      return condition.parts.some((part) => holds(part, item));
    case 'not':
      return !holds(condition.part, item);
    case 'exists':
      return (item?.[condition.path] !== undefined) === condition.wanted;
    case 'compare':
      return compares(condition.operator, valueOf(condition.left, item), valueOf(condition.right, item));
    case 'between':
      return (
        compares('>=', valueOf(condition.subject, item), valueOf(condition.low, item)) &&
        compares('<=', valueOf(condition.subject, item), valueOf(condition.high, item))
      );
    case 'begins': {
      const prefix = valueOf(condition.prefix, item)?.S;
      return prefix !== undefined && item?.[condition.path]?.S?.startsWith(prefix) === true;
    }
  }
}

/** A value that is not there equals nothing, and has no order. */
function compares(
  operator: Comparator,
  left: AttributeValue | undefined,
  right: AttributeValue | undefined,
): boolean {
  if (left === undefined || right === undefined) return operator === '<>';
  if (operator === '=') return sameValue(left, right);
  if (operator === '<>') return !sameValue(left, right);
  const order = compareValues(left, right);
  if (order === undefined) return false;
  return operator === '<'
    ? order < 0
    : operator === '<='
      ? order <= 0
      : operator === '>'
        ? order > 0
        : order >= 0;
}

function valueOf(operand: Operand, item: Item | undefined): AttributeValue | undefined {
  return 'value' in operand ? operand.value : item?.[operand.path];
}

/** `SET path = a [+|- b], ... REMOVE path, ...`; no ADD, DELETE or paths into documents. */
export function parseUpdate(text: unknown, known: Placeholders): readonly Change[] {
  const words = new Words('UpdateExpression', text, known);
  const changes: Change[] = [];
  while (!words.done) {
    if (words.takes('SET'))
      do changes.push(setting(words));
      while (words.takes(','));
    else if (words.takes('REMOVE'))
      do changes.push({ kind: 'remove', path: words.path() });
      while (words.takes(','));
    else throw words.fail();
  }
  const paths = changes.map(({ path }) => path);
  const twice = paths.find((path, index) => paths.indexOf(path) !== index);
  if (twice !== undefined)
    throw invalid(
      `Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [${twice}], path two: [${twice}]`,
    );
  return changes;
}

function setting(words: Words): Change {
  const path = words.path();
  words.must('=');
  const first = summand(words);
  const sign = words.takes('+') ? 1 : words.takes('-') ? -1 : undefined;
  return { kind: 'set', path, sum: sign === undefined ? [first] : [first, summand(words)], sign: sign ?? 1 };
}

function summand(words: Words): Summand {
  if (!words.takes('if_not_exists')) return words.operand();
  words.must('(');
  const ifAbsent = words.path();
  words.must(',');
  const otherwise = words.operand();
  words.must(')');
  return { ifAbsent, otherwise };
}

/** The item after all changes, each of which saw it as it was before. */
export function applyChanges(changes: readonly Change[], before: Item): Item {
  const after: Record<string, AttributeValue> = { ...before };
  for (const change of changes) {
    if (change.kind === 'remove') delete after[change.path];
    else after[change.path] = sumOf(change, before);
  }
  return after;
}

function sumOf({ sum, sign }: Extract<Change, { kind: 'set' }>, before: Item): AttributeValue {
  const [left, right] = sum.map((part) => {
    const value =
      'ifAbsent' in part ? (before[part.ifAbsent] ?? valueOf(part.otherwise, before)) : valueOf(part, before);
    if (value === undefined)
      throw invalid('The provided expression refers to an attribute that does not exist in the item');
    return value;
  });
  if (left === undefined) throw invalid('Invalid UpdateExpression: Syntax error');
  if (right === undefined) return left;
  if (left.N === undefined || right.N === undefined)
    throw invalid('An operand in the update expression has an incorrect data type');
  return { N: String(Number(left.N) + sign * Number(right.N)) };
}
