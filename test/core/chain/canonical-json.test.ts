import canonicalize from 'canonicalize';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson, type JsonValue } from '../../../core/chain/canonical-json.ts';

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('\\ud800', '\\\\udfff', '\u2028', '1', '__proto__', 'constructor', '\ud800', ''),
);
const { value: values } = fc.letrec<{ value: JsonValue; object: { [name: string]: JsonValue } }>((tie) => ({
  value: fc.oneof({ depthSize: 'small' }, text, fc.boolean(), tie('object')),
  object: fc.dictionary(text, tie('value'), { maxKeys: 6 }),
}));

test('is what the reference writes, and throws where that throws', () => {
  fc.assert(
    fc.property(fc.dictionary(text, values, { maxKeys: 6 }), (value) => {
      expect(outcome(() => canonicalJson(value))).toEqual(outcome(() => canonicalize(value)));
    }),
    { numRuns: 500 },
  );
});

test('orders names by their UTF-16 code units, those that look like numbers too', () => {
  expect(canonicalJson({ b: 'x', '10': 'x', '9': 'x', a: { z: true, Z: false } })).toBe(
    '{"10":"x","9":"x","a":{"Z":false,"z":true},"b":"x"}',
  );
});

test('keeps a text that only looks like an escaped surrogate', () => {
  expect(canonicalJson({ a: '\\ud800' })).toBe('{"a":"\\\\ud800"}');
});

test('refuses a lone surrogate, in a value and in a name', () => {
  expect(() => canonicalJson({ a: 'x\ud800' })).toThrow('surrogate');
  expect(() => canonicalJson({ 'x\udfff': 'a' })).toThrow('surrogate');
});

function outcome(run: () => string | undefined): string | undefined {
  try {
    return run();
  } catch (error) {
    return `threw ${String(error)}`;
  }
}
