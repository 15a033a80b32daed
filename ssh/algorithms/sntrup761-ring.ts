/**
 * Polynomials modulo x^761 - x - 1, with coefficients modulo 4591 or 3, always the representatives around zero
 * (NTRU Prime: round 3, §2). Loops and indices depend on public sizes only, and values are chosen with masks.
 */
export const P = 761;
export const Q = 4591;
/** Largest coefficient modulo Q. */
export const HALF_Q = (Q - 1) / 2;

/** Division steps after which the reciprocal of a polynomial of degree below P is there. */
const STEPS = 2 * P - 1;

/** For |number| below 2^24: quotients by 1/Q rounded to 16, 20 and 28 bits, each of what the last one left. */
export function modQ(number: number): number {
  const roughly = (number - Math.imul(Q, Math.imul(number, 14) >> 16)) | 0;
  const nearly = (roughly - Math.imul(Q, Math.imul(roughly, 228) >> 20)) | 0;
  return (nearly - Math.imul(Q, (Math.imul(nearly, 58470) + 0x8000000) >> 28)) | 0;
}

/** For |number| below 2^15. */
export function mod3(number: number): number {
  return number - 3 * ((number * 10923 + 16384) >> 15);
}

/** -1 where `number`, an int32, is not zero, else 0. */
export function maskOfNonzero(number: number): number {
  return (number | -number) >> 31;
}

/** The product before coefficients are reduced; those of `small` are -1, 0 and 1. */
export function product(left: Int32Array, small: Int32Array): Int32Array {
  // Zeroes on both sides, so that four neighbouring sums run over the same places.
  const padded = new Int32Array(P + 6);
  padded.set(left, 3);
  const wide = new Int32Array(2 * P + 2);
  for (let k = 0; k < 2 * P - 1; k += 4) {
    let [sum0, sum1, sum2, sum3] = [0, 0, 0, 0];
    const last = Math.min(P - 1, k + 3);
    for (let i = Math.max(0, k - P + 1); i <= last; i += 1) {
      const factor = small[i] ?? 0;
      const at = k + 3 - i;
      sum0 = (sum0 + Math.imul(factor, padded[at] ?? 0)) | 0;
      sum1 = (sum1 + Math.imul(factor, padded[at + 1] ?? 0)) | 0;
      sum2 = (sum2 + Math.imul(factor, padded[at + 2] ?? 0)) | 0;
      sum3 = (sum3 + Math.imul(factor, padded[at + 3] ?? 0)) | 0;
    }
    wide[k] = sum0;
    wide[k + 1] = sum1;
    wide[k + 2] = sum2;
    wide[k + 3] = sum3;
  }
  // x^P = x + 1
  for (let i = 2 * P - 2; i >= P; i -= 1) {
    const high = wide[i] ?? 0;
    wide[i - P] = (wide[i - P] ?? 0) + high;
    wide[i - P + 1] = (wide[i - P + 1] ?? 0) + high;
  }
  const low = wide.slice(0, P);
  padded.fill(0);
  wide.fill(0);
  return low;
}

/** 1 / (3 * `input`) modulo Q, by Bernstein and Yang's division steps (2019/266 §7). `input` is small and not zero. */
export function reciprocalOfTriple(input: Int32Array): Int32Array {
  const f = modulus();
  const g = reversed(input);
  const v = new Int32Array(P + 1);
  const r = new Int32Array(P + 1);
  r[0] = reciprocalModQ(3);
  let delta = 1;
  for (let step = 0; step < STEPS; step += 1) {
    v.copyWithin(1, 0, P);
    v[0] = 0;
    const f0 = modQ(f[0] ?? 0);
    const g0 = modQ(g[0] ?? 0);
    const swap = (-delta >> 31) & maskOfNonzero(g0);
    delta = (delta ^ (swap & (delta ^ -delta))) + 1;
    // b = f0 b - g0 a, with the signs that the swap gives.
    const sign = 1 + 2 * swap;
    const ofB = Math.imul(sign, f0);
    const ofA = Math.imul(-sign, g0);
    // Each later step looks one coefficient less far; v and r have grown by one a step. Both bounds are public.
    stepModQ(f, g, Math.min(STEPS - step, P + 1), swap, ofA, ofB);
    stepModQ(v, r, Math.min(step + 2, P + 1), swap, ofA, ofB);
    g.copyWithin(0, 1);
    g[P] = 0;
  }
  const scale = reciprocalModQ(modQ(f[0] ?? 0));
  const inverse = new Int32Array(P);
  for (let i = 0; i < P; i += 1) inverse[i] = modQ(scale * (v[P - 1 - i] ?? 0));
  for (const secret of [f, g, v, r]) secret.fill(0);
  return inverse;
}

/**
 * b = ofA a + ofB b modulo Q; a takes the old b where `swap` is -1. Most of the time of making a key is spent here, so that
 * numbers are brought near zero only: with both factors at most HALF_Q, they stay below 2 Q.
 */
function stepModQ(a: Int32Array, b: Int32Array, width: number, swap: number, ofA: number, ofB: number): void {
  for (let i = 0; i < width; i += 1) {
    const x = a[i] ?? 0;
    const y = b[i] ?? 0;
    const sum = (Math.imul(ofA, x) + Math.imul(ofB, y)) | 0;
    a[i] = x ^ (swap & (x ^ y));
    // 7309 = 2^25 / Q
    b[i] = (sum - Math.imul(Q, Math.imul(sum >> 10, 7309) >> 15)) | 0;
  }
}

/** 1 / `input` modulo 3, or undefined where there is none; `input` is small. The same steps, on coefficients packed as bits. */
export function reciprocalMod3(input: Int32Array): Int32Array | undefined {
  const f = packed(modulus());
  const g = packed(reversed(input));
  const v = packed(new Int32Array(P + 1));
  const r = packed(Int32Array.of(1));
  let delta = 1;
  for (let step = 0; step < STEPS; step += 1) {
    timesX(v);
    const swap = (-delta >> 31) & -((g.nonzero[0] ?? 0) & 1);
    delta = (delta ^ (swap & (delta ^ -delta))) + 1;
    // -f0 g0: not zero where both are not, negative where the signs are equal.
    const nonzero = -((f.nonzero[0] ?? 0) & (g.nonzero[0] ?? 0) & 1);
    const negative = nonzero & ~-(((f.negative[0] ?? 0) ^ (g.negative[0] ?? 0)) & 1);
    stepMod3(f, g, swap, nonzero, negative);
    stepMod3(v, r, swap, nonzero, negative);
    overX(g);
  }
  const sign = coefficient(f, 0);
  const inverse = new Int32Array(P);
  for (let i = 0; i < P; i += 1) inverse[i] = sign * coefficient(v, P - 1 - i);
  for (const { nonzero, negative } of [f, g, v, r]) {
    nonzero.fill(0);
    negative.fill(0);
  }
  return delta === 0 ? inverse : undefined;
}

/** Coefficients modulo 3, 32 to a word: whether it is not zero, and whether it is -1. */
type PackedMod3 = { readonly nonzero: Int32Array; readonly negative: Int32Array };

const WORDS = Math.ceil((P + 1) / 32);

function packed(coefficients: Int32Array): PackedMod3 {
  const nonzero = new Int32Array(WORDS);
  const negative = new Int32Array(WORDS);
  for (const [i, value] of coefficients.entries()) {
    const word = i >> 5;
    nonzero[word] = (nonzero[word] ?? 0) | ((value & 1) << (i & 31));
    negative[word] = (negative[word] ?? 0) | (((value >> 1) & 1) << (i & 31));
  }
  return { nonzero, negative };
}

function coefficient({ nonzero, negative }: PackedMod3, i: number): number {
  const bit = (words: Int32Array) => ((words[i >> 5] ?? 0) >>> (i & 31)) & 1;
  return bit(nonzero) - 2 * bit(negative);
}

/** Swaps `a` and `b` where `swap` is -1, then b = b + sign a; masks say whether the sign is not zero and whether negative. */
function stepMod3(a: PackedMod3, b: PackedMod3, swap: number, nonzero: number, negative: number): void {
  for (let i = 0; i < WORDS; i += 1) {
    const a0 = a.nonzero[i] ?? 0;
    const a1 = a.negative[i] ?? 0;
    const swapped0 = swap & (a0 ^ (b.nonzero[i] ?? 0));
    const swapped1 = swap & (a1 ^ (b.negative[i] ?? 0));
    a.nonzero[i] = a0 ^ swapped0;
    a.negative[i] = a1 ^ swapped1;
    const x0 = (b.nonzero[i] ?? 0) ^ swapped0;
    const x1 = (b.negative[i] ?? 0) ^ swapped1;
    const y0 = (a0 ^ swapped0) & nonzero;
    const y1 = (a1 ^ swapped1 ^ negative) & y0;
    // Sum modulo 3 (Boothby and Bradshaw, 0901.1413).
    const s = x0 ^ y1;
    const t = x1 ^ y0;
    b.nonzero[i] = (s ^ x1) | (t ^ y1);
    b.negative[i] = s & t;
  }
}

function timesX({ nonzero, negative }: PackedMod3): void {
  for (const words of [nonzero, negative]) {
    for (let i = WORDS - 1; i > 0; i -= 1) words[i] = ((words[i] ?? 0) << 1) | ((words[i - 1] ?? 0) >>> 31);
    words[0] = (words[0] ?? 0) << 1;
  }
}

function overX({ nonzero, negative }: PackedMod3): void {
  for (const words of [nonzero, negative]) {
    for (let i = 0; i < WORDS - 1; i += 1) words[i] = ((words[i] ?? 0) >>> 1) | ((words[i + 1] ?? 0) << 31);
    words[WORDS - 1] = (words[WORDS - 1] ?? 0) >>> 1;
  }
}

/** x^761 - x - 1 with its coefficients in reverse: 1 - x^760 - x^761. */
function modulus(): Int32Array {
  const f = new Int32Array(P + 1);
  f[0] = 1;
  f[P - 1] = -1;
  f[P] = -1;
  return f;
}

function reversed(input: Int32Array): Int32Array {
  const g = new Int32Array(P + 1);
  for (let i = 0; i < P; i += 1) g[P - 1 - i] = input[i] ?? 0;
  return g;
}

/** By Fermat: the exponent is public. */
function reciprocalModQ(number: number): number {
  let power = 1;
  for (let times = 0; times < Q - 2; times += 1) power = modQ(power * number);
  return power;
}
