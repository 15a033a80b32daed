import { EXTENDED_DATA_STDERR, encodeData, encodeExtendedData } from '../connection/index.ts';
import { EndpointError } from './endpoint-error.ts';

type Pending = {
  readonly stream: 'data' | 'stderr';
  readonly data: Buffer;
  sent: number;
  readonly done: (error?: Error) => void;
};

/** What the other end granted, and where the packets go. */
export type OutflowOptions = {
  readonly remoteChannel: number;
  readonly window: number;
  readonly maximumPacket: number;
  readonly send: (payload: Buffer) => void;
  /** Nothing may be sent now. */
  readonly isHeld: () => boolean;
};

/** Larger packets gain nothing and not every peer takes them. */
const maxPacketBytes = 32 * 1024;

/**
 * Data on its way out of a channel: cut to the peer's window and packet size, in the order written, both streams through
 * one line. At most one write of each stream waits here; Node's streams hold their writers back meanwhile.
 */
export class Outflow {
  readonly #options: OutflowOptions;
  readonly #packetBytes: number;
  readonly #pending: Pending[] = [];
  #window: number;
  #flushing = false;

  constructor(options: OutflowOptions) {
    this.#options = options;
    this.#window = options.window;
    this.#packetBytes = Math.min(options.maximumPacket, maxPacketBytes);
  }

  get idle(): boolean {
    return this.#pending.length === 0;
  }

  write(stream: 'data' | 'stderr', data: Buffer, done: (error?: Error) => void): void {
    this.#pending.push({ stream, data, sent: 0, done });
    this.flush();
  }

  /** @throws EndpointError when the window grows past 2^32-1 (RFC 4254 §5.2). */
  adjust(bytes: number): void {
    this.#window += bytes;
    if (this.#window > 0xffff_ffff)
      throw new EndpointError('protocol', 'the peer let a window grow past 2^32-1 bytes');
    this.flush();
  }

  flush(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    try {
      let head = this.#pending[0];
      while (head !== undefined && this.#advance(head)) {
        this.#pending.shift();
        head.done();
        head = this.#pending[0];
      }
    } finally {
      this.#flushing = false;
    }
  }

  /** Lets the writers go, empty-handed. */
  fail(error: Error): void {
    for (const pending of this.#pending.splice(0)) pending.done(error);
  }

  /** True when all of it was sent. */
  #advance(pending: Pending): boolean {
    while (pending.sent < pending.data.length) {
      const bytes = Math.min(pending.data.length - pending.sent, this.#window, this.#packetBytes);
      if (bytes === 0 || this.#options.isHeld()) return false;
      const part = pending.data.subarray(pending.sent, pending.sent + bytes);
      pending.sent += bytes;
      this.#window -= bytes;
      this.#options.send(
        pending.stream === 'data'
          ? encodeData(this.#options.remoteChannel, part)
          : encodeExtendedData(this.#options.remoteChannel, EXTENDED_DATA_STDERR, part),
      );
    }
    return true;
  }
}
