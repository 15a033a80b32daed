import type { ByteLink } from './contract.ts';
import type { Flushable } from './flush-turn.ts';
import { OUTPUT_BUFFER_BYTES, returnOutputBuffer, takeOutputBuffer } from './output-buffer-pool.ts';

/** Sealed packets on their way to the link, gathered so that a turn's packets leave in one write. */
export class OutputQueue {
  readonly #link: ByteLink;
  readonly #owner: Flushable;
  #current: Buffer | undefined;
  #length = 0;
  #full: { readonly buffer: Buffer; readonly length: number }[] = [];
  #fullBytes = 0;
  #inFlight = 0;
  #handedBytes = 0;

  /** `owner` is to flush when a write that the link could not take at once was taken. */
  constructor(link: ByteLink, owner: Flushable) {
    this.#link = link;
    this.#owner = owner;
  }

  /** Bytes not yet handed to the link. */
  get waitingBytes(): number {
    return this.#fullBytes + this.#length;
  }

  /** Bytes of output that left this process. */
  get takenBytes(): number {
    return this.#handedBytes - this.#link.pendingBytes;
  }

  /** The buffer in which `bytes` more fit behind `offset`. */
  room(bytes: number): Buffer {
    if (this.#current !== undefined && this.#length + bytes > OUTPUT_BUFFER_BYTES) this.#closeCurrent();
    this.#current ??= takeOutputBuffer();
    return this.#current;
  }

  get offset(): number {
    return this.#length;
  }

  commit(bytes: number): void {
    this.#length += bytes;
  }

  /** Hands over what is there, one write at a time: more gathers while the link is busy. */
  flush(): void {
    while (this.#inFlight === 0 && this.waitingBytes > 0) this.#writeNext();
  }

  /** Hands over everything: before the link's end. */
  flushAll(): void {
    while (this.waitingBytes > 0) this.#writeNext();
  }

  /** Forgets what was not handed over. */
  discard(): void {
    if (this.#current !== undefined) returnOutputBuffer(this.#current);
    for (const { buffer } of this.#full) returnOutputBuffer(buffer);
    this.#current = undefined;
    this.#length = 0;
    this.#full = [];
    this.#fullBytes = 0;
  }

  #writeNext(): void {
    if (this.#full.length === 0) this.#closeCurrent();
    const next = this.#full.shift();
    if (next === undefined) return;
    const { buffer, length } = next;
    this.#fullBytes -= length;
    this.#inFlight += 1;
    this.#handedBytes += length;
    let within = true;
    this.#link.write(buffer.subarray(0, length), () => {
      returnOutputBuffer(buffer);
      this.#inFlight -= 1;
      if (!within) this.#owner.flush();
    });
    within = false;
  }

  #closeCurrent(): void {
    if (this.#current === undefined) return;
    this.#full.push({ buffer: this.#current, length: this.#length });
    this.#fullBytes += this.#length;
    this.#current = undefined;
    this.#length = 0;
  }
}
