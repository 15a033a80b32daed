import { createCipheriv, createDecipheriv, createSecretKey } from 'node:crypto';
import { giveBack } from './give-back.ts';
import type { DirectionSecrets, PacketOpener, PacketSealer } from './packet-cipher.ts';

export type GcmName = 'aes-128-gcm' | 'aes-256-gcm';

const TAG_BYTES = 16;
const BLOCK_BYTES = 16;

/** AES-GCM as OpenSSH uses it: RFC 5647 with the length as additional data. */
export function gcmSealer(name: GcmName, secrets: DirectionSecrets): PacketSealer {
  const key = createSecretKey(secrets.key);
  const nonce = new InvocationNonce(secrets.iv);
  return {
    blockBytes: BLOCK_BYTES,
    lengthAligned: false,
    tagBytes: TAG_BYTES,
    seal(plain, _sequence, out, offset) {
      const body = offset + 4;
      out.writeUInt32BE(plain.length, offset);
      const cipher = createCipheriv(name, key, nonce.bytes);
      cipher.setAAD(out.subarray(offset, body));
      const sealed = cipher.update(plain);
      out.set(sealed, body);
      giveBack(sealed);
      cipher.final();
      out.set(cipher.getAuthTag(), body + plain.length);
      nonce.advance();
      return 4 + plain.length + TAG_BYTES;
    },
  };
}

export function gcmOpener(name: GcmName, secrets: DirectionSecrets): PacketOpener {
  const key = createSecretKey(secrets.key);
  const nonce = new InvocationNonce(secrets.iv);
  return {
    blockBytes: BLOCK_BYTES,
    lengthAligned: false,
    tagBytes: TAG_BYTES,
    headBytes: 4,
    readLength: (bytes, offset) => bytes.readUInt32BE(offset),
    open(bytes, offset, length) {
      const body = offset + 4;
      const tag = body + length;
      const decipher = createDecipheriv(name, key, nonce.bytes);
      decipher.setAAD(bytes.subarray(offset, body));
      const plain = decipher.update(bytes.subarray(body, tag));
      decipher.setAuthTag(bytes.subarray(tag, tag + TAG_BYTES));
      try {
        decipher.final();
      } catch {
        // The only failure of final() is the tag: the caller ends the connection.
        return undefined;
      }
      nonce.advance();
      return plain;
    },
  };
}

/** What is handed to node:crypto, which copies it: one for all directions, since each keeps its own value as numbers, a tenth of a Buffer's cost. */
const scratch = Buffer.allocUnsafeSlow(12);

/** Fixed field of 4 bytes and an invocation counter of 8, starting from the derived IV (RFC 5647 §7.1). */
class InvocationNonce {
  readonly #fixed: number;
  #high: number;
  #low: number;

  constructor(iv: Buffer) {
    this.#fixed = iv.readUInt32BE(0);
    this.#high = iv.readUInt32BE(4);
    this.#low = iv.readUInt32BE(8);
  }

  /** The nonce as it stands, valid until another one is asked for. */
  get bytes(): Buffer {
    scratch.writeUInt32BE(this.#fixed, 0);
    scratch.writeUInt32BE(this.#high, 4);
    scratch.writeUInt32BE(this.#low, 8);
    return scratch;
  }

  advance(): void {
    this.#low = (this.#low + 1) >>> 0;
    if (this.#low === 0) this.#high = (this.#high + 1) >>> 0;
  }
}
