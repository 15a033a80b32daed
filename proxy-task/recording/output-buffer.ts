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

/** Output from the relay's hot path: each byte is copied once, into a block. */
export type OutputBuffer = {
  readonly bytes: number;
  readonly events: number;
  appendOutput(atMs: number, stream: OutputStream, data: Uint8Array): void;
  appendEvent(atMs: number, event: CastInput): void;
  /** Hands over the oldest events, at most a block's; their data is gone when `use` returns. False where there were none. */
  takeOldest(use: (events: readonly TimedEvent[]) => void): boolean;
  clear(): void;
};

type OutputEvent = { kind: 'output'; atMs: number; stream: OutputStream; start: number; end: number };
type Filling = {
  readonly block: Buffer;
  used: number;
  readonly events: (OutputEvent | ({ kind: 'event' } & TimedEvent))[];
};

const maxEventsPerBlock = 4096;

/** Output of one stream within `coalesceMs` of an event's first byte joins that event. */
export function createOutputBuffer(pool: BlockPool, coalesceMs: number): OutputBuffer {
  const filled: Filling[] = [];
  let current: Filling | undefined;
  let bytes = 0;
  let events = 0;
  const room = (): Filling => {
    if (current !== undefined && current.used < blockBytes && current.events.length < maxEventsPerBlock)
      return current;
    if (current !== undefined) filled.push(current);
    current = { block: pool.take(), used: 0, events: [] };
    return current;
  };
  const appendOutput = (atMs: number, stream: OutputStream, data: Uint8Array): void => {
    let from = 0;
    while (from < data.length) {
      const filling = room();
      const length = Math.min(data.length - from, blockBytes - filling.used);
      filling.block.set(
        from === 0 && length === data.length ? data : data.subarray(from, from + length),
        filling.used,
      );
      const last = filling.events.at(-1);
      if (last?.kind === 'output' && last.stream === stream && atMs - last.atMs < coalesceMs)
        last.end += length;
      else {
        filling.events.push({
          kind: 'output',
          atMs,
          stream,
          start: filling.used,
          end: filling.used + length,
        });
        events += 1;
      }
      filling.used += length;
      bytes += length;
      from += length;
    }
  };
  return {
    get bytes() {
      return bytes;
    },
    get events() {
      return events;
    },
    appendOutput,
    appendEvent: (atMs, event) => {
      room().events.push({ kind: 'event', atMs, event });
      events += 1;
    },
    takeOldest: (use) => {
      const oldest = filled.shift() ?? current;
      if (oldest === undefined) return false;
      if (oldest === current) current = undefined;
      bytes -= oldest.used;
      events -= oldest.events.length;
      use(oldest.events.map((event) => timedEvent(oldest.block, event)));
      pool.give(oldest.block);
      return true;
    },
    clear: () => {
      for (const filling of filled.splice(0)) pool.give(filling.block);
      if (current !== undefined) pool.give(current.block);
      current = undefined;
      bytes = 0;
      events = 0;
    },
  };
}

function timedEvent(block: Buffer, event: Filling['events'][number]): TimedEvent {
  if (event.kind === 'event') return event;
  const data = block.subarray(event.start, event.end);
  return { atMs: event.atMs, event: { code: 'o', stream: event.stream, data } };
}
