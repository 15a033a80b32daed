import type { CastInput, OutputStream } from '#core/recording';

/** An event and when it happened, in milliseconds since the start. */
export type TimedEvent = { readonly atMs: number; readonly event: CastInput };

/** Blocks for bytes on their way to the encoder, shared by all channels, so that a channel without output holds none. */
export type BlockPool = { take(): Buffer; give(block: Buffer): void };

const blockBytes = 16 * 1024;
const maxFreeBlocks = 128;

export function createBlockPool(): BlockPool {
  const free: Buffer[] = [];
  return {
    take: () => free.pop() ?? Buffer.allocUnsafeSlow(blockBytes),
    give: (block) => {
      if (free.length < maxFreeBlocks) free.push(block);
    },
  };
}

type OutputEvent = { kind: 'output'; atMs: number; stream: OutputStream; start: number; end: number };
type Filling = {
  readonly block: Buffer;
  used: number;
  readonly events: (OutputEvent | ({ kind: 'event' } & TimedEvent))[];
};

const maxEventsPerBlock = 4096;

/**
 * Output from the relay's hot path: each byte is copied once, into a block. Output of one stream within `coalesceMs` of an event's
 * first byte joins that event.
 */
export class OutputBuffer {
  readonly #pool: BlockPool;
  readonly #coalesceMs: number;
  readonly #filled: Filling[] = [];
  #current: Filling | undefined;
  #bytes = 0;
  #events = 0;

  constructor(pool: BlockPool, coalesceMs: number) {
    this.#pool = pool;
    this.#coalesceMs = coalesceMs;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get events(): number {
    return this.#events;
  }

  appendOutput(atMs: number, stream: OutputStream, data: Uint8Array): void {
    let from = 0;
    while (from < data.length) {
      const filling = this.#room();
      const { events, used } = filling;
      const length = Math.min(data.length - from, blockBytes - used);
      filling.block.set(
        from === 0 && length === data.length ? data : data.subarray(from, from + length),
        used,
      );
      const last = events.at(-1);
      if (last?.kind === 'output' && last.stream === stream && atMs - last.atMs < this.#coalesceMs)
        last.end += length;
      else {
        events.push({ kind: 'output', atMs, stream, start: used, end: used + length });
        this.#events += 1;
      }
      filling.used += length;
      this.#bytes += length;
      from += length;
    }
  }

  appendEvent(atMs: number, event: CastInput): void {
    this.#room().events.push({ kind: 'event', atMs, event });
    this.#events += 1;
  }

  /** Hands over the oldest events, at most a block's; their data is gone when `use` returns. False where there were none. */
  takeOldest(use: (events: readonly TimedEvent[]) => void): boolean {
    const oldest = this.#filled.shift() ?? this.#current;
    if (oldest === undefined) return false;
    if (oldest === this.#current) this.#current = undefined;
    this.#bytes -= oldest.used;
    this.#events -= oldest.events.length;
    use(oldest.events.map((event) => timedEvent(oldest.block, event)));
    this.#pool.give(oldest.block);
    return true;
  }

  clear(): void {
    for (const filling of this.#filled.splice(0)) this.#pool.give(filling.block);
    if (this.#current !== undefined) this.#pool.give(this.#current.block);
    this.#current = undefined;
    this.#bytes = 0;
    this.#events = 0;
  }

  #room(): Filling {
    const current = this.#current;
    if (current !== undefined) {
      if (current.used < blockBytes && current.events.length < maxEventsPerBlock) return current;
      this.#filled.push(current);
    }
    this.#current = { block: this.#pool.take(), used: 0, events: [] };
    return this.#current;
  }
}

function timedEvent(block: Buffer, event: Filling['events'][number]): TimedEvent {
  if (event.kind === 'event') return event;
  const data = block.subarray(event.start, event.end);
  return { atMs: event.atMs, event: { code: 'o', stream: event.stream, data } };
}
