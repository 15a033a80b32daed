/** Control, format (bidirectional overrides, zero width) and lone surrogate characters, line and paragraph separators. */
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu;

/**
 * Text that came from elsewhere, made fit for one line of a terminal or log: what could move a cursor, start a line or
 * turn the reading direction is written as `\u{1b}`.
 */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => `\\u{${character.codePointAt(0)?.toString(16)}}`);
}
