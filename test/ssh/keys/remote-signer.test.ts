import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  generatePrivateKey,
  parsePrivateKey,
  privateKeyAsRemoteSigner,
  type RemoteSigner,
  remoteSigner,
} from '../../../ssh/keys/index.ts';

const ed = generateKeyPairSync('ed25519');
const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const data = Buffer.from('a certificate to be signed');

function spki(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' });
}

function ecdsaSigner(answer: (message: Uint8Array) => Buffer): RemoteSigner {
  return remoteSigner({
    algorithm: 'ecdsa-p256-sha256',
    publicKeySpki: spki(ec.publicKey),
    sign: async (message) => answer(message),
  });
}

describe('a signer elsewhere', () => {
  test('with ed25519 gives ssh signatures of its raw ones', async () => {
    const signer = remoteSigner({
      algorithm: 'ed25519',
      publicKeySpki: spki(ed.publicKey),
      sign: async (message) => sign(null, message, ed.privateKey),
    });

    const signature = await signer.sign(data);

    expect(signer.publicKey.type).toBe('ssh-ed25519');
    expect(signer.publicKey.verify(data, signature)).toEqual({ valid: true });
  });

  test('with ecdsa gives ssh signatures of its DER ones, of every length', async () => {
    const signer = ecdsaSigner((message) => sign('sha256', message, ec.privateKey));
    const lengths = new Set<number>();

    for (let count = 0; count < 600; count += 1) {
      const message = Buffer.from(`message ${count}`);
      const signature = await signer.sign(message);
      lengths.add(signature.length);
      expect(signer.publicKey.verify(message, signature)).toEqual({ valid: true });
    }

    expect(lengths.size).toBeGreaterThan(2);
  });

  test('that signs with another key than the one named is found at its first signature', async () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

    const signature = ecdsaSigner((message) => sign('sha256', message, other)).sign(data);

    await expect(signature).rejects.toMatchObject({ name: 'KeyError', code: 'bad-signer' });
  });

  test('that signs a digest instead of the message is found too', async () => {
    const signer = remoteSigner({
      algorithm: 'ed25519',
      publicKeySpki: spki(ed.publicKey),
      sign: async (message) => sign(null, message.subarray(0, 8), ed.privateKey),
    });

    await expect(signer.sign(data)).rejects.toMatchObject({ code: 'bad-signer' });
  });

  test('whose answer is no DER signature is refused', async () => {
    const good = sign('sha256', data, ec.privateKey);
    const answers = [
      Buffer.alloc(0),
      Buffer.alloc(64, 1),
      good.subarray(0, -1),
      Buffer.concat([good, Buffer.of(0)]),
      Buffer.from('3006020180020101', 'hex'),
      Buffer.from('300402000200', 'hex'),
      Buffer.from('30060201010201', 'hex'),
      Buffer.from('3081060201010201', 'hex'),
    ];

    for (const answer of answers)
      await expect(ecdsaSigner(() => answer).sign(data)).rejects.toMatchObject({ code: 'bad-signer' });
  });

  test('whose ed25519 answer is not 64 bytes is refused', async () => {
    const signer = remoteSigner({
      algorithm: 'ed25519',
      publicKeySpki: spki(ed.publicKey),
      sign: async () => Buffer.alloc(63),
    });

    await expect(signer.sign(data)).rejects.toMatchObject({ code: 'bad-signer' });
  });

  test('that fails, fails with its own reason', async () => {
    const signer = remoteSigner({
      algorithm: 'ed25519',
      publicKeySpki: spki(ed.publicKey),
      sign: () => Promise.reject(new Error('throttled')),
    });

    await expect(signer.sign(data)).rejects.toThrow('throttled');
  });

  test.each([
    ['an ecdsa key for ed25519', 'ed25519', spki(ec.publicKey), 'unsupported-type'],
    ['an ed25519 key for ecdsa', 'ecdsa-p256-sha256', spki(ed.publicKey), 'unsupported-type'],
    [
      'a key of another curve',
      'ecdsa-p256-sha256',
      spki(generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey),
      'unsupported-type',
    ],
    ['bytes that are no key', 'ed25519', Buffer.alloc(44), 'malformed'],
  ] as const)('is not made of %s', (_name, algorithm, publicKeySpki, code) => {
    const make = () => remoteSigner({ algorithm, publicKeySpki, sign: async () => Buffer.alloc(64) });

    expect(make).toThrow(expect.objectContaining({ name: 'KeyError', code }));
  });
});

describe('a key held here in the place of one elsewhere', () => {
  const rsaPem = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    format: 'pem',
    type: 'pkcs8',
  });

  test.each([
    ['ed25519', generatePrivateKey('ed25519')],
    ['ecdsa', generatePrivateKey('ecdsa-p256')],
    ['rsa', parsePrivateKey(String(rsaPem))],
  ])('%s: signs with its first algorithm', async (_name, key) => {
    const signer = privateKeyAsRemoteSigner(key);
    const first = key.publicKey.algorithms.slice(0, 1);

    const signature = await signer.sign(data);

    expect(signer.publicKey).toBe(key.publicKey);
    expect(key.publicKey.verify(data, signature, first)).toEqual({ valid: true });
  });
});
