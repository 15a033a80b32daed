/**
 * Replies carry no identification: they come in the order of the requests (RFC 4254 §4, §5.4). This queue holds one slot
 * for each unanswered request made to one end, so that an answer of ours goes out in its turn and not before, and an answer
 * to a question of ours goes nowhere. `R` is a request that was passed on.
 */
export class ReplyQueue<R extends object> {
  readonly #capacity: number;
  /** In front of every answer of ours stands a request that was passed on. */
  readonly #slots: (Passed<R> | OurAnswer | typeof ours)[] = [];
  #ownQuestions = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Requests of the peer alone count: it has no part in our questions. */
  get isFull(): boolean {
    return this.#slots.length - this.#ownQuestions >= this.#capacity;
  }

  /** Questions of ours that are unanswered. */
  get ownQuestions(): number {
    return this.#ownQuestions;
  }

  /** A request was passed on; its answer is the other end's. */
  expect(request: R): void {
    this.#slots.push({ request });
  }

  /** We asked the other end ourselves; its answer is for us. */
  expectOurs(): void {
    this.#ownQuestions += 1;
    this.#slots.push(ours);
  }

  /** A request is answered by us. Returns true where the answer may go out at once; else it waits for its turn. */
  answer(reply: Buffer): boolean {
    if (this.#slots.length === this.#ownQuestions) return true;
    this.#slots.push({ reply });
    return false;
  }

  /** The other end replied: the request it answers, or that it answers us, or undefined where nothing is unanswered. */
  settle(): R | typeof ours | undefined {
    // Answers of ours never stand at the head: `due` takes them as soon as they get there.
    const head = this.#slots[0];
    if (head === undefined || (head !== ours && 'reply' in head)) return undefined;
    this.#slots.shift();
    if (head !== ours) return head.request;
    this.#ownQuestions -= 1;
    return ours;
  }

  /** The next answer of ours whose turn has come, taken out of the queue. Call until undefined after each `settle`. */
  due(): Buffer | undefined {
    const index = this.#slots.findIndex((slot) => slot !== ours);
    const slot = this.#slots[index];
    if (slot === undefined || slot === ours || 'request' in slot) return undefined;
    this.#slots.splice(index, 1);
    return slot.reply;
  }

  /** All slots in order, for when no answer of the other end can come any more: undefined stands for each of those. */
  overdue(): (Buffer | undefined)[] {
    return this.#slots.flatMap((slot) => (slot === ours ? [] : ['reply' in slot ? slot.reply : undefined]));
  }

  /** No answer can come any more. Returns the requests left unanswered, oldest first. */
  abandon(): R[] {
    this.#ownQuestions = 0;
    return this.#slots
      .splice(0)
      .flatMap((slot) => (slot !== ours && 'request' in slot ? [slot.request] : []));
  }
}

const ours = 'ours';
type Passed<R> = { readonly request: R };
type OurAnswer = { readonly reply: Buffer };
