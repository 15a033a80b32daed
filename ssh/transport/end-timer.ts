/** Forces the end of a closing stream once it made no progress for a while. */
export class EndTimer {
  readonly #pendingBytes: () => number;
  readonly #force: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(pendingBytes: () => number, force: () => void) {
    this.#pendingBytes = pendingBytes;
    this.#force = force;
  }

  start(graceMs: number): void {
    const pending = this.#pendingBytes();
    this.clear();
    this.#timer = setTimeout(() => {
      const now = this.#pendingBytes();
      if (now > 0 && now < pending) this.start(graceMs);
      else this.#force();
    }, graceMs).unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
