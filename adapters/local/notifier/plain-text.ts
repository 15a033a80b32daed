/**
 * Text for one line of a terminal, log or message: controls (escape sequences, line breaks) and invisible formatting, which
 * can reorder or hide what is beside it, are shown as `\u{..}`.
 */
export function plainText(text: string, maxLength: number): string {
  const kept = text.length > maxLength ? `${text.slice(0, maxLength - 3)}...` : text;
  return kept
    .toWellFormed()
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) => `\\u{${char.codePointAt(0)?.toString(16) ?? ''}}`);
}
