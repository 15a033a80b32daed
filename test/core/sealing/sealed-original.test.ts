import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  openOriginal,
  parseSealingKey,
  SealingError,
  type SealingErrorCode,
  sealingKeyOf,
  sealingKeyText,
  sealOriginal,
} from '../../../core/sealing/index.ts';

const context = 's-0123456789abcdef0123456789abcdef/c0';
const keys = {
  x25519: generateKeyPairSync('x25519').privateKey,
  p256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
};
const chunk = 64 * 1024;

function sealed(privateKey: KeyObject, parts: readonly Uint8Array[], seed = 7): Buffer {
  const sealer = sealOriginal({
    recipient: sealingKeyOf(privateKey),
    context,
    randomBytes: (size) => Buffer.alloc(size, seed),
  });
  return Buffer.concat([...parts.map((part) => sealer.update(part)), sealer.final()]);
}

function opened(privateKey: KeyObject, bytes: Uint8Array, pieceBytes = 50_000, of = context): Buffer {
  const opener = openOriginal({ privateKey, context: of });
  const parts: Buffer[] = [];
  for (let at = 0; at < bytes.length; at += pieceBytes)
    parts.push(opener.update(bytes.subarray(at, at + pieceBytes)));
  return Buffer.concat([...parts, opener.final()]);
}

function codeOf(work: () => unknown): SealingErrorCode | 'none' {
  try {
    work();
  } catch (error) {
    if (error instanceof SealingError) return error.code;
    throw error;
  }
  return 'none';
}

function damagedAt(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

describe.each(Object.entries(keys))('a sealed original, %s', (_suite, privateKey) => {
  it.each([0, 1, chunk - 1, chunk, chunk + 1, 3 * chunk, 200_001])(
    'opens to the %i bytes it was made of',
    (length) => {
      const original = Buffer.alloc(length, 'original ');

      const bytes = sealed(privateKey, [original.subarray(0, 5), original.subarray(5)]);

      expect(opened(privateKey, bytes).equals(original)).toBe(true);
      expect(bytes.includes('original original')).toBe(false);
    },
  );

  it('is the same however it was cut, and another for other randomness', () => {
    const original = Buffer.alloc(150_000, 'abc');
    const pieces = Array.from({ length: 15 }, (_, index) =>
      original.subarray(index * 10_000, (index + 1) * 10_000),
    );

    expect(sealed(privateKey, pieces)).toEqual(sealed(privateKey, [original]));
    expect(sealed(privateKey, pieces, 8)).not.toEqual(sealed(privateKey, [original]));
  });

  it('does not open when it was changed anywhere, is of something else, or for somebody else', () => {
    const bytes = sealed(privateKey, [Buffer.alloc(2 * chunk + 10, 'x')]);
    const header = bytes.length - (2 * chunk + 10 + 3 * 16);
    const other =
      privateKey.asymmetricKeyType === 'x25519'
        ? generateKeyPairSync('x25519').privateKey
        : generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

    for (const at of [header, header + 1, header + chunk + 16, bytes.length - 1])
      expect(codeOf(() => opened(privateKey, damagedAt(bytes, at)))).toBe('damaged');
    expect(codeOf(() => opened(privateKey, bytes, 1000, 'another'))).toBe('damaged');
    expect(codeOf(() => opened(other, bytes))).toBe('damaged');
    expect(codeOf(() => opened(privateKey, damagedAt(bytes, 0)))).toBe('not-sealed');
    expect(codeOf(() => opened(privateKey, damagedAt(bytes, header - 3)))).not.toBe('none');
  });

  it('does not open when chunks were removed, repeated, exchanged or added', () => {
    const bytes = sealed(privateKey, [Buffer.alloc(3 * chunk - 5, 'x')]);
    const headerBytes = bytes.length - (3 * chunk - 5 + 3 * 16);
    const head = bytes.subarray(0, headerBytes);
    const chunks = [0, 1, 2].map((n) =>
      bytes.subarray(headerBytes + n * (chunk + 16), headerBytes + (n + 1) * (chunk + 16)),
    );
    const of = (...numbers: number[]) =>
      Buffer.concat([head, ...numbers.map((n) => chunks[n] ?? Buffer.alloc(0))]);

    expect(codeOf(() => opened(privateKey, of(0, 1, 2)))).toBe('none');
    expect(codeOf(() => opened(privateKey, of(0, 1)))).toBe('truncated');
    expect(codeOf(() => opened(privateKey, head))).toBe('truncated');
    expect(codeOf(() => opened(privateKey, head.subarray(0, 30)))).toBe('truncated');
    for (const numbers of [[0, 2], [1, 0, 2], [0, 0, 1, 2], [2]])
      expect(codeOf(() => opened(privateKey, of(...numbers)))).toBe('damaged');
    expect(codeOf(() => opened(privateKey, Buffer.concat([of(0, 1, 2), Buffer.alloc(1)])))).toBe('damaged');
  });

  it('takes any bytes for a sealed original without another fault than its own', () => {
    const bytes = sealed(privateKey, [Buffer.from('x')]);

    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 0, max: bytes.length }),
        (random, kept) => {
          const result = codeOf(() =>
            opened(privateKey, Buffer.concat([bytes.subarray(0, kept), random]), 17),
          );
          expect(result === 'none').toBe(kept === bytes.length && random.length === 0);
        },
      ),
    );
  });

  it('reads its key as text', () => {
    const key = sealingKeyOf(privateKey);

    expect(parseSealingKey(sealingKeyText(key)).bytes).toEqual(key.bytes);
  });
});

describe('a sealing key', () => {
  it.each([
    ['nothing', ''],
    ['another kind', `ed25519:${Buffer.alloc(32, 1).toString('base64')}`],
    ['too few bytes', `x25519:${Buffer.alloc(31, 1).toString('base64')}`],
    ['too many bytes', `x25519:${Buffer.alloc(33, 1).toString('base64')}`],
    ['a compressed point', `p256:${Buffer.alloc(65, 2).toString('base64')}`],
    [
      'a point that is not on the curve',
      `p256:${Buffer.concat([Buffer.from([4]), Buffer.alloc(64, 7)]).toString('base64')}`,
    ],
    ['a PEM block', '-----BEGIN PUBLIC KEY-----'],
  ])('is not %s', (_what, text) => {
    expect(codeOf(() => parseSealingKey(text))).toBe('bad-key');
  });

  it('is refused where it is of small order', () => {
    const recipient = parseSealingKey(`x25519:${Buffer.alloc(32).toString('base64')}`);

    expect(
      codeOf(() => sealOriginal({ recipient, context, randomBytes: (size) => Buffer.alloc(size, 7) })),
    ).toBe('bad-key');
  });

  it('is not made of randomness that is none', () => {
    const recipient = sealingKeyOf(keys.p256);

    expect(codeOf(() => sealOriginal({ recipient, context, randomBytes: () => Buffer.alloc(3) }))).toBe(
      'bad-randomness',
    );
    expect(
      codeOf(() => sealOriginal({ recipient, context, randomBytes: (size) => Buffer.alloc(size) })),
    ).toBe('bad-randomness');
  });

  it('is not an RSA or Ed25519 key', () => {
    expect(
      codeOf(() => openOriginal({ privateKey: generateKeyPairSync('ed25519').privateKey, context })),
    ).toBe('bad-key');
  });
});

describe('the vectors', () => {
  const path = join(import.meta.dirname, '..', '..', 'vectors', 'redaction', 'sealed-original.json');
  const vectors = z
    .array(
      z.object({
        name: z.string(),
        privateKeyPkcs8: z.string(),
        ephemeral: z.string(),
        context: z.string(),
        original: z.string(),
        sealed: z.string(),
      }),
    )
    .parse(JSON.parse(readFileSync(path, 'utf8')));

  it.each(vectors)('$name', (vector) => {
    const privateKey = createPrivateKey({
      key: Buffer.from(vector.privateKeyPkcs8, 'hex'),
      format: 'der',
      type: 'pkcs8',
    });
    const sealer = sealOriginal({
      recipient: sealingKeyOf(privateKey),
      context: vector.context,
      randomBytes: () => Buffer.from(vector.ephemeral, 'hex'),
    });

    const bytes = Buffer.concat([sealer.update(Buffer.from(vector.original, 'utf8')), sealer.final()]);

    expect(bytes.toString('hex')).toBe(vector.sealed);
    expect(opened(privateKey, bytes, 1000, vector.context).toString('utf8')).toBe(vector.original);
  });
});
