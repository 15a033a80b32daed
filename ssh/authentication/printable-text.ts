/** Control characters and those that break a line or turn its direction: what `isPlainText` refuses. */
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** One line that is safe on a terminal and in a log: what does not print becomes U+FFFD; cut at `maxLength` characters. */
export function printableLine(text: string, maxLength: number): string {
  return cut(text.replace(unprintable, '\ufffd'), maxLength);
}

/** As `printableLine`, but keeps line feeds and tabs; CR LF becomes LF. */
export function printableLines(text: string, maxLength: number): string {
  const lines = text.replaceAll('\r\n', '\n');
  return cut(
    lines.replace(unprintable, (character) =>
      character === '\n' || character === '\t' ? character : '\ufffd',
    ),
    maxLength,
  );
}

function cut(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength).toWellFormed()}…`;
}
