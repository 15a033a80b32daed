import { createPublicKey, verify } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { Signer } from '../../core/contract/index.ts';

const digests: Readonly<Record<Signer['algorithm'], string | null>> = {
  ed25519: null,
  'ecdsa-p256-sha256': 'sha256',
};

/** What every Signer does. */
export function signerConformance(name: string, create: () => Promise<Signer>): void {
  describe(`${name} as a Signer`, () => {
    it.each([
      ['nothing', Buffer.alloc(0)],
      ['a line', Buffer.from('head of the chain\n')],
      ['a megabyte', Buffer.alloc(1024 * 1024, 7)],
    ])('signs %s so that the public key verifies it', async (_name, message) => {
      const signer = await create();
      const key = createPublicKey({ key: signer.publicKeySpki, format: 'der', type: 'spki' });

      const signature = await signer.sign(message);

      expect(verify(digests[signer.algorithm], message, key, signature)).toBe(true);
      const changed = Buffer.concat([message, Buffer.from('!')]);
      expect(verify(digests[signer.algorithm], changed, key, signature)).toBe(false);
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
