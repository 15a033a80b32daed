import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';
import { RedactionError } from './redaction-error.ts';

/**
 * Secrets of one session that were found once, so that they are also found where nothing beside them says what they are: in a
 * shell's history, on a redrawn screen. Kept are keyed digests, never the secrets.
 */
export type ValueMemory = {
  remember(value: string): void;
  /** Where remembered values stand in UTF-8 text, as byte offsets in order. */
  find(text: Uint8Array): readonly { readonly start: number; readonly end: number }[];
  readonly size: number;
};

const minKeyBytes = 16;
/** Shorter ones, and plain words and numbers, stand everywhere. */
const minValueBytes = 6;
const maxValueBytes = 1024;
const tooCommon = /^(?:[A-Za-z]{1,11}|[0-9]{1,7}|(.)\1*)$/;
const defaultMaxValues = 512;
/** Values of different length that begin alike; what an attacker could make each look cost. */
const maxLengthsPerBeginning = 8;
const maxDigestsPerLook = 256;
/** One slot in sixteen is taken when all values there may be are remembered. */
const filterBits = 13;

/** @param key at least 16 random bytes, of this session alone */
export function createValueMemory(
  key: Uint8Array,
  limits: { readonly maxValues?: number } = {},
): ValueMemory {
  if (key.length < minKeyBytes)
    throw new RedactionError(
      'bad-key',
      `the key has ${key.length} bytes; pass at least ${minKeyBytes} random ones`,
    );
  return new DigestMemory(key, limits.maxValues ?? defaultMaxValues);
}

/** A look hashes each six bytes of a text on the way (Rabin and Karp), and digests only where a value begins with the same. */
class DigestMemory implements ValueMemory {
  readonly #key: KeyObject;
  readonly #maxValues: number;
  readonly #factor: number;
  readonly #oldest: number;
  readonly #values = new Map<string, { readonly beginning: number; readonly bytes: number }>();
  /** How many values of each length begin with a hash. */
  readonly #lengths = new Map<number, Map<number, number>>();
  /** Most sessions never show a secret, and have none. */
  #filter: Uint16Array | undefined;

  constructor(key: Uint8Array, maxValues: number) {
    this.#key = createSecretKey(key);
    this.#maxValues = maxValues;
    this.#factor = createHmac('sha256', this.#key).update('beginning').digest().readUInt32BE(0) | 1;
    this.#oldest = power(this.#factor, minValueBytes);
  }

  get size(): number {
    return this.#values.size;
  }

  remember(value: string): void {
    const text = Buffer.from(value, 'utf8');
    if (text.length < minValueBytes || text.length > maxValueBytes || tooCommon.test(value)) return;
    const name = this.#digest(text);
    if (this.#values.has(name)) return;
    const beginning = hashOf(text, 0, this.#factor);
    const known = this.#lengths.get(beginning);
    if (known !== undefined && known.size >= maxLengthsPerBeginning && !known.has(text.length)) return;
    if (this.#values.size >= this.#maxValues) this.#forgetOldest();
    this.#values.set(name, { beginning, bytes: text.length });
    this.#count(beginning, text.length, 1);
  }

  find(text: Uint8Array): readonly { readonly start: number; readonly end: number }[] {
    const found: { start: number; end: number }[] = [];
    const filter = this.#filter;
    if (filter === undefined || this.#values.size === 0) return found;
    const budget = { digests: maxDigestsPerLook };
    let reached = 0;
    let hash = 0;
    for (let at = 0; at < text.length; at += 1) {
      hash = (Math.imul(hash, this.#factor) + (text[at] ?? 0)) | 0;
      if (at >= minValueBytes) hash = (hash - Math.imul(this.#oldest, text[at - minValueBytes] ?? 0)) | 0;
      const start = at + 1 - minValueBytes;
      if (start < reached || filter[hash >>> (32 - filterBits)] === 0) continue;
      const bytes = this.#lengthAt(text, start, hash >>> 0, budget);
      if (bytes === 0) continue;
      reached = start + bytes;
      found.push({ start, end: reached });
    }
    return found;
  }

  /** Of the longest value that stands there; 0 where none does. */
  #lengthAt(text: Uint8Array, start: number, hash: number, budget: { digests: number }): number {
    const known = this.#lengths.get(hash);
    if (known === undefined) return 0;
    for (const bytes of [...known.keys()].sort((one, other) => other - one)) {
      if (start + bytes > text.length) continue;
      budget.digests -= 1;
      // Beyond the bound the text was made to cost time: it is hidden without being compared to its end.
      if (budget.digests < 0 || this.#values.has(this.#digest(text.subarray(start, start + bytes))))
        return bytes;
    }
    return 0;
  }

  #digest(text: Uint8Array): string {
    return createHmac('sha256', this.#key).update(text).digest('base64');
  }

  #forgetOldest(): void {
    const [first] = this.#values;
    if (first === undefined) return;
    this.#values.delete(first[0]);
    this.#count(first[1].beginning, first[1].bytes, -1);
  }

  #count(beginning: number, bytes: number, change: 1 | -1): void {
    const slot = beginning >>> (32 - filterBits);
    this.#filter ??= new Uint16Array(1 << filterBits);
    this.#filter[slot] = (this.#filter[slot] ?? 0) + change;
    const known = this.#lengths.get(beginning) ?? new Map<number, number>();
    const left = (known.get(bytes) ?? 0) + change;
    if (left > 0) known.set(bytes, left);
    else known.delete(bytes);
    if (known.size > 0) this.#lengths.set(beginning, known);
    else this.#lengths.delete(beginning);
  }
}

function hashOf(text: Uint8Array, from: number, factor: number): number {
  let hash = 0;
  for (let at = from; at < from + minValueBytes; at += 1)
    hash = (Math.imul(hash, factor) + (text[at] ?? 0)) | 0;
  return hash >>> 0;
}

function power(factor: number, exponent: number): number {
  let result = 1;
  for (let count = 0; count < exponent; count += 1) result = Math.imul(result, factor);
  return result;
}
