/** What becomes of a piece of a stream: the bytes to pass on in its place, and how they differ from it in number. */
export type Passage = {
  readonly onward: readonly Buffer[];
  /** Bytes of the stream that are gone for good, some perhaps of earlier pieces. */
  readonly dropped: number;
  /** Bytes of `onward` that the stream never had. */
  readonly added: number;
};

/** Notes what is cut out of, and put into, one piece of a stream; positions only ever grow. */
export class PassageBuilder {
  readonly #piece: Buffer;
  readonly #onward: Buffer[] = [];
  #from = 0;
  #dropped = 0;
  #added = 0;
  #changed = false;

  constructor(piece: Buffer) {
    this.#piece = piece;
  }

  /** These bytes do not pass, or not now. */
  cut(start: number, end: number): void {
    this.#flush(start);
    this.#from = end;
  }

  /** Bytes of the stream that were cut before pass here. */
  restore(at: number, bytes: Buffer): void {
    this.#flush(at);
    this.#onward.push(bytes);
  }

  add(at: number, bytes: Buffer): void {
    this.restore(at, bytes);
    this.#added += bytes.length;
  }

  /** So many of the bytes cut, here or before, never pass. */
  drop(count: number): void {
    this.#dropped += count;
  }

  /** Undefined where the piece passes as it is. */
  finish(): Passage | undefined {
    if (!this.#changed) return undefined;
    this.#flush(this.#piece.length);
    return { onward: this.#onward, dropped: this.#dropped, added: this.#added };
  }

  #flush(end: number): void {
    this.#changed = true;
    if (end > this.#from) this.#onward.push(this.#piece.subarray(this.#from, end));
    this.#from = Math.max(this.#from, end);
  }
}
