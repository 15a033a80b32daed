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
