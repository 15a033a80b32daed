import canonicalize from 'canonicalize';

/** What records are made of. */
export type JsonValue = string | boolean | { readonly [name: string]: JsonValue };

/**
 * RFC 8785 canonical JSON of strings, booleans and objects of them. JSON.stringify writes all three as the RFC wants but for the order
 * of members, so that one call of it over objects in order is enough; where that order would not hold, the slow way is taken.
 *
 * @throws Error where a string is not well-formed Unicode.
 */
export function canonicalJson(value: { readonly [name: string]: JsonValue }): string | undefined {
  const ordered = inOrder(value);
  if (ordered === undefined) return canonicalize(value);
  const text = JSON.stringify(ordered);
  // A lone surrogate comes out as an escape like this one, which is not canonical; so does a backslash before such letters.
  return loneSurrogate.test(text) ? canonicalize(value) : text;
}

/**
 * Whether a text is the RFC 8785 canonical JSON of the value that was parsed from it. The parser keeps the order of members and
 * JSON.stringify writes the rest as the RFC wants, so where members are in order one comparison is enough.
 */
export function isCanonicalText(text: string, value: unknown): boolean {
  if (isOrdered(value, maxOrderedDepth) && !loneSurrogate.test(text)) return JSON.stringify(value) === text;
  try {
    return canonicalize(value) === text;
  } catch {
    // A lone surrogate can be written as an escape in JSON, and has no canonical form.
    return false;
  }
}

/** Deeper ones go the slow way, which refuses what is too deep. */
const maxOrderedDepth = 16;

function isOrdered(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (depth === 0) return false;
  if (Array.isArray(value)) return value.every((item) => isOrdered(item, depth - 1));
  let before: string | undefined;
  // What the parser makes has no members but its own; an array of them would cost as much as the rest.
  for (const name in value) {
    if (before !== undefined && name <= before) return false;
    const member: unknown = Reflect.get(value, name);
    if (typeof member === 'object' && !isOrdered(member, depth - 1)) return false;
    before = name;
  }
  return true;
}

const loneSurrogate = /\\ud[89a-f]/;

/** Undefined where a name looks like an index: engines put those first, whatever order they were set in. */
function inOrder(value: {
  readonly [name: string]: JsonValue;
}): { readonly [name: string]: JsonValue } | undefined {
  const ordered: Record<string, JsonValue> = {};
  for (const name of Object.keys(value).sort()) {
    const first = name.charCodeAt(0);
    // `__proto__` would set no member.
    if ((first >= 0x30 && first <= 0x39) || name === '__proto__') return undefined;
    const member = value[name];
    if (member === undefined) continue;
    if (typeof member !== 'object') {
      ordered[name] = member;
      continue;
    }
    const inner = inOrder(member);
    if (inner === undefined) return undefined;
    ordered[name] = inner;
  }
  return ordered;
}
