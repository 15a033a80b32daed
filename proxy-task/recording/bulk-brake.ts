import { createBulkGate } from '#core/terminal';

/** Output that is recorded, and before it what is left out. */
export type Released = {
  readonly omitted: { readonly fromMs: number; readonly bytes: number } | undefined;
  readonly data: Uint8Array;
};

export type BulkLimits = {
  /** Output since the client's last input from which on it may be bulk, ... */
  readonly bulkBytes: number;
  /** ... where it comes faster than this between two ticks. */
  readonly bulkBytesPerTick: number;
};

/** Bulk that pauses for so long has ended. */
const quietMs = 20;

/**
 * Keeps bulk output out of the recording of a terminal, where nobody could read it: of what comes faster than that, the end is
 * recorded, and how much was left out.
 */
export class BulkBrake {
  readonly #limits: BulkLimits;
  readonly #gate = createBulkGate();
  #sinceInput = 0;
  #sinceTick = 0;
  #fromMs = 0;
  #lastMs = 0;

  constructor(limits: BulkLimits) {
    this.#limits = limits;
  }

  get holds(): boolean {
    return this.#gate.waiting;
  }

  /** What of the output is recorded now. `pressed`: more is on its way to the thread than should be. */
  output(atMs: number, data: Uint8Array, pressed: boolean): readonly Released[] {
    this.#sinceInput += data.length;
    this.#sinceTick += data.length;
    this.#lastMs = atMs;
    const isBulk =
      this.#gate.waiting ||
      pressed ||
      (this.#sinceInput > this.#limits.bulkBytes && this.#sinceTick > this.#limits.bulkBytesPerTick);
    if (!isBulk) return [{ omitted: undefined, data }];
    if (!this.#gate.waiting) this.#fromMs = atMs;
    const rest = this.#gate.take(data);
    if (rest === data.length) return [];
    // What changes how later output is drawn ends the skipping, and what follows it is seen.
    this.#sinceInput = 0;
    return [...this.#release(), { omitted: undefined, data: data.subarray(rest) }];
  }

  input(): readonly Released[] {
    this.#sinceInput = 0;
    return this.#release();
  }

  tick(atMs: number): readonly Released[] {
    this.#sinceTick = 0;
    return atMs - this.#lastMs >= quietMs ? this.#release() : [];
  }

  end(): readonly Released[] {
    return this.#release();
  }

  #release(): readonly Released[] {
    const kept = this.#gate.release();
    if (kept === undefined) return [];
    const omitted = kept.skipped > 0 ? { fromMs: this.#fromMs, bytes: kept.skipped } : undefined;
    return [{ omitted, data: kept.bytes }];
  }
}
