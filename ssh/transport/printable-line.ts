// C0, DEL, C1, line and paragraph separators, bidirectional controls, lone surrogates.
const unsafe = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text of a peer as one line that can be printed and logged: what could act on a terminal or a log becomes `?`. */
export function printableLine(text: string, maxLength: number): string {
  const cut = text.length > maxLength ? `${text.slice(0, maxLength)}...` : text;
  return cut.replace(unsafe, '?');
}
