import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSequenceTracker } from '../../../core/recording/index.ts';

function unfinishedAfter(...texts: readonly string[]): string {
  const tracker = createSequenceTracker();
  for (const text of texts) tracker.write(text);
  return tracker.unfinished();
}

describe('an unfinished sequence', () => {
  it.each([
    ['plain text', ['hello\r\n'], ''],
    ['a whole colour', ['\u001b[31mred'], ''],
    ['a colour cut in the middle', ['one\u001b[3'], '\u001b[3'],
    ['a colour in three parts', ['\u001b', '[3', '1'], '\u001b[31'],
    ['a colour that has ended since', ['\u001b[3', '1m'], ''],
    ['a title cut in the middle', ['\u001b]0;host', 'name'], '\u001b]0;hostname'],
    ['a title ended by BEL', ['\u001b]0;host', 'name\u0007$ '], ''],
    ['a title ended by ST', ['\u001b]0;host\u001b', '\\$ '], ''],
    ['a designation', ['\u001b('], '\u001b('],
    ['a cancelled sequence', ['\u001b[3\u0018'], ''],
    ['an 8-bit introducer', ['\u009b3'], '\u009b3'],
    ['a sequence begun anew', ['\u001b[3\u001b[4'], '\u001b[4'],
    ['a device control string', ['\u001bP1$q', 'm'], '\u001bP1$qm'],
  ])('of %s', (_name, texts, expected) => {
    expect(unfinishedAfter(...texts)).toBe(expected);
  });

  it('is the same however the text was cut', () => {
    const piece = fc.constantFrom(
      'a',
      '\u001b',
      '[',
      ']',
      '0',
      ';',
      'm',
      '\u0007',
      '\\',
      'P',
      '(',
      '\u0018',
      '\u009b',
      '\u009c',
      'é',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(fc.array(piece, { maxLength: 6 }), { maxLength: 12 }), (parts) => {
        const texts = parts.map((part) => part.join(''));

        expect(unfinishedAfter(...texts)).toBe(unfinishedAfter(texts.join('')));
      }),
    );
  });

  it('stays bounded in a string without an end', () => {
    const tracker = createSequenceTracker();

    tracker.write('\u001b]0;');
    for (let i = 0; i < 100; i += 1) tracker.write('x'.repeat(1000));

    expect(tracker.unfinished().length).toBeLessThan(5000);
    expect(tracker.unfinished().startsWith('\u001b]0;xxx')).toBe(true);
  });
});
