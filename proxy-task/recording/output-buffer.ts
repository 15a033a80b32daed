import type { OutputStream } from '#core/recording';
import type { ChannelEvent } from './thread/observation.ts';

/** Blocks for bytes on their way to the recording thread, shared by all channels, so that a channel without output holds none. */
export type BlockPool = { take(): Buffer; give(block: Buffer): void };

/** Events in order, whose data is theirs alone, and may be given away. */
export type TakenEvents = { readonly events: readonly ChannelEvent[]; readonly bytes: number };

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

type Source = OutputStream | 'input';
type DataEvent = { kind: 'data'; atMs: number; source: Source; start: number; end: number };
type Filling = {
  readonly block: Buffer;
  used: number;
  readonly events: (DataEvent | { readonly kind: 'event'; readonly event: ChannelEvent })[];
};

const maxEventsPerBlock = 4096;

/**
 * Data from the relay's hot path: each byte is copied once, into a block. Data of one source within `coalesceMs` of an event's
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

  append(atMs: number, source: Source, data: Uint8Array): void {
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
      if (last?.kind === 'data' && last.source === source && atMs - last.atMs < this.#coalesceMs)
        last.end += length;
      else {
        events.push({ kind: 'data', atMs, source, start: used, end: used + length });
        this.#events += 1;
      }
      filling.used += length;
      this.#bytes += length;
      from += length;
    }
  }

  appendEvent(event: ChannelEvent): void {
    this.#room().events.push({ kind: 'event', event });
    this.#events += 1;
  }

  /** Hands over the oldest events, at most a block's. Undefined where there were none. */
  takeOldest(): TakenEvents | undefined {
    const oldest = this.#filled.shift() ?? this.#current;
    if (oldest === undefined) return undefined;
    if (oldest === this.#current) this.#current = undefined;
    const { block, used, events } = oldest;
    this.#bytes -= used;
    this.#events -= events.length;
    // A block that is full goes with its events; of one that is not, they get what they need.
    const isFull = used > blockBytes / 2;
    const data = isFull ? block : Uint8Array.from(block.subarray(0, used));
    if (!isFull) this.#pool.give(block);
    return { events: events.map((event) => channelEvent(data, event)), bytes: used };
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

function channelEvent(block: Uint8Array, event: Filling['events'][number]): ChannelEvent {
  if (event.kind === 'event') return event.event;
  const { atMs, source } = event;
  const data = block.subarray(event.start, event.end);
  return source === 'input' ? { kind: 'input', atMs, data } : { kind: 'output', atMs, stream: source, data };
}
