/**
 * Finds whether any of many words stands in bytes, in one pass whose time does not depend on the words: Aho and Corasick's
 * automaton (Communications of the ACM 18/6, 1975) as a table. Case of ASCII letters is ignored.
 */
export type KeywordScan = {
  /** Whether a word stands between, or one of the bytes that `alsoOn` names. */
  find(bytes: Uint8Array, from: number, to: number): boolean;
};

export function createKeywordScan(words: readonly string[], alsoOn: readonly number[] = []): KeywordScan {
  const { classes, count } = byteClasses(words, alsoOn);
  const { edges, ends } = buildTrie(words, classes);
  const found = edges.length * count;
  const next = new Int32Array(found + count).fill(found, found);
  const fallback = new Int32Array(edges.length);
  const order = [0];
  for (const state of order) {
    const behind = fallback[state] ?? 0;
    if (ends[behind]) ends[state] = true;
    for (let byteClass = 0; byteClass < count; byteClass += 1) {
      const child = edges[state]?.get(byteClass);
      const otherwise = state === 0 ? 0 : (next[behind * count + byteClass] ?? 0);
      if (child === undefined) next[state * count + byteClass] = otherwise;
      else {
        fallback[child] = state === 0 || otherwise === found ? 0 : otherwise / count;
        const complete = ends[child] || otherwise === found;
        next[state * count + byteClass] = complete ? found : child * count;
        order.push(child);
      }
    }
    for (const byte of alsoOn) next[state * count + (classes[byte] ?? 0)] = found;
  }
  return {
    find: (bytes, from, to) => {
      let state = 0;
      for (let at = from; at < to; at += 1) state = next[state + (classes[bytes[at] ?? 0] ?? 0)] ?? 0;
      return state === found;
    },
  };
}

/** Bytes that no word has share class 0. */
function byteClasses(
  words: readonly string[],
  alsoOn: readonly number[],
): { classes: Uint8Array; count: number } {
  const classes = new Uint8Array(256);
  let count = 1;
  for (const byte of Buffer.from(words.join('').toLowerCase(), 'utf8')) {
    if (classes[byte] !== 0) continue;
    classes[byte] = count;
    if (byte >= 0x61 && byte <= 0x7a) classes[byte - 32] = count;
    count += 1;
  }
  for (const byte of alsoOn) classes[byte] = count;
  return { classes, count: count + 1 };
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
