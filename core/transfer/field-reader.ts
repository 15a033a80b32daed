import { TransferError } from './transfer-error.ts';

/** Reads the fields of an SFTP message front to back; what it returns is a view. @throws TransferError `malformed` at a short end. */
export class FieldReader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at = 0) {
    this.#bytes = bytes;
    this.#at = at;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    return this.#bytes.readUInt8(this.#take(1));
  }

  uint32(): number {
    return this.#bytes.readUInt32BE(this.#take(4));
  }

  /** Past 2^53 it is inexact: no file is that long, and no offset there follows another. */
  uint64(): number {
    return this.uint32() * 2 ** 32 + this.uint32();
  }

  string(): Buffer {
    const length = this.uint32();
    const start = this.#take(length);
    return this.#bytes.subarray(start, start + length);
  }

  #take(length: number): number {
    const start = this.#at;
    if (length > this.#bytes.length - start)
      throw new TransferError('malformed', 'a message of the file transfer ends before its fields do');
    this.#at = start + length;
    return start;
  }
}
