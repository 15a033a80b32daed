/**
 * Finds whether any of many words stands in bytes, in one pass whose time does not depend on the words: Aho and Corasick's
 * automaton (Communications of the ACM 18/6, 1975) as a table. Case of ASCII letters is ignored.
 */
export type KeywordScan = {
  find(bytes: Uint8Array, from: number, to: number): boolean;
};

/** C0 controls but HT, LF and CR, DEL, and the lead byte of C1 controls in UTF-8. */
const terminalControls = [
  ...Array.from({ length: 32 }, (_, code) => code).filter((code) => ![9, 10, 13].includes(code)),
  0x7f,
  0xc2,
];
const carriageReturn = 13;
const lineFeed = 10;
const blockBytes = 4096;

/**
 * @param kind with `terminal`, found is also what may change how text is drawn: a control character, and a carriage return that
 *   is not the end of a line. Words across such are therefore never overlooked, and lines without can be read as they are.
 */
export function createKeywordScan(words: readonly string[], kind: 'text' | 'terminal'): KeywordScan {
  const { classes, count } = byteClasses(words, kind === 'terminal' ? terminalControls : []);
  const next = transitions(words, classes, count, kind);
  const found = next.length - count;
  return {
    find: (bytes, from, to) => {
      let state = 0;
      for (let block = from; block < to; block += blockBytes) {
        const end = Math.min(to, block + blockBytes);
        for (let at = block; at < end; at += 1) state = next[state + (classes[bytes[at] ?? 0] ?? 0)] ?? 0;
        if (state === found) return true;
      }
      return false;
    },
  };
}

/** Rows of `count` next states, each as the place of its row. The last row is `found`, the one before it what a carriage return leads to. */
function transitions(
  words: readonly string[],
  classes: Uint8Array,
  count: number,
  kind: 'text' | 'terminal',
): Int32Array {
  const { edges, ends } = buildTrie(words, classes);
  const returned = edges.length * count;
  const found = returned + count;
  const next = new Int32Array(found + count).fill(found, returned);
  const fallback = new Int32Array(edges.length);
  const order = [0];
  for (const state of order) {
    const behind = fallback[state] ?? 0;
    for (let byteClass = 0; byteClass < count; byteClass += 1) {
      const child = edges[state]?.get(byteClass);
      const otherwise = state === 0 ? 0 : (next[behind * count + byteClass] ?? 0);
      if (child === undefined) next[state * count + byteClass] = otherwise;
      else {
        fallback[child] = otherwise === found ? 0 : otherwise / count;
        next[state * count + byteClass] = ends[child] || otherwise === found ? found : child * count;
        order.push(child);
      }
    }
  }
  if (kind === 'terminal') {
    for (const byte of terminalControls)
      for (let row = 0; row < found; row += count) next[row + (classes[byte] ?? 0)] = found;
    for (let row = 0; row < found; row += count) next[row + (classes[carriageReturn] ?? 0)] = returned;
    next[returned + (classes[lineFeed] ?? 0)] = 0;
  }
  return next;
}

/** Bytes that no word has share class 0. */
function byteClasses(
  words: readonly string[],
  controls: readonly number[],
): { classes: Uint8Array; count: number } {
  const classes = new Uint8Array(256);
  let count = 1;
  for (const byte of Buffer.from(words.join('').toLowerCase(), 'utf8')) {
    if (classes[byte] !== 0) continue;
    classes[byte] = count;
    if (byte >= 0x61 && byte <= 0x7a) classes[byte - 32] = count;
    count += 1;
  }
  classes[lineFeed] = count;
  classes[carriageReturn] = count + 1;
  for (const byte of controls) classes[byte] = count + 2;
  return { classes, count: count + 3 };
}

function buildTrie(
  words: readonly string[],
  classes: Uint8Array,
): { edges: Map<number, number>[]; ends: boolean[] } {
  const edges: Map<number, number>[] = [new Map()];
  const ends: boolean[] = [false];
  for (const word of words) {
    let state = 0;
    for (const byte of Buffer.from(word.toLowerCase(), 'utf8')) {
      const byteClass = classes[byte] ?? 0;
      let child = edges[state]?.get(byteClass);
      if (child === undefined) {
        child = edges.length;
        edges[state]?.set(byteClass, child);
        edges.push(new Map());
        ends.push(false);
      }
      state = child;
    }
    ends[state] = true;
  }
  return { edges, ends };
}
