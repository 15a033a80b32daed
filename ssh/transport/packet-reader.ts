import { type PacketOpener, plainOpener } from '../algorithms/index.ts';
import { joinedInPlace } from './receive-area.ts';
import { TransportError } from './transport-error.ts';
import { MAX_PACKET_LENGTH, MIN_PACKET_LENGTH } from './transport-limits.ts';

const nothing = Buffer.alloc(0);

/** Finds, checks and decrypts packets (RFC 4253 §6) in a stream of chunks. */
export class PacketReader {
  /** Largest packet_length accepted. */
  maxLength = MAX_PACKET_LENGTH;
  #opener: PacketOpener = plainOpener;
  #sequence: number;
  #packets: number;
  #bytes = 0;
  /** Bytes yet to be read: `#window[#offset .. #end)`. */
  #window: Buffer = nothing;
  #offset = 0;
  #end = 0;
  /** Whether `#window` is memory of this reader, which outlives the read callback. */
  #owned = true;
  /** packet_length of the packet at `#offset`, or -1 while it is unknown. */
  #length = -1;

  constructor(firstSequence = 0, packets = 0) {
    this.#sequence = firstSequence;
    this.#packets = packets;
  }

  /** Number of the packet that `next` gave last. */
  get lastSequence(): number {
    return (this.#sequence - 1) >>> 0;
  }

  /** Packets and bytes under the current keys. */
  get packets(): number {
    return this.#packets;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get unreadBytes(): number {
    return this.#end - this.#offset;
  }

  /** NEWKEYS was received: what follows in the same window is under the new keys. */
  switchTo(opener: PacketOpener, resetSequence: boolean): void {
    this.#opener = opener;
    this.#packets = 0;
    this.#bytes = 0;
    if (resetSequence) this.#sequence = 0;
  }

  /** Makes a chunk readable behind what is left. Valid until the read callback ends, or `keep` is called. */
  feed(chunk: Buffer): void {
    const left = this.unreadBytes;
    if (left === 0) return this.#use(chunk, false);
    if (left + chunk.length >= this.#neededBytes()) {
      const joined = joinedInPlace(this.#window.subarray(this.#offset, this.#end), chunk);
      if (joined !== undefined) return this.#use(joined, false);
    }
    this.append(chunk);
  }

  /** Keeps a copy of a chunk behind what is left. */
  append(chunk: Buffer): void {
    this.keep();
    const left = this.unreadBytes;
    if (this.#end + chunk.length > this.#window.length) {
      // Doubling, so that a packet sent byte by byte is copied a bounded number of times.
      const grown = Buffer.allocUnsafeSlow(Math.max(2 * left, left + chunk.length));
      this.#window.copy(grown, 0, this.#offset, this.#end);
      this.#window = grown;
      this.#offset = 0;
      this.#end = left;
    }
    chunk.copy(this.#window, this.#end);
    this.#end += chunk.length;
  }

  /** Copies what was not read yet, so that the chunk's memory may be reused. */
  keep(): void {
    if (this.unreadBytes === 0) {
      this.#use(nothing, true);
    } else if (!this.#owned) {
      const copy = Buffer.allocUnsafeSlow(this.unreadBytes);
      this.#window.copy(copy, 0, this.#offset, this.#end);
      this.#use(copy, true);
    }
  }

  discard(): void {
    this.#use(nothing, true);
  }

  /**
   * The next packet, decrypted: `padding length || payload || padding`. Undefined while it is not complete.
   *
   * @throws TransportError `packet-length`, `packet-forged`, `protocol-violation`.
   */
  next(): Buffer | undefined {
    const opener = this.#opener;
    if (this.#length < 0) {
      if (this.unreadBytes < opener.headBytes) return undefined;
      const length = opener.readLength(this.#window, this.#offset, this.#sequence);
      const aligned = (length + (opener.lengthAligned ? 4 : 0)) % opener.blockBytes === 0;
      // OpenSSH counts a length that is sent apart neither into the alignment nor into the minimum.
      const shortest = opener.lengthAligned ? MIN_PACKET_LENGTH : opener.blockBytes;
      if (length < shortest || length > this.maxLength || !aligned)
        throw new TransportError('packet-length', `the peer announced a packet of ${length} bytes`);
      this.#length = length;
    }
    const length = this.#length;
    const packetBytes = 4 + length + opener.tagBytes;
    if (this.unreadBytes < packetBytes) return undefined;
    const plain = opener.open(this.#window, this.#offset, length, this.#sequence);
    if (plain === undefined) throw new TransportError('packet-forged', 'a packet failed its integrity check');
    const padding = plain[0] ?? 0;
    if (padding < 4 || padding > length - 2)
      throw new TransportError('protocol-violation', 'a packet has no payload or too little padding');
    if (this.#packets >= 2 ** 32 - 1)
      throw new TransportError(
        'protocol-violation',
        'no key exchange came before the packet numbers ran out',
      );
    this.#length = -1;
    this.#offset += packetBytes;
    this.#sequence = (this.#sequence + 1) >>> 0;
    this.#packets += 1;
    this.#bytes += packetBytes;
    return plain;
  }

  /** What the packet at the front will take as a whole, as far as that is known. */
  #neededBytes(): number {
    return this.#length < 0 ? this.#opener.headBytes : 4 + this.#length + this.#opener.tagBytes;
  }

  #use(window: Buffer, owned: boolean): void {
    this.#window = window;
    this.#offset = 0;
    this.#end = window.length;
    this.#owned = owned;
  }
}
