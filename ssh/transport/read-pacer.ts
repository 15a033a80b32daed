import type { ReadingGate } from './reading-gate.ts';

/** A read from this size on belongs to a transfer; below, somebody may be waiting for an answer. */
const BULK_BYTES = 8 * 1024;
/** So many bulk reads in a row are a transfer under way. */
const RUN_LENGTH = 8;
const PAUSE_MS = 2;
const FIRST_RESPITE = 64;
const LONGEST_RESPITE = 8192;

/**
 * When a connection is not read for a moment although there may be something.
 *
 * After its share of bytes it waits until the other connections had theirs. And where a transfer comes in packet by packet, each costs
 * a wake-up of this process and of the peer's, a read and a write, many times what its bytes cost: such a connection waits a
 * moment, so that more comes at once. Where no more did, the sender was waiting for us: then that is not tried again for a while.
 */
export class ReadPacer {
  readonly #gate: ReadingGate;
  readonly #turnLimit: number;
  #turnBytes = 0;
  /** Bulk reads in a row; below 0 while pausing is not to be tried. */
  #run = 0;
  #respite = FIRST_RESPITE;
  /** What one read brought before the pause that was just made, 0 for none. */
  #before = 0;

  constructor(gate: ReadingGate, turnLimit: number) {
    this.#gate = gate;
    this.#turnLimit = turnLimit;
  }

  /** To be called with the size of every read. */
  count(bytes: number): void {
    if (this.#before > 0) this.#judge(bytes);
    this.#turnBytes += bytes;
    if (bytes < BULK_BYTES) this.#run = Math.min(this.#run, 0);
    else this.#run += 1;
    if (this.#run >= RUN_LENGTH && bytes * 2 <= this.#turnLimit) this.#pause(bytes);
    else if (this.#turnBytes >= this.#turnLimit) this.#yield();
  }

  #yield(): void {
    this.#turnBytes = 0;
    this.#gate.set('yielding', true);
    setImmediate(() => this.#gate.set('yielding', false));
  }

  #pause(bytes: number): void {
    this.#turnBytes = 0;
    this.#before = bytes;
    this.#gate.set('yielding', true);
    setTimeout(() => this.#gate.set('yielding', false), PAUSE_MS);
  }

  /** Whether the pause was worth it. */
  #judge(bytes: number): void {
    const gained = 2 * bytes >= 3 * this.#before;
    this.#before = 0;
    if (gained) {
      this.#respite = FIRST_RESPITE;
      return;
    }
    this.#run = -this.#respite;
    this.#respite = Math.min(2 * this.#respite, LONGEST_RESPITE);
  }
}
