/**
 * Replies carry no identification: they come in the order of the requests (RFC 4254 §4, §5.4). This queue holds one slot
 * for each unanswered request of one peer, so that an answer of ours goes out in its turn and not before.
 * `R` is a request that was passed on; a slot of ours holds its encoded answer.
 */
export class ReplyQueue<R extends object> {
  readonly #capacity: number;
  readonly #slots: (Passed<R> | Ours)[] = [];

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  get isFull(): boolean {
    return this.#slots.length >= this.#capacity;
  }

  /** A request was passed on; its answer is the other end's. */
  expect(request: R): void {
    this.#slots.push({ request });
  }

  /** A request is answered by us. Returns true where the answer may go out at once; else it waits for its turn. */
  answer(reply: Buffer): boolean {
    if (this.#slots.length === 0) return true;
    this.#slots.push({ reply });
    return false;
  }

  /** The other end replied: the request it answers, or undefined where none is unanswered. */
  settle(): R | undefined {
    // Answers of ours never stand at the head: `due` takes them as soon as they get there.
    const head = this.#slots[0];
    if (head === undefined || 'reply' in head) return undefined;
    this.#slots.shift();
    return head.request;
  }

  /** The next answer of ours whose turn has come, taken out of the queue. Call until undefined after each `settle`. */
  due(): Buffer | undefined {
    const head = this.#slots[0];
    if (head === undefined || 'request' in head) return undefined;
    this.#slots.shift();
    return head.reply;
  }

  /** All slots in order, for when no answer of the other end can come any more: undefined stands for each of those. */
  overdue(): (Buffer | undefined)[] {
    return this.#slots.map((slot) => ('reply' in slot ? slot.reply : undefined));
  }

  /** No answer can come any more. Returns the requests left unanswered, oldest first. */
  abandon(): R[] {
    const requests: R[] = [];
    for (const slot of this.#slots.splice(0)) if ('request' in slot) requests.push(slot.request);
    return requests;
  }
}

type Passed<R> = { readonly request: R };
type Ours = { readonly reply: Buffer };
