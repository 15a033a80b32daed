/** Modules of a QR code, rows from the top: true is dark. The quiet zone of four light modules around it is the caller's. */
type QrCode = readonly (readonly boolean[])[];

/** ISO/IEC 18004 table 9, error correction level L, versions 1 to 10. */
const versions = [
  { codewords: 26, correction: 7, blocks: 1, alignment: [] },
  { codewords: 44, correction: 10, blocks: 1, alignment: [6, 18] },
  { codewords: 70, correction: 15, blocks: 1, alignment: [6, 22] },
  { codewords: 100, correction: 20, blocks: 1, alignment: [6, 26] },
  { codewords: 134, correction: 26, blocks: 1, alignment: [6, 30] },
  { codewords: 172, correction: 18, blocks: 2, alignment: [6, 34] },
  { codewords: 196, correction: 20, blocks: 2, alignment: [6, 22, 38] },
  { codewords: 242, correction: 24, blocks: 2, alignment: [6, 24, 42] },
  { codewords: 292, correction: 30, blocks: 2, alignment: [6, 26, 46] },
  { codewords: 346, correction: 18, blocks: 4, alignment: [6, 28, 50] },
] as const;

type Version = (typeof versions)[number] & { readonly number: number };

const byteMode = 0b0100;
const levelL = 0b01;
const padding = [0xec, 0x11];

const masks: readonly ((row: number, column: number) => boolean)[] = [
  (row, column) => (row + column) % 2 === 0,
  (row) => row % 2 === 0,
  (_row, column) => column % 3 === 0,
  (row, column) => (row + column) % 3 === 0,
  (row, column) => (Math.floor(row / 2) + Math.floor(column / 3)) % 2 === 0,
  (row, column) => ((row * column) % 2) + ((row * column) % 3) === 0,
  (row, column) => (((row * column) % 2) + ((row * column) % 3)) % 2 === 0,
  (row, column) => (((row + column) % 2) + ((row * column) % 3)) % 2 === 0,
];

/** The text as bytes of UTF-8, at the lowest level of correction: a screen has no dirt. Undefined where it is longer than 271 bytes. */
export function qrCode(text: string): QrCode | undefined {
  const bytes = new TextEncoder().encode(text);
  const version = versionFor(bytes.length);
  if (version === undefined) return undefined;
  const stream = withCorrection(dataCodewords(bytes, version), version);
  const drawn = masks.map((_, mask) => draw(version, stream, mask));
  return drawn.reduce((best, next) => (penalty(next) < penalty(best) ? next : best));
}

function versionFor(bytes: number): Version | undefined {
  for (const [index, version] of versions.entries()) {
    const number = index + 1;
    const header = number < 10 ? 2 : 3;
    const capacity = version.codewords - version.correction * version.blocks - header;
    if (bytes <= capacity) return { ...version, number };
  }
  return undefined;
}

/** §7.4: mode, length, bytes, terminator, padding. The mode's four bits shift everything by half a byte. */
function dataCodewords(bytes: Uint8Array, { number, codewords, correction, blocks }: Version): number[] {
  const length = number < 10 ? [bytes.length] : [bytes.length >> 8, bytes.length & 0xff];
  const nibbles = [byteMode, ...[...length, ...bytes].flatMap((byte) => [byte >> 4, byte & 0xf]), 0];
  const data: number[] = [];
  for (let at = 0; at < nibbles.length; at += 2)
    data.push(((nibbles[at] ?? 0) << 4) | (nibbles[at + 1] ?? 0));
  const wanted = codewords - correction * blocks;
  for (let pad = 0; data.length < wanted; pad += 1) data.push(padding[pad % 2] ?? 0);
  return data;
}

/** §7.5 and §7.6: blocks, the shorter ones first, each with its correction, woven into one another. */
function withCorrection(data: readonly number[], { correction, blocks }: Version): number[] {
  const short = Math.floor(data.length / blocks);
  const firstLong = blocks - (data.length % blocks);
  const parts: { readonly data: readonly number[]; readonly correction: readonly number[] }[] = [];
  for (let block = 0, at = 0; block < blocks; block += 1) {
    const part = data.slice(at, at + short + (block < firstLong ? 0 : 1));
    at += part.length;
    parts.push({ data: part, correction: remainder(part, generator(correction)) });
  }
  return [...woven(parts.map((part) => part.data)), ...woven(parts.map((part) => part.correction))];
}

function woven(parts: readonly (readonly number[])[]): number[] {
  const longest = Math.max(...parts.map((part) => part.length));
  return Array.from({ length: longest }, (_, at) => parts.flatMap((part) => part.slice(at, at + 1))).flat();
}

/** In GF(2^8) modulo x^8 + x^4 + x^3 + x^2 + 1. */
function product(one: number, other: number): number {
  let result = 0;
  for (let bit = 7; bit >= 0; bit -= 1) {
    result = (result << 1) ^ ((result >> 7) * 0x11d);
    result ^= ((other >> bit) & 1) * one;
  }
  return result;
}

/** Coefficients of (x - 2^0)(x - 2^1)..., without the leading one. */
function generator(degree: number): number[] {
  let coefficients = [1];
  let root = 1;
  for (let step = 0; step < degree; step += 1) {
    const shifted = [...coefficients, 0];
    coefficients = shifted.map((value, at) => value ^ product(coefficients[at - 1] ?? 0, root));
    root = product(root, 2);
  }
  return coefficients.slice(1);
}

function remainder(data: readonly number[], divisor: readonly number[]): number[] {
  let rest = divisor.map(() => 0);
  for (const byte of data) {
    const factor = byte ^ (rest[0] ?? 0);
    rest = [...rest.slice(1), 0].map((value, at) => value ^ product(divisor[at] ?? 0, factor));
  }
  return rest;
}

function draw(version: Version, stream: readonly number[], mask: number): QrCode {
  const size = 17 + 4 * version.number;
  const fixed: (boolean | undefined)[][] = Array.from({ length: size }, () =>
    Array.from({ length: size }, () => undefined),
  );
  const set = (row: number, column: number, dark: boolean) => {
    const line = fixed[row];
    if (line !== undefined && column >= 0 && column < size) line[column] = dark;
  };
  drawPatterns(version, size, set);
  drawInformation(version, size, mask, set);
  const isMasked = masks[mask] ?? (() => false);
  const bits = stream.flatMap((byte) => [7, 6, 5, 4, 3, 2, 1, 0].map((bit) => ((byte >> bit) & 1) === 1));
  let at = 0;
  for (const [row, column] of dataPath(size)) {
    if (fixed[row]?.[column] !== undefined) continue;
    set(row, column, (bits[at] ?? false) !== isMasked(row, column));
    at += 1;
  }
  return fixed.map((line) => line.map((dark) => dark === true));
}

type Setter = (row: number, column: number, dark: boolean) => void;

/** §6.3: timing, finders with their separators, alignment. */
function drawPatterns({ alignment }: Version, size: number, set: Setter): void {
  for (let at = 0; at < size; at += 1) {
    set(6, at, at % 2 === 0);
    set(at, 6, at % 2 === 0);
  }
  const end = size - 4;
  for (const [row, column] of [
    [3, 3],
    [3, end],
    [end, 3],
  ] as const)
    drawRings(row, column, 4, set);
  const last = alignment.length - 1;
  for (const [i, row] of alignment.entries())
    for (const [j, column] of alignment.entries()) {
      const isAtFinder = (i === 0 && (j === 0 || j === last)) || (i === last && j === 0);
      if (!isAtFinder) drawRings(row, column, 2, set);
    }
}

/** Squares around a point: of a finder the rings 2 and 4 are light, of an alignment pattern ring 1 is. */
function drawRings(row: number, column: number, radius: 2 | 4, set: Setter): void {
  for (let down = -radius; down <= radius; down += 1)
    for (let right = -radius; right <= radius; right += 1) {
      const ring = Math.max(Math.abs(down), Math.abs(right));
      set(row + down, column + right, radius === 4 ? ring !== 2 && ring !== 4 : ring !== 1);
    }
}

/** §7.9 and §7.10: level and mask twice, beside the finders; from version 7 on the version twice. */
function drawInformation({ number }: Version, size: number, mask: number, set: Setter): void {
  const format = checked((levelL << 3) | mask, 10, 0x537) ^ 0x5412;
  for (let bit = 0; bit < 15; bit += 1) {
    const dark = ((format >> bit) & 1) === 1;
    set(bit < 6 ? bit : bit < 8 ? bit + 1 : size - 15 + bit, 8, dark);
    set(8, bit < 8 ? size - 1 - bit : bit === 8 ? 7 : 14 - bit, dark);
  }
  set(size - 8, 8, true);
  if (number < 7) return;
  const version = checked(number, 12, 0x1f25);
  for (let bit = 0; bit < 18; bit += 1) {
    const dark = ((version >> bit) & 1) === 1;
    const [near, far] = [Math.floor(bit / 3), size - 11 + (bit % 3)];
    set(near, far, dark);
    set(far, near, dark);
  }
}

/** The value with so many bits of a BCH code behind it. */
function checked(value: number, bits: number, polynomial: number): number {
  let rest = value << bits;
  for (let bit = 31 - Math.clz32(rest); bit >= bits; bit -= 1)
    if (((rest >> bit) & 1) === 1) rest ^= polynomial << (bit - bits);
  return (value << bits) | rest;
}

/** §7.7.3: two columns at a time from the right, up and down in turn, past the timing column. */
function* dataPath(size: number): Generator<readonly [row: number, column: number]> {
  let isUpward = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5;
    for (let step = 0; step < size; step += 1) {
      const row = isUpward ? size - 1 - step : step;
      yield [row, right];
      yield [row, right - 1];
    }
    isUpward = !isUpward;
  }
}

/** §7.8.3: long runs, squares, what looks like a finder, and too much of one colour. */
function penalty(code: QrCode): number {
  const rows = code.map(textOf);
  const columns = code.map((_, column) => textOf(code.map((row) => row[column] === true)));
  let points = 0;
  for (const line of [...rows, ...columns]) {
    for (const [run] of line.matchAll(/0{5,}|1{5,}/g)) points += run.length - 2;
    for (const _ of line.matchAll(/(?=10111010000|00001011101)/g)) points += 40;
  }
  for (const [at, row] of rows.entries()) {
    const next = rows[at + 1] ?? '';
    for (let column = 0; column + 1 < next.length; column += 1)
      if (/^(?:0000|1111)$/.test(row.slice(column, column + 2) + next.slice(column, column + 2))) points += 3;
  }
  const dark = rows.join('').replaceAll('0', '').length / code.length ** 2;
  return points + 10 * Math.floor(Math.abs(dark - 0.5) * 20);
}

function textOf(line: readonly boolean[]): string {
  return line.map((dark) => (dark ? '1' : '0')).join('');
}
