import type { Side } from '../connection/index.ts';
import { RelayError } from './relay-error.ts';

/** Refusals at once, ... */
const BURST = 1000;
/** ... and for each second on end: what a browser behind `ssh -D` asks for that has all its channels hanging. */
const PER_SECOND = 20;

/** How often a peer may ask for what it cannot have. Each answer is small; asking on and on is an attack. */
export class RefusalAllowance {
  readonly #side: Side;
  #left = BURST;
  #earnedAt = performance.now();

  constructor(side: Side) {
    this.#side = side;
  }

  /** Counts a channel that was refused for want of room. @throws RelayError `too-many-refused`. */
  count(): void {
    const now = performance.now();
    this.#left = Math.min(BURST, this.#left + ((now - this.#earnedAt) / 1000) * PER_SECOND) - 1;
    this.#earnedAt = now;
    if (this.#left < 0)
      throw new RelayError(
        'too-many-refused',
        `the ${this.#side} goes on asking for channels when it has all it may have`,
        this.#side,
      );
  }
}
