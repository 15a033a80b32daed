import { createECDH, createPrivateKey } from 'node:crypto';
import { type PrivateKey, parsePrivateKey } from '../../../ssh/keys/index.ts';
import { WireWriter } from '../../../ssh/wire/index.ts';

/** PKCS#8 of Ed25519 up to the 32 bytes of the seed (RFC 8410 §7). */
const prefix = Buffer.from('302e020100300506032b657004220420', 'hex');

export const hostKey = fixedKey(1);
export const userKey = fixedKey(2);
export const authorityKey = fixedKey(3);
export const ecdsaKey = fixedEcdsaKey();

/** One key blob of each family. The RSA modulus is no product of primes that anybody knows. */
export const publicKeyBlobs: readonly Buffer[] = [
  userKey.publicKey.blob,
  ecdsaKey.publicKey.blob,
  new WireWriter()
    .string('ssh-rsa')
    .string(Buffer.of(1, 0, 1))
    .string(Buffer.concat([Buffer.of(0), Buffer.alloc(384, 0xc5)]))
    .finish(),
  new WireWriter()
    .string('sk-ssh-ed25519@openssh.com')
    .string(userKey.publicKey.blob.subarray(-32))
    .string('ssh:')
    .finish(),
  new WireWriter()
    .string('sk-ecdsa-sha2-nistp256@openssh.com')
    .string('nistp256')
    .string(ecdsaKey.publicKey.blob.subarray(-65))
    .string('ssh:')
    .finish(),
];

/** An Ed25519 key that is the same in every run, so that kept inputs keep their meaning. */
function fixedKey(fill: number): PrivateKey {
  const key = createPrivateKey({
    key: Buffer.concat([prefix, Buffer.alloc(32, fill)]),
    format: 'der',
    type: 'pkcs8',
  });
  return parsePrivateKey(key.export({ format: 'pem', type: 'pkcs8' }).toString());
}

function fixedEcdsaKey(): PrivateKey {
  const secret = Buffer.alloc(32, 4);
  const pair = createECDH('prime256v1');
  pair.setPrivateKey(secret);
  const point = pair.getPublicKey();
  const key = createPrivateKey({
    format: 'jwk',
    key: {
      kty: 'EC',
      crv: 'P-256',
      d: secret.toString('base64url'),
      x: point.subarray(1, 33).toString('base64url'),
      y: point.subarray(33).toString('base64url'),
    },
  });
  return parsePrivateKey(key.export({ format: 'pem', type: 'pkcs8' }).toString());
}
