import type { PacketOpener, PacketSealer } from './packet-cipher.ts';

/** `none` cipher and MAC: before the first NEWKEYS only (RFC 4253 §6.3). */
export const plainSealer: PacketSealer = {
  blockBytes: 8,
  lengthAligned: true,
  tagBytes: 0,
  seal(plain, _sequence, out, offset) {
    out.writeUInt32BE(plain.length, offset);
    out.set(plain, offset + 4);
    return 4 + plain.length;
  },
};

export const plainOpener: PacketOpener = {
  blockBytes: 8,
  lengthAligned: true,
  tagBytes: 0,
  headBytes: 4,
  readLength: (bytes, offset) => bytes.readUInt32BE(offset),
  open(bytes, offset, length) {
    const plain = Buffer.allocUnsafeSlow(length);
    bytes.copy(plain, 0, offset + 4, offset + 4 + length);
    return plain;
  },
};
