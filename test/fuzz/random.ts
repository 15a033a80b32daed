/** Numbers that look random and follow from a seed alone, so that a run can be had again. */
export type Random = {
  /** From 0 to `below - 1`. */
  integer(below: number): number;
  chance(share: number): boolean;
  bytes(length: number): Buffer;
  pick<T>(items: readonly T[]): T | undefined;
};

/** sfc32 by Chris Doty-Humphrey. */
export function randomFrom(seed: number): Random {
  let [a, b, c, counter] = [seed | 0, (seed ^ 0x9e3779b9) | 0, (seed * 0x85ebca6b) | 0, 1];
  const next = (): number => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return sum >>> 0;
  };
  for (let round = 0; round < 16; round += 1) next();
  const integer = (below: number): number => (below <= 1 ? 0 : next() % below);
  return {
    integer,
    chance: (share) => next() / 2 ** 32 < share,
    bytes: (length) => Buffer.from(Array.from({ length }, () => next() & 0xff)),
    pick: (items) => items[integer(items.length)],
  };
}
