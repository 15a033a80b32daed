import type { Leg } from './leg.ts';

/** From here on the sender's leg is not read: its window alone may be megabytes on each channel. */
const maxHeldBytes = 256 * 1024;
/** What a packet costs beside its data. */
const packetBytes = 256;

export type HeldPacket = { readonly stream: 'data' | 'stderr'; readonly data: Buffer };

/** What one side sent on a channel while a gate thinks about the beginning of it, in order. */
export class HeldData {
  /** The sender has said its last on the channel. */
  eof = false;
  readonly #sender: Leg;
  readonly #packets: HeldPacket[] = [];
  #bytes = 0;
  #stopsReading = false;

  constructor(sender: Leg) {
    this.#sender = sender;
  }

  get first(): HeldPacket | undefined {
    return this.#packets[0];
  }

  /** `data` may be reused when it returns. */
  keep(stream: HeldPacket['stream'], data: Buffer): void {
    this.#packets.push({ stream, data: Buffer.from(data) });
    this.#bytes += data.length + packetBytes;
    if (this.#stopsReading || this.#bytes <= maxHeldBytes) return;
    this.#stopsReading = true;
    this.#sender.hold();
  }

  /** Lets go of so much of the first packet. */
  letGo(bytes: number): void {
    const first = this.#packets[0];
    if (first === undefined) return;
    if (bytes < first.data.length) {
      this.#packets[0] = { stream: first.stream, data: first.data.subarray(bytes) };
      this.#bytes -= bytes;
    } else {
      this.#packets.shift();
      this.#bytes -= first.data.length + packetBytes;
    }
  }

  /** Nothing is held any more. */
  end(): void {
    this.#packets.length = 0;
    this.#bytes = 0;
    if (!this.#stopsReading) return;
    this.#stopsReading = false;
    this.#sender.release();
  }
}
