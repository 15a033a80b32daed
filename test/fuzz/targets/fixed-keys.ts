import { createPrivateKey } from 'node:crypto';
import { type PrivateKey, parsePrivateKey } from '../../../ssh/keys/index.ts';

/** PKCS#8 of Ed25519 up to the 32 bytes of the seed (RFC 8410 §7). */
const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

/** An Ed25519 key that is the same in every run, so that kept inputs keep their meaning. */
function fixedKey(fill: number): PrivateKey {
  const key = createPrivateKey({
    key: Buffer.concat([prefix, Buffer.alloc(32, fill)]),
    format: 'der',
    type: 'pkcs8',
  });
  return parsePrivateKey(key.export({ format: 'pem', type: 'pkcs8' }).toString());
}

export const hostKey = fixedKey(1);
export const userKey = fixedKey(2);
export const authorityKey = fixedKey(3);
