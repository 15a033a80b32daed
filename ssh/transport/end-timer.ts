/** Forces the end of a closing stream once it made no progress for a while. */
export class EndTimer {
  #timer: NodeJS.Timeout | undefined;

  start(graceMs: number, pendingBytes: () => number, force: () => void): void {
    const pending = pendingBytes();
    this.clear();
    this.#timer = setTimeout(() => {
      const now = pendingBytes();
      if (now > 0 && now < pending) this.start(graceMs, pendingBytes, force);
      else force();
    }, graceMs).unref();
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
