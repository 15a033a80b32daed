/**
 * Text that may stand in one line of a key file, a log or a terminal: well-formed Unicode without control
 * characters, line separators or direction overrides (which could make a name read as another).
 */
export function isPlainText(text: string): boolean {
  return text.isWellFormed() && !unsafe.test(text);
}

const unsafe = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/u;
