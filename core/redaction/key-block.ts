/**
 * Follows private keys over lines: PEM (RFC 7468, RFC 1421 headers, OpenSSH, OpenPGP RFC 9580 §6.2), SSH2 (RFC 4716 look-alikes)
 * and PuTTY's files. A line may have something before it: a prompt, a line number, a file name, a quotation mark.
 */
export type KeyBlock =
  | { readonly kind: 'none' }
  /** `tail`: a line was shorter than the others, so the next is the end or no part of it. */
  | { readonly kind: 'pem'; readonly lines: number; readonly tail: boolean }
  | { readonly kind: 'putty'; readonly left: number };

export const noKeyBlock: KeyBlock = { kind: 'none' };
export const keyBlockId = 'private-key';
export const keyBlockKeywords = ['private key', 'private-lines'];

type Range = { readonly start: number; readonly end: number };

const begin =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----/;
const end = /-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|---- END SSH2 ENCRYPTED PRIVATE KEY ----/;
const putty = /(?:^|[^A-Za-z])Private-Lines: {0,4}(\d{1,3})\s{0,4}$/;
const body = /(?:^|[^A-Za-z0-9+/=])([A-Za-z0-9+/=]{1,8192})["',\\n]{0,4}\s{0,64}$/;
const header = /(?:Proc-Type|DEK-Info|Comment|Version|Hash|Charset|Subject|x-[a-z-]{1,32}): /;
/** Lines of keys have 64, 70 or 76 characters; only the last is shorter. */
const fullLine = 40;
const minFirstLine = 24;
/** A key of 16384 bits has 200. */
const maxLines = 1000;

/** What of this line belongs to a key, and what to expect of the next. */
export function followKeyBlock(
  block: KeyBlock,
  line: string,
): { readonly block: KeyBlock; readonly ranges: readonly Range[] } {
  const from = block.kind === 'none' ? undefined : 0;
  const opened = begin.exec(line);
  if (opened !== null) return insideLine(line, opened.index + opened[0].length);
  if (from === undefined) {
    const lines = putty.exec(line)?.[1];
    return { block: lines === undefined ? noKeyBlock : { kind: 'putty', left: Number(lines) }, ranges: [] };
  }
  if (block.kind === 'putty') return puttyLine(block.left, line);
  return block.kind === 'pem' ? pemLine(block, line) : { block: noKeyBlock, ranges: [] };
}

/** From behind a beginning; a key may also stand on one line, with `\n` written out. */
function insideLine(line: string, from: number): { block: KeyBlock; ranges: readonly Range[] } {
  const rest = line.slice(from);
  const closed = end.exec(rest);
  const until = closed === null ? line.length : from + closed.index;
  const ranges = line.slice(from, until).trim() === '' ? [] : [{ start: from, end: until }];
  if (closed !== null) {
    const after = from + closed.index + closed[0].length;
    const next = begin.exec(line.slice(after));
    if (next === null) return { block: noKeyBlock, ranges };
    const more = insideLine(line, after + next.index + next[0].length);
    return { block: more.block, ranges: [...ranges, ...more.ranges] };
  }
  return {
    block: { kind: 'pem', lines: 0, tail: false },
    ranges: rest.trim().length < minFirstLine ? [] : ranges,
  };
}

function pemLine(
  block: Extract<KeyBlock, { kind: 'pem' }>,
  line: string,
): { block: KeyBlock; ranges: readonly Range[] } {
  const closed = end.exec(line);
  if (closed !== null) {
    const before = bodyOf(line.slice(0, closed.index));
    return { block: noKeyBlock, ranges: before === undefined ? [] : [before] };
  }
  const found = bodyOf(line);
  const length = found === undefined ? 0 : found.end - found.start;
  const stays = line.trim() === '' || header.test(line);
  if (stays && !block.tail && block.lines < maxLines)
    return { block: { ...block, lines: block.lines + 1 }, ranges: [] };
  const fits =
    !block.tail && block.lines < maxLines && (length >= minFirstLine || (block.lines > 0 && length > 0));
  if (found === undefined || !fits) return { block: noKeyBlock, ranges: [] };
  return { block: { kind: 'pem', lines: block.lines + 1, tail: length < fullLine }, ranges: [found] };
}

function puttyLine(left: number, line: string): { block: KeyBlock; ranges: readonly Range[] } {
  const found = bodyOf(line);
  if (found === undefined || left === 0) return { block: noKeyBlock, ranges: [] };
  return { block: left === 1 ? noKeyBlock : { kind: 'putty', left: left - 1 }, ranges: [found] };
}

function bodyOf(line: string): Range | undefined {
  const found = body.exec(line);
  const text = found?.[1];
  if (found === null || text === undefined) return undefined;
  const start = found.index + found[0].indexOf(text);
  return { start, end: start + text.length };
}
