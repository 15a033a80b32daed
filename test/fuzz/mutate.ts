import type { Random } from './random.ts';

export type Mutations = {
  readonly maxBytes: number;
  readonly tokens: readonly Buffer[];
  /** Another input, to take a piece of. */
  other(): Buffer;
};

const boundaries = [
  0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x10000, 0x40000, 0x40001, 0x7fffffff, 0x80000000, 0xffffffff,
];
const bytesOfInterest = [0, 1, 4, 5, 0x0a, 0x0d, 0x1b, 0x20, 0x2c, 0x40, 0x7f, 0x80, 0xff];

type Mutation = (input: Buffer, random: Random, given: Mutations) => Buffer;

/** A few changes of an input, at most `maxBytes` long. */
export function mutate(input: Buffer, random: Random, given: Mutations): Buffer {
  let mutated = input;
  const changes = 1 + random.integer(random.chance(0.2) ? 8 : 3);
  for (let change = 0; change < changes; change += 1)
    mutated = random.pick(mutations)?.(mutated, random, given) ?? mutated;
  return mutated.subarray(0, given.maxBytes);
}

const mutations: readonly Mutation[] = [
  flipBit,
  setByte,
  setByte,
  setLength,
  resizeString,
  resizeString,
  removePiece,
  repeatPiece,
  insertBytes,
  insertToken,
  insertToken,
  overwriteWithToken,
  splice,
  cutOff,
];

function flipBit(input: Buffer, random: Random): Buffer {
  return changedAt(input, random.integer(input.length), (byte) => byte ^ (1 << random.integer(8)));
}

function setByte(input: Buffer, random: Random): Buffer {
  const value = random.chance(0.5) ? random.integer(256) : (random.pick(bytesOfInterest) ?? 0);
  return changedAt(input, random.integer(input.length), () => value);
}

/** Puts a number of interest where a uint32 may be. */
function setLength(input: Buffer, random: Random): Buffer {
  if (input.length < 4) return input;
  const at = random.integer(input.length - 3);
  const changed = Buffer.from(input);
  const value = random.chance(0.4)
    ? input.readUInt32BE(at) + random.integer(5) - 2
    : (random.pick([...boundaries, input.length, input.length - at - 4]) ?? 0);
  changed.writeUInt32BE(((value % 2 ** 32) + 2 ** 32) % 2 ** 32, at);
  return changed;
}

/** Changes the length of an SSH string, its length field and, at times, those around it too. */
function resizeString(input: Buffer, random: Random): Buffer {
  const strings: { readonly at: number; readonly length: number }[] = [];
  for (let at = 0; at + 4 <= input.length && strings.length < 64; at += 1) {
    const length = input.readUInt32BE(at);
    if (length <= input.length - at - 4) strings.push({ at, length });
  }
  const chosen = random.pick(strings);
  if (chosen === undefined) return input;
  const { at, length } = chosen;
  const content = random.chance(0.3)
    ? Buffer.alloc(0)
    : random.chance(0.5)
      ? input.subarray(at + 4, at + 4 + random.integer(length + 1))
      : Buffer.concat([input.subarray(at + 4, at + 4 + length), random.bytes(1 + random.integer(16))]);
  const grown = content.length - length;
  const head = Buffer.from(input.subarray(0, at));
  for (const { at: outer, length: outerLength } of strings)
    if (outer + 4 <= at && outer + 4 + outerLength >= at + 4 + length && outerLength + grown >= 0)
      head.writeUInt32BE(outerLength + grown, outer);
  const size = Buffer.alloc(4);
  size.writeUInt32BE(content.length);
  return Buffer.concat([head, size, content, input.subarray(at + 4 + length)]);
}

function removePiece(input: Buffer, random: Random): Buffer {
  const { from, to } = pieceOf(input, random);
  return Buffer.concat([input.subarray(0, from), input.subarray(to)]);
}

function repeatPiece(input: Buffer, random: Random): Buffer {
  const { from, to } = pieceOf(input, random);
  const times = random.chance(0.1) ? random.integer(200) : 1 + random.integer(4);
  const repeated = Array.from({ length: times }, () => input.subarray(from, to));
  return Buffer.concat([input.subarray(0, from), ...repeated, input.subarray(from)]);
}

function insertBytes(input: Buffer, random: Random): Buffer {
  return insertedAt(input, random.integer(input.length + 1), random.bytes(1 + random.integer(12)));
}

function insertToken(input: Buffer, random: Random, { tokens }: Mutations): Buffer {
  const token = random.pick(tokens);
  if (token === undefined) return insertBytes(input, random);
  return insertedAt(input, random.integer(input.length + 1), token);
}

function overwriteWithToken(input: Buffer, random: Random, { tokens }: Mutations): Buffer {
  const token = random.pick(tokens);
  if (token === undefined || token.length > input.length) return setByte(input, random);
  const changed = Buffer.from(input);
  token.copy(changed, random.integer(input.length - token.length + 1));
  return changed;
}

function splice(input: Buffer, random: Random, { other }: Mutations): Buffer {
  const second = other();
  return Buffer.concat([
    input.subarray(0, random.integer(input.length + 1)),
    second.subarray(random.integer(second.length + 1)),
  ]);
}

function cutOff(input: Buffer, random: Random): Buffer {
  return input.subarray(0, random.integer(input.length + 1));
}

function pieceOf(input: Buffer, random: Random): { readonly from: number; readonly to: number } {
  const from = random.integer(input.length);
  const most = Math.min(input.length - from, random.chance(0.8) ? 16 : input.length);
  return { from, to: from + (most > 0 ? 1 + random.integer(most) : 0) };
}

function insertedAt(input: Buffer, at: number, piece: Buffer): Buffer {
  return Buffer.concat([input.subarray(0, at), piece, input.subarray(at)]);
}

function changedAt(input: Buffer, at: number, change: (byte: number) => number): Buffer {
  if (input.length === 0) return input;
  const changed = Buffer.from(input);
  changed[at] = change(changed[at] ?? 0);
  return changed;
}
