import type { TransportLimits } from './contract.ts';
import { TransportError } from './transport-error.ts';

/** What the monitor watches. */
export interface BacklogSource {
  /** Output that the peer's host has not taken. */
  readonly backlogBytes: number;
  /** Bytes taken so far. */
  readonly takenBytes: number;
  /** Whether the backlog waits for the layer above rather than for the peer. */
  readonly excused: boolean;
  onCongestion(congested: boolean): void;
  /** The backlog must end now. */
  onExhausted(error: TransportError): void;
}

/** High and low marks, the hard limit and the stall timer of one connection's output. */
export class BacklogMonitor {
  readonly #source: BacklogSource;
  readonly #limits: TransportLimits;
  #congested = false;
  #timer: NodeJS.Timeout | undefined;
  #takenBytes = 0;

  constructor(source: BacklogSource, limits: TransportLimits) {
    this.#source = source;
    this.#limits = limits;
  }

  /** To be called whenever output was added or taken. */
  check(): void {
    const backlog = this.#source.backlogBytes;
    if (backlog > this.#limits.backlogLimitBytes) {
      this.#source.onExhausted(
        new TransportError('backlog-exceeded', `the peer left ${backlog} bytes of output untaken`),
      );
      return;
    }
    if (!this.#congested && backlog > this.#limits.backlogHighBytes) this.#signal(true);
    else if (this.#congested && backlog <= this.#limits.backlogLowBytes) this.#signal(false);
    if (backlog > 0 && this.#timer === undefined) this.#watch();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #signal(congested: boolean): void {
    this.#congested = congested;
    this.#source.onCongestion(congested);
  }

  #watch(): void {
    this.#takenBytes = this.#source.takenBytes;
    this.#timer = setTimeout(() => this.#judge(), this.#limits.writeStallMs).unref();
  }

  #judge(): void {
    this.#timer = undefined;
    if (this.#source.backlogBytes === 0) return;
    if (this.#source.excused || this.#source.takenBytes !== this.#takenBytes) return this.#watch();
    this.#source.onExhausted(
      new TransportError('write-stalled', `the peer took no output for ${this.#limits.writeStallMs} ms`),
    );
  }
}
