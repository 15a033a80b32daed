import { isUtf8 } from 'node:buffer';

/** Text that may have come from an attacker, made fit for a record. */
export type EvidenceText = {
  readonly text: string;
  /** Bytes that are no UTF-8 stand as `\xHH`, and then each backslash of the original as two. */
  readonly escaped: boolean;
  readonly truncated: boolean;
};

/**
 * Keeps the text exactly where it is valid Unicode, control characters and all (JSON escapes them); other bytes are
 * escaped so that `bytesOfEvidenceText` finds them again. The result has at most `maxBytes` bytes of UTF-8.
 */
export function evidenceText(value: string | Uint8Array, maxBytes: number): EvidenceText {
  if (typeof value === 'string' && value.length * 3 <= maxBytes && value.isWellFormed())
    return { text: value, escaped: false, truncated: false };
  const bytes = bytesOf(value);
  if (!isUtf8(bytes)) return escapeInvalid(bytes, maxBytes);
  const kept = bytes.subarray(0, characterBoundary(bytes, maxBytes));
  return { text: kept.toString('utf8'), escaped: false, truncated: kept.length < bytes.length };
}

/** The bytes an evidence text stands for (its beginning, where it was truncated). */
export function bytesOfEvidenceText(text: string, escaped: boolean): Buffer {
  if (!escaped) return Buffer.from(text, 'utf8');
  const parts: Buffer[] = [];
  for (const [token, hex] of text.matchAll(/\\x([0-9a-f]{2})|\\\\|[^\\]+/g)) {
    if (hex !== undefined) parts.push(Buffer.from(hex, 'hex'));
    else parts.push(Buffer.from(token === '\\\\' ? '\\' : token, 'utf8'));
  }
  return Buffer.concat(parts);
}

/** UTF-8 of a string; a lone surrogate becomes the three bytes it would have (WTF-8), which are no valid UTF-8. */
export function bytesOf(value: string | Uint8Array): Buffer {
  if (typeof value !== 'string') return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (value.isWellFormed()) return Buffer.from(value, 'utf8');
  const parts: Buffer[] = [];
  for (const character of value) {
    const code = character.codePointAt(0) ?? 0;
    if (code < 0xd800 || code > 0xdfff) parts.push(Buffer.from(character, 'utf8'));
    else parts.push(Buffer.of(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)));
  }
  return Buffer.concat(parts);
}

function escapeInvalid(bytes: Buffer, maxBytes: number): EvidenceText {
  const parts: string[] = [];
  let length = 0;
  let at = 0;
  while (at < bytes.length) {
    const sequence = validSequenceLength(bytes, at);
    const token =
      sequence === 0
        ? `\\x${bytes.toString('hex', at, at + 1)}`
        : bytes[at] === 0x5c
          ? '\\\\'
          : bytes.toString('utf8', at, at + sequence);
    const tokenLength = sequence > 1 ? sequence : token.length;
    if (length + tokenLength > maxBytes) break;
    parts.push(token);
    length += tokenLength;
    at += Math.max(1, sequence);
  }
  return { text: parts.join(''), escaped: true, truncated: at < bytes.length };
}

/** Length of the UTF-8 sequence that begins here, 0 where none does (RFC 3629 §4). */
function validSequenceLength(bytes: Buffer, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  return isUtf8(bytes.subarray(at, at + length)) && at + length <= bytes.length ? length : 0;
}

/** The greatest end at or before `maxBytes` that cuts no character of valid UTF-8 in two. */
function characterBoundary(bytes: Buffer, maxBytes: number): number {
  if (bytes.length <= maxBytes) return bytes.length;
  let end = maxBytes;
  while (end > 0 && ((bytes[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}
