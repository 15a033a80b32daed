import type { Duplex } from 'node:stream';
import type { ByteLink, ByteLinkEvents } from './contract.ts';
import { EndTimer } from './end-timer.ts';

/** A link over any Duplex of bytes, such as the channel of a jump. */
export function linkFromDuplex(duplex: Duplex): ByteLink {
  return new DuplexLink(duplex);
}

class DuplexLink implements ByteLink {
  readonly #duplex: Duplex;
  readonly #timer = new EndTimer();
  #events: ByteLinkEvents | undefined;
  #ending = false;
  #error: Error | undefined;

  constructor(duplex: Duplex) {
    this.#duplex = duplex;
    duplex.on('error', (error) => {
      this.#error = error;
    });
  }

  get pendingBytes(): number {
    return this.#duplex.writableLength;
  }

  open(events: ByteLinkEvents): void {
    const duplex = this.#duplex;
    this.#events = events;
    duplex.once('close', () => this.#closed());
    if (duplex.closed || duplex.destroyed) {
      process.nextTick(() => this.#closed());
      return;
    }
    duplex.once('end', () => this.#peerEnded());
    duplex.on('data', (chunk: unknown) => {
      if (this.#ending) return;
      if (Buffer.isBuffer(chunk)) this.#events?.onBytes(chunk);
      else
        duplex.destroy(new TypeError('the stream beneath a transport must carry bytes, without an encoding'));
    });
  }

  /** Copies: a stream may keep the chunk it was given for longer than its callback says. */
  write(bytes: Buffer, onTaken: () => void): void {
    if (this.#duplex.destroyed || this.#duplex.writableEnded) {
      onTaken();
      return;
    }
    const copy = Buffer.allocUnsafeSlow(bytes.length);
    bytes.copy(copy);
    this.#duplex.write(copy, () => {
      onTaken();
      if (this.#duplex.writableLength === 0) this.#events?.onDrained();
    });
  }

  pause(): void {
    this.#duplex.pause();
  }

  resume(): void {
    this.#duplex.resume();
  }

  end(graceMs: number): void {
    if (this.#ending) return;
    this.#ending = true;
    this.resume();
    this.#duplex.end();
    this.#timer.start(
      graceMs,
      () => this.pendingBytes,
      () => this.#duplex.destroy(),
    );
  }

  destroy(): void {
    this.#timer.clear();
    this.#duplex.destroy();
  }

  #peerEnded(): void {
    if (this.#ending) return;
    this.end(lastWordsMs);
    this.#closed();
  }

  #closed(): void {
    const events = this.#events;
    this.#events = undefined;
    if (this.#duplex.destroyed) this.#timer.clear();
    events?.onClosed(this.#error);
  }
}

// What is still to be written when the peer has closed its side gets this long without progress.
const lastWordsMs = 2000;
