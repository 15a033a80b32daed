/** Secrets of one direction, RFC 4253 §7.2. Copied by the cipher that is made from them; zero them afterwards. */
export type DirectionSecrets = {
  readonly iv: Buffer;
  readonly key: Buffer;
  readonly macKey: Buffer;
};

/** How a cipher lays out packets, RFC 4253 §6. */
interface PacketFraming {
  /** What padding aligns to. */
  readonly blockBytes: number;
  /** Whether the length field counts into the aligned part (it does not where it is authenticated in the clear). */
  readonly lengthAligned: boolean;
  /** MAC or authentication tag behind the packet. */
  readonly tagBytes: number;
}

/** Encrypts one direction of a connection. `plain` is `padding length || payload || padding`. */
export interface PacketSealer extends PacketFraming {
  /** Writes packet_length, the encrypted packet and its tag to `out`; returns how many bytes that is. */
  seal(plain: Buffer, sequence: number, out: Buffer, offset: number): number;
}

/** Decrypts one direction of a connection. */
export interface PacketOpener extends PacketFraming {
  /** Bytes of a packet that must be there before `readLength`. */
  readonly headBytes: number;
  /** packet_length of the packet at `offset`, not yet trustworthy; called exactly once per packet. */
  readLength(bytes: Buffer, offset: number, sequence: number): number;
  /**
   * Verifies and decrypts the packet at `offset`, all `4 + length + tagBytes` of it. Returns `plain` in memory of its
   * own, or undefined where the tag is wrong.
   */
  open(bytes: Buffer, offset: number, length: number, sequence: number): Buffer | undefined;
}
