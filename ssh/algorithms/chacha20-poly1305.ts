import { createCipheriv, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { giveBack } from './give-back.ts';
import type { DirectionSecrets, PacketOpener, PacketSealer } from './packet-cipher.ts';
import { poly1305 } from './poly1305.ts';

const TAG_BYTES = 16;
const LENGTH_BYTES = 4;
const KEY_BYTES = 32;
const framing = { blockBytes: 8, lengthAligned: false, tagBytes: TAG_BYTES } as const;

/**
 * chacha20-poly1305@openssh.com (OpenSSH PROTOCOL.chacha20poly1305): the first half of the key encrypts packets and makes their
 * Poly1305 keys, the second half encrypts lengths; the nonce of both is the packet's sequence number. ChaCha20 is the one of node:crypto,
 * Poly1305 our own, since node:crypto offers it only within the RFC 8439 construction.
 */
export function chachaSealer(secrets: DirectionSecrets): PacketSealer {
  const { packets, lengths } = streamsFrom(secrets);
  return {
    ...framing,
    seal(plain, sequence, out, offset) {
      const body = offset + LENGTH_BYTES;
      const end = body + plain.length;
      out.writeUInt32BE(plain.length, offset);
      out.set(lengths.crypt(sequence, 0, out.subarray(offset, body)), offset);
      const sealed = packets.crypt(sequence, 1, plain);
      out.set(sealed, body);
      giveBack(sealed);
      out.set(poly1305(out.subarray(offset, end), packets.authenticationKey(sequence)), end);
      return LENGTH_BYTES + plain.length + TAG_BYTES;
    },
  };
}

export function chachaOpener(secrets: DirectionSecrets): PacketOpener {
  const { packets, lengths } = streamsFrom(secrets);
  return {
    ...framing,
    headBytes: LENGTH_BYTES,
    readLength: (bytes, offset, sequence) =>
      lengths.crypt(sequence, 0, bytes.subarray(offset, offset + LENGTH_BYTES)).readUInt32BE(0),
    open(bytes, offset, length, sequence) {
      const body = offset + LENGTH_BYTES;
      const end = body + length;
      const tag = poly1305(bytes.subarray(offset, end), packets.authenticationKey(sequence));
      if (!timingSafeEqual(tag, bytes.subarray(end, end + TAG_BYTES))) return undefined;
      return packets.crypt(sequence, 1, bytes.subarray(body, end));
    },
  };
}

function streamsFrom({ key }: DirectionSecrets): {
  readonly packets: ChachaStream;
  readonly lengths: ChachaStream;
} {
  return {
    packets: new ChachaStream(createSecretKey(key.subarray(0, KEY_BYTES))),
    lengths: new ChachaStream(createSecretKey(key.subarray(KEY_BYTES))),
  };
}

/** ChaCha20 under one key, in Bernstein's form: 64 bits of block counter and 64 of nonce. */
class ChachaStream {
  readonly #key: KeyObject;
  /** OpenSSL's initial state: the counter, little-endian, then the nonce. */
  readonly #state = Buffer.allocUnsafeSlow(16).fill(0);
  static readonly #zeros = Buffer.allocUnsafeSlow(KEY_BYTES).fill(0);

  constructor(key: KeyObject) {
    this.#key = key;
  }

  /** Encrypts or decrypts with the key stream of a packet from a block on. */
  crypt(sequence: number, block: number, bytes: Uint8Array): Buffer {
    this.#state[0] = block;
    this.#state.writeUInt32BE(sequence, 12);
    return createCipheriv('chacha20', this.#key, this.#state).update(bytes);
  }

  /** The first 32 bytes of a packet's key stream. */
  authenticationKey(sequence: number): Buffer {
    return this.crypt(sequence, 0, ChachaStream.#zeros);
  }
}
