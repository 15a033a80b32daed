import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Signer } from '../../core/contract/index.ts';

const digests: Readonly<Record<Signer['algorithm'], string | null>> = {
  ed25519: null,
  'ecdsa-p256-sha256': 'sha256',
};

const messages: readonly (readonly [string, Buffer])[] = [
  ['nothing', Buffer.alloc(0)],
  ['a line', Buffer.from('head of the chain\n')],
  ['a megabyte', Buffer.alloc(1024 * 1024, 7)],
];

/** What every Signer does. One that cannot sign messages of every length says which it can; it refuses the others. */
export function signerConformance(
  name: string,
  create: () => Promise<Signer>,
  { minMessageBytes = 0, maxMessageBytes = Number.POSITIVE_INFINITY } = {},
): void {
  const fits = ([, { length }]: (typeof messages)[number]) =>
    length >= minMessageBytes && length <= maxMessageBytes;
  const misfits = messages.filter((message) => !fits(message));

  describe(`${name} as a Signer`, () => {
    it.each(messages.filter(fits))('signs %s so that the public key verifies it', async (_name, message) => {
      const signer = await create();
      const key = createPublicKey({ key: signer.publicKeySpki, format: 'der', type: 'spki' });

      const signature = await signer.sign(message);

      expect(verify(digests[signer.algorithm], message, key, signature)).toBe(true);
      const changed = Buffer.concat([message, Buffer.from('!')]);
      expect(verify(digests[signer.algorithm], changed, key, signature)).toBe(false);
    });

    it.each(misfits)('refuses to sign %s', async (_name, message) => {
      const signer = await create();

      await expect(signer.sign(message)).rejects.toThrow(Error);
    });

    it('states the type of its key', async () => {
      const signer = await create();
      const key = createPublicKey({ key: signer.publicKeySpki, format: 'der', type: 'spki' });

      expect(key.asymmetricKeyType).toBe(signer.algorithm === 'ed25519' ? 'ed25519' : 'ec');
      const signature = await signer.sign(Buffer.from('x'));
      expect(signer.algorithm !== 'ed25519' || signature.length === 64).toBe(true);
    });
  });
}
