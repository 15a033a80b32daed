/**
 * Builds RFC 4251 §5 data types. Grows as needed; `finish` returns memory of exactly the written length that
 * shares no pool slab with anything else, so it may be kept for as long as a connection lives.
 */
export class WireWriter {
  #bytes: Buffer;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = Buffer.allocUnsafe(capacity);
  }

  get length(): number {
    return this.#length;
  }

  byte(value: number): this {
    const start = this.#reserve(1);
    this.#bytes.writeUInt8(value, start);
    return this;
  }

  boolean(value: boolean): this {
    return this.byte(value ? 1 : 0);
  }

  uint32(value: number): this {
    const start = this.#reserve(4);
    this.#bytes.writeUInt32BE(value, start);
    return this;
  }

  uint64(value: bigint): this {
    const start = this.#reserve(8);
    this.#bytes.writeBigUInt64BE(value, start);
    return this;
  }

  raw(bytes: Uint8Array): this {
    const start = this.#reserve(bytes.length);
    this.#bytes.set(bytes, start);
    return this;
  }

  /** `string`; text is written as UTF-8. */
  string(value: Uint8Array | string): this {
    const bytes = typeof value === 'string' ? Buffer.from(value, 'utf8') : value;
    return this.uint32(bytes.length).raw(bytes);
  }

  nameList(names: readonly string[]): this {
    return this.string(names.join(','));
  }

  /** Non-negative `mpint` from a big-endian magnitude; leading zeros are dropped, one is added where the top bit is set. */
  mpint(magnitude: Uint8Array): this {
    let start = 0;
    while (start < magnitude.length && magnitude[start] === 0) start += 1;
    const bytes = magnitude.subarray(start);
    const padded = bytes.length > 0 && ((bytes[0] ?? 0) & 0x80) !== 0;
    this.uint32(bytes.length + (padded ? 1 : 0));
    if (padded) this.byte(0);
    return this.raw(bytes);
  }

  finish(): Buffer {
    const out = Buffer.allocUnsafeSlow(this.#length);
    this.#bytes.copy(out, 0, 0, this.#length);
    return out;
  }

  /** May replace `#bytes`: call it before naming them. */
  #reserve(length: number): number {
    const start = this.#length;
    const needed = start + length;
    if (needed > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2));
      this.#bytes.copy(grown, 0, 0, start);
      this.#bytes = grown;
    }
    this.#length = needed;
    return start;
  }
}
