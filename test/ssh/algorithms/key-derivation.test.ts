import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { deriveSecrets, exchangeHash } from '../../../ssh/algorithms/index.ts';

const secret = Buffer.from('0000000301aabb', 'hex');
const hash = Buffer.alloc(32, 1);
const sessionId = Buffer.alloc(32, 2);
const part = (text: string) => Buffer.from(text);
const sha256 = (...parts: Buffer[]) => createHash('sha256').update(Buffer.concat(parts)).digest();

describe('key derivation (RFC 4253 §7.2)', () => {
  it('uses letters A, C, E towards the server and B, D, F towards the client', () => {
    const lengths = { ivBytes: 12, keyBytes: 32, macKeyBytes: 32 };

    const toServer = deriveSecrets('sha256', secret, hash, sessionId, 'server', lengths);
    const toClient = deriveSecrets('sha256', secret, hash, sessionId, 'client', lengths);

    const expected = (letter: string, length: number) =>
      sha256(secret, hash, Buffer.from(letter), sessionId).subarray(0, length);
    expect(toServer).toEqual({ iv: expected('A', 12), key: expected('C', 32), macKey: expected('E', 32) });
    expect(toClient).toEqual({ iv: expected('B', 12), key: expected('D', 32), macKey: expected('F', 32) });
  });

  it('extends a key that is longer than the hash with what it has so far', () => {
    const lengths = { ivBytes: 0, keyBytes: 0, macKeyBytes: 80 };

    const { macKey } = deriveSecrets('sha256', secret, hash, sessionId, 'server', lengths);

    const first = sha256(secret, hash, Buffer.from('E'), sessionId);
    const second = sha256(secret, hash, first);
    const third = sha256(secret, hash, first, second);
    expect(macKey).toEqual(Buffer.concat([first, second, third]).subarray(0, 80));
  });
});

describe('the exchange hash (RFC 4253 §8)', () => {
  it('covers every part with its length, and the secret as it is encoded', () => {
    const digest = exchangeHash('sha256', {
      clientIdentification: part('SSH-2.0-a'),
      serverIdentification: part('SSH-2.0-bb'),
      clientInit: part('ci'),
      serverInit: part('si'),
      hostKey: part('k'),
      clientValue: part('e'),
      serverValue: part('f'),
      secret,
    });

    const string = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), part(text)]);
    const parts = ['SSH-2.0-a', 'SSH-2.0-bb', 'ci', 'si', 'k', 'e', 'f'].map(string);
    expect(digest).toEqual(sha256(...parts, secret));
  });
});
