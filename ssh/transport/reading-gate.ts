import type { ByteLink } from './contract.ts';

/** Why a link is not read just now. */
type Pauses = {
  /** The layer above wants no more for the moment (backpressure). Lifted while a key exchange runs. */
  requested: boolean;
  /** The peer asks, and takes no answers. Lifted while a key exchange runs. */
  unanswered: boolean;
  /** Bytes have piled up behind a held parser. */
  piledUp: boolean;
  /** This connection had its share of the turn. */
  yielding: boolean;
  /** A key exchange runs: a leg that stops reading in it can wait for a peer that waits for it. */
  exchanging: boolean;
};

/** Decides from all reasons together whether the link is read. */
export class ReadingGate {
  readonly #link: ByteLink;
  readonly #pauses: Pauses = {
    requested: false,
    unanswered: false,
    piledUp: false,
    yielding: false,
    exchanging: true,
  };
  #paused = false;

  constructor(link: ByteLink) {
    this.#link = link;
  }

  set(reason: keyof Pauses, value: boolean): void {
    const pauses = this.#pauses;
    if (pauses[reason] === value) return;
    pauses[reason] = value;
    const unwanted = (pauses.requested || pauses.unanswered) && !pauses.exchanging;
    const paused = pauses.piledUp || pauses.yielding || unwanted;
    if (paused === this.#paused) return;
    this.#paused = paused;
    if (paused) this.#link.pause();
    else this.#link.resume();
  }
}
