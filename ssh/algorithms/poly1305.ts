import { memoryLayout, poly1305Module } from './poly1305-module.ts';

const BLOCK_BYTES = 16;
const LIMB_MASK = 0x3ffffff;

/** Longest message: what a packet of the largest size has, and more. */
const MAX_MESSAGE_BYTES = memoryLayout.pages * 65536 - memoryLayout.message - BLOCK_BYTES;

type Exports = {
  readonly memory: { readonly buffer: ArrayBuffer };
  readonly blocks: (start: number, end: number, highBit: bigint) => void;
};

declare global {
  /** As much of it, and as exact, as is needed here: TypeScript declares it for browsers only. */
  var WebAssembly: {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object) => { readonly exports: Exports };
  };
}

const { memory, blocks } = new WebAssembly.Instance(new WebAssembly.Module(poly1305Module())).exports;
/** The low half of each 64-bit limb; the high halves stay zero between calls. */
const words = new Uint32Array(memory.buffer);
const bytes = new Uint8Array(memory.buffer);

/**
 * The Poly1305 tag of a message (RFC 8439 §2.5) under a key of 32 bytes that must serve once. Time depends on the length alone.
 * One module serves all connections: nothing here waits.
 *
 * @throws RangeError for a message longer than a packet can be.
 */
export function poly1305(message: Uint8Array, key: Buffer): Buffer {
  if (message.length > MAX_MESSAGE_BYTES)
    throw new RangeError(`a message of ${message.length} bytes is too long for poly1305`);
  setMultiplier(key);
  bytes.set(message, memoryLayout.message);
  const whole = message.length - (message.length % BLOCK_BYTES);
  const end = memoryLayout.message + whole;
  if (whole > 0) blocks(memoryLayout.message, end, 1n);
  if (whole < message.length) {
    const rest = message.length - whole;
    bytes[end + rest] = 1;
    bytes.fill(0, end + rest + 1, end + BLOCK_BYTES);
    blocks(end, end + BLOCK_BYTES, 0n);
  }
  const tag = tagFrom(key);
  bytes.fill(0, 0, memoryLayout.message);
  return tag;
}

/** r with the bits cleared that RFC 8439 §2.5.1 clears, in limbs of 26 bits. */
function setMultiplier(key: Buffer): void {
  const at = memoryLayout.multiplier / 4;
  words[at] = key.readUInt32LE(0) & 0x3ffffff;
  words[at + 2] = (key.readUInt32LE(3) >>> 2) & 0x3ffff03;
  words[at + 4] = (key.readUInt32LE(6) >>> 4) & 0x3ffc0ff;
  words[at + 6] = (key.readUInt32LE(9) >>> 6) & 0x3f03fff;
  words[at + 8] = (key.readUInt32LE(12) >>> 8) & 0x00fffff;
}

/** (h mod 2^130 - 5) + s modulo 2^128. */
function tagFrom(key: Buffer): Buffer {
  const at = memoryLayout.sum / 4;
  let h0 = words[at] ?? 0;
  let h1 = words[at + 2] ?? 0;
  let h2 = words[at + 4] ?? 0;
  let h3 = words[at + 6] ?? 0;
  let h4 = words[at + 8] ?? 0;
  // Only h1 is over its 26 bits; twice around, because what comes out at the top goes in at the bottom.
  for (let round = 0; round < 2; round += 1) {
    h2 += h1 >>> 26;
    h3 += h2 >>> 26;
    h4 += h3 >>> 26;
    h0 += 5 * (h4 >>> 26);
    h1 = (h1 & LIMB_MASK) + (h0 >>> 26);
    h0 &= LIMB_MASK;
    h2 &= LIMB_MASK;
    h3 &= LIMB_MASK;
    h4 &= LIMB_MASK;
  }
  // h + 5 - 2^130: where that is not negative, it is the remainder.
  const g0 = h0 + 5;
  const g1 = h1 + (g0 >>> 26);
  const g2 = h2 + (g1 >>> 26);
  const g3 = h3 + (g2 >>> 26);
  const g4 = h4 + (g3 >>> 26);
  const reduced = -(g4 >>> 26) & LIMB_MASK;
  h0 ^= reduced & (h0 ^ g0);
  h1 ^= reduced & (h1 ^ g1);
  h2 ^= reduced & (h2 ^ g2);
  h3 ^= reduced & (h3 ^ g3);
  h4 ^= reduced & (h4 ^ g4);
  const tag = Buffer.allocUnsafe(BLOCK_BYTES);
  let overflow = addWord(tag, key, 0, h0 | (h1 << 26), 0);
  overflow = addWord(tag, key, 4, (h1 >>> 6) | (h2 << 20), overflow);
  overflow = addWord(tag, key, 8, (h2 >>> 12) | (h3 << 14), overflow);
  addWord(tag, key, 12, (h3 >>> 18) | (h4 << 8), overflow);
  return tag;
}

/** Adds a word of s, the second half of the key; returns what goes over. */
function addWord(tag: Buffer, key: Buffer, at: number, word: number, overflow: number): number {
  const total = (word >>> 0) + key.readUInt32LE(16 + at) + overflow;
  tag.writeUInt32LE(total >>> 0, at);
  return Math.floor(total / 2 ** 32);
}
