import { hash as digestOf } from 'node:crypto';
import { WireWriter } from '../wire/index.ts';
import type { DirectionSecrets } from './packet-cipher.ts';

export type ExchangeHashInput = {
  readonly clientIdentification: Uint8Array;
  readonly serverIdentification: Uint8Array;
  readonly clientInit: Uint8Array;
  readonly serverInit: Uint8Array;
  readonly hostKey: Uint8Array;
  readonly clientValue: Uint8Array;
  readonly serverValue: Uint8Array;
  /** K with its length field, as mpint or string. */
  readonly secret: Uint8Array;
};

/** H, RFC 4253 §8 and RFC 5656 §4. */
export function exchangeHash(hash: string, input: ExchangeHashInput): Buffer {
  const bytes = Object.values(input).reduce((sum, part) => sum + 4 + part.length, 0);
  const transcript = new WireWriter(bytes)
    .string(input.clientIdentification)
    .string(input.serverIdentification)
    .string(input.clientInit)
    .string(input.serverInit)
    .string(input.hostKey)
    .string(input.clientValue)
    .string(input.serverValue)
    .raw(input.secret)
    .finish();
  const digest = keptCopy(digestOf(hash, transcript, 'buffer'));
  transcript.fill(0);
  return digest;
}

export type SecretLengths = {
  readonly ivBytes: number;
  readonly keyBytes: number;
  readonly macKeyBytes: number;
};

/** Secrets of one direction, RFC 4253 §7.2: letters A, C, E towards the server, B, D, F towards the client. */
export function deriveSecrets(
  hash: string,
  secret: Uint8Array,
  exchange: Uint8Array,
  sessionId: Uint8Array,
  towards: 'server' | 'client',
  lengths: SecretLengths,
): DirectionSecrets {
  const derive = (letter: string, length: number) =>
    deriveKey(hash, secret, exchange, sessionId, letter, length);
  return towards === 'server'
    ? {
        iv: derive('A', lengths.ivBytes),
        key: derive('C', lengths.keyBytes),
        macKey: derive('E', lengths.macKeyBytes),
      }
    : {
        iv: derive('B', lengths.ivBytes),
        key: derive('D', lengths.keyBytes),
        macKey: derive('F', lengths.macKeyBytes),
      };
}

/** HASH(K || H || letter || session_id), extended by HASH(K || H || all so far) to the length wanted. */
function deriveKey(
  hash: string,
  secret: Uint8Array,
  exchange: Uint8Array,
  sessionId: Uint8Array,
  letter: string,
  length: number,
): Buffer {
  const key = Buffer.allocUnsafeSlow(length);
  if (length === 0) return key;
  const first = [secret, exchange, Buffer.from(letter, 'latin1'), sessionId];
  let filled = digestOfAll(hash, first).copy(key);
  while (filled < length) {
    filled += digestOfAll(hash, [secret, exchange, key.subarray(0, filled)]).copy(key, filled);
  }
  return key;
}

/** In one call: hash objects stay until garbage is collected, and a login makes many. */
function digestOfAll(hash: string, parts: readonly Uint8Array[]): Buffer {
  const bytes = Buffer.concat(parts);
  const digest = digestOf(hash, bytes, 'buffer');
  bytes.fill(0);
  return digest;
}

/** A digest is a view of a pooled slab; what lives as long as a connection must not keep one alive. */
function keptCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}
