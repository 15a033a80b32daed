import { createCipheriv, createDecipheriv, diffieHellman, hkdfSync, type KeyObject } from 'node:crypto';
import { SealingError } from './sealing-error.ts';
import { type SealingKey, type SuiteName, suites } from './sealing-key.ts';

/** docs/spec/sealed-original.md */
export const magic = Buffer.from('sshtrail sealed original 1\n', 'latin1');
export const chunkBytes = 64 * 1024;
export const tagBytes = 16;
const keyBytes = 32;

export function sealedHeader(ephemeral: SealingKey): Buffer {
  return Buffer.concat([magic, Buffer.from([suites[ephemeral.suite].number]), ephemeral.bytes]);
}

export function suiteOf(number: number): SuiteName | undefined {
  return number === suites.x25519.number ? 'x25519' : number === suites.p256.number ? 'p256' : undefined;
}

/**
 * The key of one sealed original, from either side's private key. Header, recipient and context are part of it: with another
 * header, or as the original of something else, it does not open.
 * @throws SealingError `bad-key`
 */
export function contentKey(
  privateKey: KeyObject,
  publicKey: SealingKey,
  parts: { readonly header: Buffer; readonly recipient: SealingKey; readonly context: string },
): Buffer {
  let secret: Buffer;
  try {
    secret = diffieHellman({ privateKey, publicKey: publicKey.object });
  } catch (cause) {
    throw new SealingError(
      'bad-key',
      'the two keys agree on no secret; use an X25519 or P-256 key made for sealing',
      { cause },
    );
  }
  const info = Buffer.concat([parts.header, parts.recipient.bytes, Buffer.from(parts.context, 'utf8')]);
  const key = Buffer.from(hkdfSync('sha256', secret, Buffer.alloc(0), info, keyBytes));
  secret.fill(0);
  return key;
}

export function sealChunk(key: Buffer, number: number, isLast: boolean, chunk: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-gcm', key, nonce(number, isLast), { authTagLength: tagBytes });
  return Buffer.concat([cipher.update(chunk), cipher.final(), cipher.getAuthTag()]);
}

/** Undefined where it was not sealed with this key in this place. */
export function openChunk(
  key: Buffer,
  number: number,
  isLast: boolean,
  sealed: Uint8Array,
): Buffer | undefined {
  if (sealed.length < tagBytes) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, nonce(number, isLast), { authTagLength: tagBytes });
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes));
  const chunk = decipher.update(sealed.subarray(0, sealed.length - tagBytes));
  try {
    decipher.final();
  } catch {
    return undefined;
  }
  return chunk;
}

/** STREAM (Hoang, Reyhanitabar, Rogaway, Vizár, CRYPTO 2015): 11 bytes of number, one that says whether it is the last. */
function nonce(number: number, isLast: boolean): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUIntBE(number, 5, 6);
  bytes[11] = isLast ? 1 : 0;
  return bytes;
}
