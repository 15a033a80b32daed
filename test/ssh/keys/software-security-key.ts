import { generateKeyPairSync, hash, type JsonWebKey, type KeyObject, sign } from 'node:crypto';
import { type PublicKey, parsePublicKey, type RemoteSigner } from '../../../ssh/keys/index.ts';
import { WireWriter } from '../../../ssh/wire/index.ts';

export type SecurityKeyType = 'sk-ssh-ed25519@openssh.com' | 'sk-ecdsa-sha2-nistp256@openssh.com';

type Touch = { readonly userPresent: boolean; readonly userVerified: boolean; readonly counter: number };

/** A FIDO2 key in software: it signs what a device would (OpenSSH PROTOCOL.u2f). */
export type SoftwareSecurityKey = {
  readonly publicKey: PublicKey;
  sign(data: Uint8Array, touch: Touch): Buffer;
  /** A certificate authority on this key. */
  signer(touch: Touch): RemoteSigner;
};

export function softwareSecurityKey(type: SecurityKeyType, application = 'ssh:'): SoftwareSecurityKey {
  const pair =
    type === 'sk-ssh-ed25519@openssh.com'
      ? generateKeyPairSync('ed25519')
      : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const publicKey = parsePublicKey(encode(type, pair.publicKey.export({ format: 'jwk' }), application));
  const signWith = (data: Uint8Array, touch: Touch): Buffer => {
    const tail = Buffer.alloc(5);
    tail.writeUInt8((touch.userPresent ? 1 : 0) | (touch.userVerified ? 4 : 0), 0);
    tail.writeUInt32BE(touch.counter, 1);
    const message = Buffer.concat([
      hash('sha256', application, 'buffer'),
      tail,
      hash('sha256', data, 'buffer'),
    ]);
    return new WireWriter()
      .string(type)
      .string(signatureBody(type, message, pair.privateKey))
      .raw(tail)
      .finish();
  };
  return {
    publicKey,
    sign: signWith,
    signer: (touch) => ({ publicKey, sign: async (data) => signWith(data, touch) }),
  };
}

function encode(type: SecurityKeyType, jwk: JsonWebKey, application: string): Buffer {
  const x = Buffer.from(jwk.x ?? '', 'base64url');
  const blob = new WireWriter().string(type);
  if (type === 'sk-ssh-ed25519@openssh.com') return blob.string(x).string(application).finish();
  const y = Buffer.from(jwk.y ?? '', 'base64url');
  return blob
    .string('nistp256')
    .string(Buffer.concat([Buffer.of(4), x, y]))
    .string(application)
    .finish();
}

function signatureBody(type: SecurityKeyType, message: Buffer, key: KeyObject): Buffer {
  if (type === 'sk-ssh-ed25519@openssh.com') return sign(null, message, key);
  const joined = sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' });
  return new WireWriter().mpint(joined.subarray(0, 32)).mpint(joined.subarray(32)).finish();
}
