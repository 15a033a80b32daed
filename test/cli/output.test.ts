import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  cellText,
  jsonLine,
  jsonText,
  printable,
  printableBlock,
  printableLines,
  table,
} from '../../cli/output.ts';

test('control characters, escape sequences and bidirectional overrides become visible escapes', () => {
  const hostile = 'a\u001b[2Jb\r\nc\u0007d\u009be\u202ef\u2066g\u007f';

  expect(printable(hostile)).toBe('a\\x1b[2Jb\\x0d\\x0ac\\x07d\\x9be\\u202ef\\u2066g\\x7f');
});

test('nothing that a terminal acts on gets through', () => {
  fc.assert(
    fc.property(
      fc.string({ unit: 'binary' }),
      (text) => !/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(printable(text)),
    ),
  );
});

test('a table has its columns under their names and hostile cells on one line', () => {
  const lines = table(
    ['who', 'command'],
    [
      { who: 'alice', command: 'echo\nrm' },
      { who: 'bob', command: null },
    ],
    false,
  );

  expect(lines).toEqual(['who    command', 'alice  echo\\x0arm', 'bob']);
});

test('integers that a number holds stay numbers, larger ones become text', () => {
  expect(JSON.parse(jsonText({ small: 5n, large: 2n ** 60n }))).toEqual({
    small: 5,
    large: '1152921504606846976',
  });
  expect(cellText([1n, 'x'])).toBe('[1,"x"]');
});

test('JSON is the same value to a parser and nothing to a terminal', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const written = jsonLine([text, 'a\u009b31m\u202eb\u2028c\u007f']);

      expect(JSON.parse(written)).toEqual([text, 'a\u009b31m\u202eb\u2028c\u007f']);
      expect(written).not.toMatch(/[\p{Cc}\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
    }),
  );
});

test('lines stay lines, and each of them is printable', () => {
  expect(printableLines('one\u001b[2J\ntwo\r')).toBe('one\\x1b[2J\ntwo\\x0d');
});

test('what stands under a line cannot pass for a line of its own', () => {
  expect(printableBlock('broken:\nok      all is well\u001b[2J\r\n\n')).toBe(
    'broken:\n    ok      all is well\\x1b[2J',
  );
});
