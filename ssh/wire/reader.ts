import { WireError } from './wire-error.ts';

/**
 * Reads RFC 4251 §5 data types from a buffer, front to back. Every read checks its length before it
 * touches or allocates anything; what is returned is a view of the input, never a copy.
 *
 * @throws WireError code `truncated` when the buffer ends too early, `malformed` when the bytes do not encode the type.
 */
export class WireReader {
  #offset: number;
  readonly #bytes: Buffer;
  readonly #end: number;

  constructor(bytes: Buffer, start = 0, end: number = bytes.length) {
    this.#bytes = bytes;
    this.#offset = start;
    this.#end = end;
  }

  get offset(): number {
    return this.#offset;
  }

  get remaining(): number {
    return this.#end - this.#offset;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1, 'byte'));
  }

  boolean(): boolean {
    return this.byte() !== 0;
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4, 'uint32'));
  }

  uint64(): bigint {
    return this.#bytes.readBigUInt64BE(this.#take(8, 'uint64'));
  }

  raw(length: number): Buffer {
    const start = this.#take(length, 'bytes');
    return this.#bytes.subarray(start, start + length);
  }

  /** `string`: arbitrary binary data. */
  string(): Buffer {
    return this.raw(this.uint32());
  }

  /** `string` that carries UTF-8 text (RFC 3629). Invalid UTF-8 is refused, not replaced. */
  text(): string {
    const bytes = this.string();
    try {
      return utf8.decode(bytes);
    } catch (cause) {
      throw new WireError('malformed', 'a text field is not valid UTF-8', { cause });
    }
  }

  /** `name-list`: comma-separated US-ASCII names, none empty (RFC 4251 §5). */
  nameList(): string[] {
    const bytes = this.string();
    if (bytes.length === 0) return [];
    for (const byte of bytes) {
      if (byte <= 0x20 || byte >= 0x7f)
        throw new WireError('malformed', 'a name-list holds a byte outside printable US-ASCII');
    }
    const names = bytes.toString('latin1').split(',');
    if (names.includes('')) throw new WireError('malformed', 'a name-list holds an empty name');
    return names;
  }

  /** Non-negative `mpint` as its magnitude without leading zero bytes. */
  mpint(): Buffer {
    const bytes = this.string();
    if (bytes.length === 0) return bytes;
    const first = bytes.readUInt8(0);
    if (first & 0x80) throw new WireError('malformed', 'an mpint is negative');
    if (first !== 0) return bytes;
    if (bytes.length === 1 || (bytes.readUInt8(1) & 0x80) === 0)
      throw new WireError('malformed', 'an mpint has an unnecessary leading zero');
    return bytes.subarray(1);
  }

  rest(): Buffer {
    return this.raw(this.remaining);
  }

  /** Refuses bytes behind the last field. */
  end(): void {
    if (this.remaining !== 0)
      throw new WireError('malformed', `${this.remaining} bytes follow the last field`);
  }

  #take(length: number, what: string): number {
    if (length > this.remaining)
      throw new WireError(
        'truncated',
        `${what} of ${length} bytes runs past the end (${this.remaining} left)`,
      );
    const start = this.#offset;
    this.#offset += length;
    return start;
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
