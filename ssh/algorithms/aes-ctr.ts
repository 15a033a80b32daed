import {
  createCipheriv,
  createDecipheriv,
  createHmac,
  createSecretKey,
  type KeyObject,
  timingSafeEqual,
} from 'node:crypto';
import { giveBack } from './give-back.ts';
import type { DirectionSecrets, PacketOpener, PacketSealer } from './packet-cipher.ts';

export type CtrName = 'aes-128-ctr' | 'aes-256-ctr';

/** A MAC, RFC 4253 §6.4 and RFC 6668. */
export type MacAlgorithm = {
  readonly hash: 'sha256' | 'sha512';
  readonly keyBytes: number;
  readonly tagBytes: number;
  /** The MAC covers the ciphertext and the length travels in the clear (OpenSSH PROTOCOL §1.5). */
  readonly encryptThenMac: boolean;
};

const BLOCK_BYTES = 16;

/** AES in counter mode (RFC 4344) with an HMAC. The counter runs on from packet to packet. */
export function ctrSealer(name: CtrName, mac: MacAlgorithm, secrets: DirectionSecrets): PacketSealer {
  const cipher = createCipheriv(name, createSecretKey(secrets.key), secrets.iv);
  const tagOf = packetMac(mac, createSecretKey(secrets.macKey));
  return {
    blockBytes: BLOCK_BYTES,
    lengthAligned: !mac.encryptThenMac,
    tagBytes: mac.tagBytes,
    seal(plain, sequence, out, offset) {
      const end = offset + 4 + plain.length;
      out.writeUInt32BE(plain.length, offset);
      if (mac.encryptThenMac) {
        const sealed = cipher.update(plain);
        out.set(sealed, offset + 4);
        giveBack(sealed);
        out.set(tagOf(sequence, out.subarray(offset, end)), end);
      } else {
        out.set(plain, offset + 4);
        const packet = out.subarray(offset, end);
        out.set(tagOf(sequence, packet), end);
        out.set(cipher.update(packet), offset);
      }
      return 4 + plain.length + mac.tagBytes;
    },
  };
}

export function ctrOpener(name: CtrName, mac: MacAlgorithm, secrets: DirectionSecrets): PacketOpener {
  return mac.encryptThenMac
    ? encryptThenMacOpener(name, mac, secrets)
    : encryptAndMacOpener(name, mac, secrets);
}

function encryptThenMacOpener(name: CtrName, mac: MacAlgorithm, secrets: DirectionSecrets): PacketOpener {
  const decipher = createDecipheriv(name, createSecretKey(secrets.key), secrets.iv);
  const tagOf = packetMac(mac, createSecretKey(secrets.macKey));
  return {
    blockBytes: BLOCK_BYTES,
    lengthAligned: false,
    tagBytes: mac.tagBytes,
    headBytes: 4,
    readLength: (bytes, offset) => bytes.readUInt32BE(offset),
    open(bytes, offset, length, sequence) {
      const end = offset + 4 + length;
      const tag = bytes.subarray(end, end + mac.tagBytes);
      if (!timingSafeEqual(tagOf(sequence, bytes.subarray(offset, end)), tag)) return undefined;
      return decipher.update(bytes.subarray(offset + 4, end));
    },
  };
}

/** The length is encrypted, so the first block is decrypted before anything is authenticated (RFC 4253 §6). */
function encryptAndMacOpener(name: CtrName, mac: MacAlgorithm, secrets: DirectionSecrets): PacketOpener {
  const decipher = createDecipheriv(name, createSecretKey(secrets.key), secrets.iv);
  const tagOf = packetMac(mac, createSecretKey(secrets.macKey));
  let head: Buffer = Buffer.alloc(0);
  return {
    blockBytes: BLOCK_BYTES,
    lengthAligned: true,
    tagBytes: mac.tagBytes,
    headBytes: BLOCK_BYTES,
    readLength(bytes, offset) {
      head = decipher.update(bytes.subarray(offset, offset + BLOCK_BYTES));
      return head.readUInt32BE(0);
    },
    open(bytes, offset, length, sequence) {
      const end = offset + 4 + length;
      const packet = Buffer.allocUnsafeSlow(4 + length);
      packet.set(head, 0);
      packet.set(decipher.update(bytes.subarray(offset + BLOCK_BYTES, end)), BLOCK_BYTES);
      const tag = bytes.subarray(end, end + mac.tagBytes);
      return timingSafeEqual(tagOf(sequence, packet), tag) ? packet.subarray(4) : undefined;
    },
  };
}

/** The MAC of packets: over the packet number and the packet (RFC 4253 §6.4). */
export function packetMac(
  mac: Pick<MacAlgorithm, 'hash'>,
  key: KeyObject,
): (sequence: number, packet: Buffer) => Buffer {
  const counter = Buffer.allocUnsafeSlow(4);
  return (sequence, packet) => {
    counter.writeUInt32BE(sequence, 0);
    return createHmac(mac.hash, key).update(counter).update(packet).digest();
  };
}
