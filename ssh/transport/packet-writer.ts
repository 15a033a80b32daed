import { type PacketSealer, plainSealer } from '../algorithms/index.ts';
import type { OutputQueue } from './output-queue.ts';
import { fillRandom } from './random-padding.ts';
import { TransportError } from './transport-error.ts';
import { MAX_PACKET_LENGTH, MIN_PACKET_LENGTH } from './transport-limits.ts';

// Where a packet that needs new padding is laid out; sealing is synchronous, so one serves all connections.
const layout = Buffer.allocUnsafeSlow(MAX_PACKET_LENGTH);

/** Packs payloads into packets (RFC 4253 §6) under the keys in use. */
export class PacketWriter {
  readonly #output: OutputQueue;
  #sealer: PacketSealer = plainSealer;
  #sequence: number;
  #packets: number;
  #bytes = 0;

  constructor(output: OutputQueue, firstSequence = 0, packets = 0) {
    this.#output = output;
    this.#sequence = firstSequence;
    this.#packets = packets;
  }

  /** Packets and bytes under the current keys. */
  get packets(): number {
    return this.#packets;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** NEWKEYS was sent. */
  switchTo(sealer: PacketSealer, resetSequence: boolean): void {
    this.#sealer = sealer;
    this.#packets = 0;
    this.#bytes = 0;
    if (resetSequence) this.#sequence = 0;
  }

  /** Writes a packet. @throws TransportError `packet-length`, `protocol-violation` where the packet numbers run out. */
  writePayload(payload: Uint8Array): void {
    this.#seal(this.#padded(payload));
  }

  /** The same for `plain[1 .. 1 + payloadLength)`. The padding that follows is kept where its length fits this framing. */
  writePlain(plain: Buffer, payloadLength: number): void {
    if (this.#fits(plain, payloadLength)) this.#seal(plain);
    else this.writePayload(plain.subarray(1, 1 + payloadLength));
  }

  #seal(plain: Buffer): void {
    if (this.#packets >= 2 ** 32 - 1)
      throw new TransportError(
        'protocol-violation',
        'no key exchange came before the packet numbers ran out',
      );
    const bytes = 4 + plain.length + this.#sealer.tagBytes;
    const out = this.#output.room(bytes);
    this.#sealer.seal(plain, this.#sequence, out, this.#output.offset);
    this.#output.commit(bytes);
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#packets += 1;
    this.#bytes += bytes;
  }

  #fits(plain: Buffer, payloadLength: number): boolean {
    const { blockBytes, lengthAligned } = this.#sealer;
    const padding = plain.length - 1 - payloadLength;
    return (
      padding >= 4 &&
      padding === plain[0] &&
      plain.length <= MAX_PACKET_LENGTH &&
      plain.length >= MIN_PACKET_LENGTH &&
      (plain.length + (lengthAligned ? 4 : 0)) % blockBytes === 0
    );
  }

  #padded(payload: Uint8Array): Buffer {
    const { blockBytes, lengthAligned } = this.#sealer;
    const unpadded = 1 + payload.length;
    let padding = blockBytes - ((unpadded + (lengthAligned ? 4 : 0)) % blockBytes);
    while (padding < 4 || unpadded + padding < MIN_PACKET_LENGTH) padding += blockBytes;
    const length = unpadded + padding;
    if (length > MAX_PACKET_LENGTH)
      throw new TransportError('packet-length', `a message of ${payload.length} bytes does not fit a packet`);
    layout[0] = padding;
    layout.set(payload, 1);
    fillRandom(layout, unpadded, length);
    return layout.subarray(0, length);
  }
}
