/** Requests that wait for a decision of ours before the next is looked at. */
const maxWaiting = 128;

/**
 * Decides requests strictly in the order they came, one at a time, since replies carry no identifier (RFC 4254 §4, §5.4).
 * A decision made at once is answered at once.
 */
export class AnswerLine<Answer> {
  readonly #waiting: {
    readonly decide: () => Answer | Promise<Answer>;
    readonly answer: (answer: Answer) => void;
  }[] = [];
  readonly #onFault: (error: unknown) => void;
  #deciding = false;

  constructor(onFault: (error: unknown) => void) {
    this.#onFault = onFault;
  }

  /** False when too many wait. */
  add(decide: () => Answer | Promise<Answer>, answer: (answer: Answer) => void): boolean {
    if (this.#waiting.length >= maxWaiting) return false;
    this.#waiting.push({ decide, answer });
    if (!this.#deciding) this.#run();
    return true;
  }

  #run(): void {
    this.#deciding = true;
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
      const { decide, answer } = next;
      try {
        const decision = decide();
        if (decision instanceof Promise) {
          void this.#wait(decision, answer);
          return;
        }
        answer(decision);
      } catch (error) {
        this.#fault(error);
        return;
      }
    }
    this.#deciding = false;
  }

  async #wait(decision: Promise<Answer>, answer: (answer: Answer) => void): Promise<void> {
    try {
      answer(await decision);
    } catch (error) {
      this.#fault(error);
      return;
    }
    this.#run();
  }

  /** Nothing is decided behind a fault. */
  #fault(error: unknown): void {
    this.#waiting.length = 0;
    this.#onFault(error);
  }
}
