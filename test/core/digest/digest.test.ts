import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { digestKeyOf, isSignedBy, parseDigest, parseDigestKey } from '#core/digest';
import { signDigest } from '../../../core/digest/signature.ts';
import { newSigner, stream } from './sample-digests.ts';

const zeros = '0'.repeat(64);
const unsigned = {
  version: 1,
  stream,
  number: 1,
  kind: 'closing',
  periodStart: '2026-11-20T10:00:00.000Z',
  periodEnd: '2026-11-20T10:05:00.000Z',
  previousSha256: zeros,
  firstSeq: 1,
  lastSeq: 0,
  headHash: zeros,
  segments: [],
  recordings: [],
  streams: [],
} as const;

describe.each(['ed25519', 'ecdsa-p256-sha256'] as const)('a digest signed by %s', (algorithm) => {
  const signer = newSigner(algorithm);
  const key = digestKeyOf(signer.publicKeySpki);
  const keys = new Map(key === undefined ? [] : [[key.keyId, key]]);

  test('verifies with the public key alone, and with no other', async () => {
    const digest = parseDigest(await signDigest(signer, unsigned));
    const other = digestKeyOf(newSigner(algorithm).publicKeySpki);

    expect(digest.statement).toMatchObject({ ...unsigned, algorithm });
    expect(isSignedBy(digest, keys)).toBe(true);
    expect(isSignedBy(digest, new Map())).toBe(false);
    expect(other && isSignedBy(digest, new Map([[digest.statement.keyId, other]]))).toBe(false);
  });

  test('with any one bit changed is no digest, or not signed', async () => {
    const bytes = await signDigest(signer, unsigned);
    const original = parseDigest(bytes);
    const accepted: Buffer[] = [];

    for (let bit = 0; bit < bytes.length * 8; bit += 13) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      try {
        const digest = parseDigest(changed);
        if (isSignedBy(digest, keys)) accepted.push(digest.signature);
      } catch (error) {
        expect(error).toMatchObject({ code: 'invalid' });
      }
    }

    // Base64 has bits that carry nothing at its end.
    expect(accepted.filter((signature) => !signature.equals(original.signature))).toEqual([]);
    expect(accepted.length).toBeLessThan(2);
  });
});

test('a signature of one kind of key is not taken for one of the other', async () => {
  const digest = parseDigest(await signDigest(newSigner('ed25519'), unsigned));
  const other = digestKeyOf(newSigner('ecdsa-p256-sha256').publicKeySpki);

  expect(other && isSignedBy(digest, new Map([[digest.statement.keyId, other]]))).toBe(false);
});

test('only keys that can sign digests are taken', () => {
  expect(digestKeyOf('no key')).toBeUndefined();
  expect(digestKeyOf(Buffer.alloc(44))).toBeUndefined();
});

test('random bytes are no digest', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      expect(() => parseDigest(bytes)).toThrow(/^this is no digest/);
    }),
  );
});

test('a digest with anything before, between or behind its two lines is none', async () => {
  const text = (await signDigest(newSigner(), unsigned)).toString();
  const [statement = '', signature = ''] = text.split('\n');

  for (const bad of [
    '',
    statement,
    `${statement}\n`,
    `${statement}\n${signature}`,
    `${text}\n`,
    `${text}{}\n`,
    ` ${text}`,
    `${statement.replace(',', ', ')}\n${signature}\n`,
    `${statement.replace('"version":1', '"version":2')}\n${signature}\n`,
    `${statement.replace('{', '{"also":1,')}\n${signature}\n`,
    `${statement}\n{"signature":1}\n`,
  ])
    expect(() => parseDigest(Buffer.from(bad)), bad).toThrow(/^this is no digest/);
});

test('a key names day, stream and number, or nothing', () => {
  const key = 'digests/dt=2026-11-20/gateway/000000000007.json';

  expect(parseDigestKey(key)).toEqual({ date: '2026-11-20', stream: 'gateway', number: 7 });
  for (const bad of [`x${key}`, `${key}x`, key.replace('0', ''), key.replace('gateway', '..')])
    expect(parseDigestKey(bad)).toBeUndefined();
});
