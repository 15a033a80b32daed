import { mintCertificate, userExtensions } from '../../../ssh/certificate/index.ts';
import { privateKeyAsRemoteSigner } from '../../../ssh/keys/index.ts';
import { authorityKey, hostKey, userKey } from './fixed-keys.ts';

/** 2027-01-15T08:00:00Z. */
export const nowSeconds = 1_800_000_000;

const signer = privateKeyAsRemoteSigner(authorityKey);
const validity = { validAfter: BigInt(nowSeconds - 60), validBefore: BigInt(nowSeconds + 60) };

export const userCertificate = await mintCertificate(
  {
    kind: 'user',
    publicKey: userKey.publicKey,
    keyId: 'session s-1 of engineer@example.com',
    serial: 41n,
    principals: ['engineer'],
    ...validity,
    criticalOptions: new Map([
      ['source-address', '192.0.2.0/24,2001:db8::/32'],
      ['force-command', 'true'],
    ]),
    extensions: userExtensions,
    nonce: Buffer.alloc(32, 5),
  },
  signer,
);

export const hostCertificate = await mintCertificate(
  {
    kind: 'host',
    publicKey: hostKey.publicKey,
    keyId: 'web-1',
    serial: 42n,
    principals: ['web-1'],
    ...validity,
    nonce: Buffer.alloc(32, 6),
  },
  signer,
);
