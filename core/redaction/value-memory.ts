import { createHmac } from 'node:crypto';
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
const filterBits = 16;

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
  const maxValues = limits.maxValues ?? defaultMaxValues;
  const factor = createHmac('sha256', key).update('beginning').digest().readUInt32BE(0) | 1;
  const oldest = power(factor, minValueBytes);
  const values = new Map<string, { readonly beginning: number; readonly bytes: number }>();
  const lengths = new Map<number, Map<number, number>>();
  const filter = new Uint16Array(1 << filterBits);

  const digest = (text: Uint8Array) => createHmac('sha256', key).update(text).digest('base64');
  const count = (beginning: number, bytes: number, change: 1 | -1): void => {
    const slot = beginning >>> (32 - filterBits);
    filter[slot] = (filter[slot] ?? 0) + change;
    const known = lengths.get(beginning) ?? new Map<number, number>();
    const left = (known.get(bytes) ?? 0) + change;
    if (left > 0) known.set(bytes, left);
    else known.delete(bytes);
    if (known.size > 0) lengths.set(beginning, known);
    else lengths.delete(beginning);
  };
  const forgetOldest = (): void => {
    const [first] = values;
    if (first === undefined) return;
    values.delete(first[0]);
    count(first[1].beginning, first[1].bytes, -1);
  };
  return {
    remember: (value) => {
      const text = Buffer.from(value, 'utf8');
      if (text.length < minValueBytes || text.length > maxValueBytes || tooCommon.test(value)) return;
      const name = digest(text);
      if (values.has(name)) return;
      const beginning = hashOf(text, 0, factor);
      const known = lengths.get(beginning);
      if (known !== undefined && known.size >= maxLengthsPerBeginning && !known.has(text.length)) return;
      if (values.size >= maxValues) forgetOldest();
      values.set(name, { beginning, bytes: text.length });
      count(beginning, text.length, 1);
    },
    find: (text) => {
      const found: { start: number; end: number }[] = [];
      if (values.size === 0 || text.length < minValueBytes) return found;
      let digests = 0;
      let reached = 0;
      const look = (start: number, hash: number): void => {
        for (const bytes of [...(lengths.get(hash)?.keys() ?? [])].sort((one, other) => other - one)) {
          if (start + bytes > text.length) continue;
          digests += 1;
          // Made to cost time: hidden without being compared to its end.
          if (digests <= maxDigestsPerLook && !values.has(digest(text.subarray(start, start + bytes))))
            continue;
          reached = start + bytes;
          found.push({ start, end: reached });
          return;
        }
      };
      let hash = 0;
      for (let at = 0; at < text.length; at += 1) {
        hash = (Math.imul(hash, factor) + (text[at] ?? 0)) | 0;
        if (at >= minValueBytes) hash = (hash - Math.imul(oldest, text[at - minValueBytes] ?? 0)) | 0;
        const start = at + 1 - minValueBytes;
        if (start >= reached && filter[hash >>> (32 - filterBits)] !== 0) look(start, hash >>> 0);
      }
      return found;
    },
    get size() {
      return values.size;
    },
  };
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
