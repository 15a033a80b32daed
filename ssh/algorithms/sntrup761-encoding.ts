/**
 * NTRU Prime's encoding of number sequences (NTRU Prime: round 3, §4.1.2; NIST submission 2020-10-07). Each number is below its own
 * modulus; neighbours are merged pairwise into larger ones, low bytes going out as soon as a modulus reaches 2^14. Encoding
 * takes no branch and no table index from the numbers: only the moduli, which are public, decide.
 */
const LIMIT = 1 << 14;

/** Bytes of `numbers`, each below the modulus at its place. */
export function encodeNumbers(numbers: readonly number[], moduli: readonly number[]): Buffer {
  const out: number[] = [];
  let values = numbers;
  let bounds = moduli;
  while (values.length > 1) {
    const mergedValues: number[] = [];
    const mergedBounds: number[] = [];
    for (let index = 0; index + 1 < values.length; index += 2) {
      const low = bounds[index] ?? 1;
      let value = (values[index] ?? 0) + (values[index + 1] ?? 0) * low;
      let bound = (bounds[index + 1] ?? 1) * low;
      for (; bound >= LIMIT; bound = (bound + 255) >>> 8) {
        out.push(value & 0xff);
        value >>>= 8;
      }
      mergedValues.push(value);
      mergedBounds.push(bound);
    }
    if (values.length % 2 === 1) {
      mergedValues.push(values.at(-1) ?? 0);
      mergedBounds.push(bounds.at(-1) ?? 1);
    }
    values = mergedValues;
    bounds = mergedBounds;
  }
  let value = values[0] ?? 0;
  for (let bound = bounds[0] ?? 1; bound > 1; bound = (bound + 255) >>> 8) {
    out.push(value & 0xff);
    value >>>= 8;
  }
  return Buffer.from(out);
}

/**
 * The numbers that `bytes` stand for. Every input of the right length gives numbers below their moduli, also one that
 * `encodeNumbers` would not make. For public data only: it divides.
 */
export function decodeNumbers(bytes: Uint8Array, moduli: readonly number[]): number[] {
  return decodeFrom({ bytes, offset: 0 }, moduli);
}

type Source = { readonly bytes: Uint8Array; offset: number };

function decodeFrom(source: Source, moduli: readonly number[]): number[] {
  if (moduli.length === 1) {
    const bound = moduli[0] ?? 1;
    const { value } = takeBytes(source, bound, 2);
    return [value % bound];
  }
  const merged: number[] = [];
  const taken: { value: number; scale: number }[] = [];
  for (let index = 0; index + 1 < moduli.length; index += 2) {
    const low = takeBytes(source, (moduli[index] ?? 1) * (moduli[index + 1] ?? 1), LIMIT);
    merged.push(low.bound);
    taken.push(low);
  }
  if (moduli.length % 2 === 1) merged.push(moduli.at(-1) ?? 1);
  const upper = decodeFrom(source, merged);
  const numbers: number[] = [];
  for (const [pair, { value, scale }] of taken.entries()) {
    const joined = value + scale * (upper[pair] ?? 0);
    const bound = moduli[2 * pair] ?? 1;
    numbers.push(joined % bound, Math.floor(joined / bound) % (moduli[2 * pair + 1] ?? 1));
  }
  if (moduli.length % 2 === 1) numbers.push(upper.at(-1) ?? 0);
  return numbers;
}

/** Reads the low bytes that encoding put out while a modulus was `limit` or more. */
function takeBytes(source: Source, modulus: number, limit: number) {
  let bound = modulus;
  let value = 0;
  let scale = 1;
  for (; bound >= limit; bound = (bound + 255) >>> 8) {
    value += (source.bytes[source.offset] ?? 0) * scale;
    source.offset += 1;
    scale *= 256;
  }
  return { value, scale, bound };
}
