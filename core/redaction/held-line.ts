import { maskedBytes } from './hide-secrets.ts';
import { type LineStart, lineStart } from './screen-line.ts';

const keptCapacity = 4096;

/** A piece of the order in which things are given out. */
export type Place<Stream> = {
  readonly atMs: number;
  readonly stream: Stream;
  /** Bytes that are not settled yet. */
  left: number;
  pieces: Uint8Array[];
};

/**
 * The line that one stream is in. Its bytes are kept to its end, also those that were given out already: what follows may only be
 * understood with them.
 */
export class HeldLine<Stream> {
  start: LineStart = lineStart;
  heldSinceMs = 0;
  #bytes = Buffer.alloc(0);
  #masks = new Uint8Array(0);
  #length = 0;
  #settled = 0;
  #owners: { readonly place: Place<Stream>; readonly end: number }[] = [];

  get length(): number {
    return this.#length;
  }

  get unsettled(): number {
    return this.#length - this.#settled;
  }

  get bytes(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  get masks(): Uint8Array {
    return this.#masks.subarray(0, this.#length);
  }

  append(place: Place<Stream>, bytes: Uint8Array): void {
    if (this.unsettled === 0) this.heldSinceMs = place.atMs;
    const length = this.#length + bytes.length;
    if (length > this.#bytes.length) this.#grow(Math.max(256, 2 * length));
    this.#bytes.set(bytes, this.#length);
    this.#masks.fill(0, this.#length, length);
    this.#length = length;
    this.#owners.push({ place, end: length });
  }

  /** Gives the bytes before `until` to their places. */
  settle(until: number): void {
    let done = 0;
    for (const { place, end } of this.#owners) {
      const to = Math.min(end, until);
      if (to <= this.#settled) break;
      place.pieces.push(
        maskedBytes(this.#bytes.subarray(this.#settled, to), this.#masks.subarray(this.#settled, to)),
      );
      place.left -= to - this.#settled;
      this.#settled = to;
      if (to === end) done += 1;
    }
    if (done > 0) this.#owners.splice(0, done);
  }

  /** Forgets the bytes before `from`, which were settled. */
  cut(from: number, start: LineStart): void {
    this.start = start;
    if (from === this.#length && this.#bytes.length <= keptCapacity) {
      this.#length = 0;
      this.#settled = 0;
      this.#owners = [];
      return;
    }
    this.#bytes = Buffer.from(this.#bytes.subarray(from, this.#length));
    this.#masks = Uint8Array.from(this.#masks.subarray(from, this.#length));
    this.#owners = this.#owners.map(({ place, end }) => ({ place, end: end - from }));
    this.#length -= from;
    this.#settled -= from;
  }

  #grow(capacity: number): void {
    const bytes = Buffer.allocUnsafe(capacity);
    bytes.set(this.bytes);
    const masks = new Uint8Array(capacity);
    masks.set(this.masks);
    this.#bytes = bytes;
    this.#masks = masks;
  }
}
