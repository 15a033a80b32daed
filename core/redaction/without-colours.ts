const escape = 0x1b;
const openingBracket = 0x5b;
/** SGR and EL: they change no character that stands on the line. */
const finals = new Set([0x6d, 0x4b]);

/**
 * The bytes of a line without its colours, written to `into`; gives their number. Undefined where it has sequences that may move
 * the cursor, or what is no complete sequence.
 */
export function withoutColours(
  bytes: Uint8Array,
  from: number,
  to: number,
  into: Uint8Array,
): number | undefined {
  let length = 0;
  for (let at = from; at < to; at += 1) {
    const byte = bytes[at] ?? 0;
    if (byte !== escape) {
      into[length++] = byte;
      continue;
    }
    at += 1;
    if (bytes[at] !== openingBracket) return undefined;
    do at += 1;
    while (at < to && isParameter(bytes[at] ?? 0));
    if (at >= to || !finals.has(bytes[at] ?? 0)) return undefined;
  }
  return length;
}

/** Digits, semicolon and colon. */
function isParameter(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x3b;
}
