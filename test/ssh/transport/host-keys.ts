import { mintCertificate } from '../../../ssh/certificate/index.ts';
import {
  generatePrivateKey,
  type PrivateKeyType,
  privateKeyAsRemoteSigner,
} from '../../../ssh/keys/index.ts';
import type { HostKey } from '../../../ssh/transport/index.ts';

export const hostAuthority = generatePrivateKey('ed25519');

/** A host key with a certificate for localhost. */
export async function certifiedHostKey(
  type: PrivateKeyType,
  kind: 'host' | 'user' = 'host',
): Promise<HostKey> {
  const privateKey = generatePrivateKey(type);
  const now = BigInt(Math.floor(Date.now() / 1000));
  const certificate = await mintCertificate(
    {
      kind,
      publicKey: privateKey.publicKey,
      keyId: 'gateway',
      serial: 1n,
      principals: ['localhost'],
      validAfter: now - 60n,
      validBefore: now + 3600n,
      nonce: Buffer.alloc(32, 1),
    },
    privateKeyAsRemoteSigner(hostAuthority),
  );
  return { privateKey, certificate };
}
