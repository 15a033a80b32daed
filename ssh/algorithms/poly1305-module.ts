/**
 * Poly1305's inner loop as a WebAssembly module, assembled here: JavaScript has no 64-bit multiplication, which makes the same
 * loop about seven times slower, and chacha20-poly1305 is what ssh asks for by default.
 *
 * The module exports `memory` and `blocks(start, end, highBit)`, which takes the 16-byte blocks from `start` to `end` into the
 * sum: h = (h + block + highBit 2^104) r mod 2^130 - 5. Numbers are five limbs of 26 bits, each in 64 bits of memory; no
 * branch or address depends on them.
 */
export const memoryLayout = {
  /** h, the sum: five limbs. */
  sum: 0,
  /** r: five limbs. */
  multiplier: 40,
  message: 128,
  pages: 5,
} as const;

/** WebAssembly instructions, as bytes. */
type Code = readonly number[];

/** The name of the format and version 1. */
const magic: Code = [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00];

const LIMBS = [0, 1, 2, 3, 4] as const;
const LIMB_BITS = 26n;
const LIMB_MASK = 2n ** LIMB_BITS - 1n;

const I32 = 0x7f;
const I64 = 0x7e;

const parameter = { start: 0, end: 1, highBit: 2 };
const firstLocal = 3;
const sum = (limb: number) => firstLocal + limb;
const multiplier = (limb: number) => firstLocal + 5 + limb;
/** 5 r: what a limb beyond 2^130 is worth. */
const folded = (limb: number) => firstLocal + 10 + limb;
const product = (limb: number) => firstLocal + 15 + limb;
const low = firstLocal + 20;
const high = firstLocal + 21;
const LOCALS = 22;

const binary =
  (instruction: number) =>
  (left: Code, right: Code): Code => [...left, ...right, instruction];
const add = binary(0x7c);
const multiply = binary(0x7e);
const and = binary(0x83);
const or = binary(0x84);
const shiftLeft = binary(0x86);
const shiftRight = binary(0x88);
const addI32 = binary(0x6a);
const lessI32 = binary(0x49);

const get = (local: number): Code => [0x20, local];
const set = (local: number, value: Code): Code => [...value, 0x21, local];
const constant = (value: bigint): Code => [0x42, ...signedLeb128(value)];
const constantI32 = (value: number): Code => [0x41, ...signedLeb128(BigInt(value))];
const load = (address: Code, offset: number): Code => [...address, 0x29, 0, ...leb128(offset)];
const store = (offset: number, value: Code): Code => [
  ...constantI32(0),
  ...value,
  0x37,
  0,
  ...leb128(offset),
];
const limbOf = (value: Code): Code => and(value, constant(LIMB_MASK));

/** The module's bytes (WebAssembly Core Specification §5). */
export function poly1305Module(): Uint8Array<ArrayBuffer> {
  const body = [
    ...vector([[...leb128(LOCALS), I64]]),
    ...LIMBS.flatMap((limb) => set(sum(limb), load(constantI32(0), memoryLayout.sum + 8 * limb))),
    ...LIMBS.flatMap((limb) => [
      ...set(multiplier(limb), load(constantI32(0), memoryLayout.multiplier + 8 * limb)),
      ...set(folded(limb), multiply(get(multiplier(limb)), constant(5n))),
    ]),
    0x03,
    0x40,
    ...block(),
    ...set(parameter.start, addI32(get(parameter.start), constantI32(16))),
    ...lessI32(get(parameter.start), get(parameter.end)),
    0x0d,
    0x00,
    0x0b,
    ...LIMBS.flatMap((limb) => store(memoryLayout.sum + 8 * limb, get(sum(limb)))),
    0x0b,
  ];
  return Uint8Array.from([
    ...magic,
    ...section(1, [[0x60, ...vector([[I32], [I32], [I64]]), ...vector([])]]),
    ...section(3, [[0x00]]),
    ...section(5, [[0x00, memoryLayout.pages]]),
    ...section(7, [
      [...named('memory'), 0x02, 0x00],
      [...named('blocks'), 0x00, 0x00],
    ]),
    ...section(10, [[...leb128(body.length), ...body]]),
  ]);
}

/** One block: the sum takes it in, is multiplied, and its carries are passed on. */
function block(): Code {
  const at = get(parameter.start);
  const limbs: readonly Code[] = [
    limbOf(get(low)),
    limbOf(shiftRight(get(low), constant(26n))),
    limbOf(or(shiftRight(get(low), constant(52n)), shiftLeft(get(high), constant(12n)))),
    limbOf(shiftRight(get(high), constant(14n))),
    or(shiftRight(get(high), constant(40n)), shiftLeft(get(parameter.highBit), constant(24n))),
  ];
  const products = LIMBS.flatMap((limb) =>
    set(
      product(limb),
      LIMBS.map((other) =>
        multiply(get(sum(other)), get(other <= limb ? multiplier(limb - other) : folded(limb + 5 - other))),
      ).reduce(add),
    ),
  );
  const carries = LIMBS.flatMap((limb) => [
    ...(limb === 0 ? [] : set(product(limb), add(get(product(limb)), carryOf(product(limb - 1))))),
    ...set(sum(limb), limbOf(get(product(limb)))),
  ]);
  return [
    ...set(low, load(at, 0)),
    ...set(high, load(at, 8)),
    ...limbs.flatMap((limb, index) => set(sum(index), add(get(sum(index)), limb))),
    ...products,
    ...carries,
    ...set(sum(0), add(get(sum(0)), multiply(carryOf(product(4)), constant(5n)))),
    ...set(sum(1), add(get(sum(1)), carryOf(sum(0)))),
    ...set(sum(0), limbOf(get(sum(0)))),
  ];
}

function carryOf(local: number): Code {
  return shiftRight(get(local), constant(LIMB_BITS));
}

function section(id: number, entries: readonly Code[]): Code {
  const content = vector(entries);
  return [id, ...leb128(content.length), ...content];
}

function vector(entries: readonly Code[]): Code {
  return [...leb128(entries.length), ...entries.flat()];
}

function named(name: string): Code {
  return [...leb128(name.length), ...Buffer.from(name, 'latin1')];
}

function leb128(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...leb128(value >>> 7)];
}

function signedLeb128(value: bigint): Code {
  const rest = value >> 7n;
  const byte = Number(value & 0x7fn);
  const last = (rest === 0n && (byte & 0x40) === 0) || (rest === -1n && (byte & 0x40) !== 0);
  return last ? [byte] : [byte | 0x80, ...signedLeb128(rest)];
}
