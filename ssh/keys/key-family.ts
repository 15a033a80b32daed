import { createPublicKey, hash, type JsonWebKey, type KeyObject, verify } from 'node:crypto';
import { WireReader } from '../wire/index.ts';
import type { SignatureAlgorithm, Verification } from './contract.ts';
import { KeyError } from './key-error.ts';
import { rawPublicKey, withoutStackTraces } from './raw-public-key.ts';

/** The fields of one key blob, checked. They are views of that blob. */
export type KeyFields = {
  /** Makes the KeyObject, or returns the one that checking the fields already made. */
  readonly keyObject: () => KeyObject;
  /** FIDO2 relying party, sk keys only (OpenSSH PROTOCOL.u2f). */
  readonly application?: Buffer;
};

/** What sets one key type apart. */
export type KeyFamily = {
  readonly type: string;
  readonly algorithms: readonly SignatureAlgorithm[];
  /** Length-prefixed fields behind the type in a key blob; the same ones stand in a certificate. */
  readonly fieldCount: number;
  /** Reads the fields behind the type; `known` saves making the KeyObject again. */
  readonly read: (fields: WireReader, known?: KeyObject) => KeyFields;
  /** Judges a signature, the reader standing behind its algorithm name. */
  readonly verify: (
    fields: KeyFields,
    algorithm: SignatureAlgorithm,
    data: Uint8Array,
    signature: WireReader,
  ) => Verification;
};

/** RFC 5656 §10.1 curves: SSH name, JWK name, bytes of a coordinate, and hash (§6.2.1). */
export type Curve = {
  readonly name: 'nistp256' | 'nistp384' | 'nistp521';
  readonly jwkName: string;
  readonly coordinateBytes: number;
  readonly hash: 'sha256' | 'sha384' | 'sha512';
};

const nistp256: Curve = { name: 'nistp256', jwkName: 'P-256', coordinateBytes: 32, hash: 'sha256' };

export const curves: readonly Curve[] = [
  nistp256,
  { name: 'nistp384', jwkName: 'P-384', coordinateBytes: 48, hash: 'sha384' },
  { name: 'nistp521', jwkName: 'P-521', coordinateBytes: 66, hash: 'sha512' },
];

const MIN_RSA_BITS = 2048;
const MAX_RSA_BITS = 16384;
/** OpenSSL's own bound for the exponent of large moduli; a larger one only makes verifying slow. */
const MAX_RSA_EXPONENT_BYTES = 8;
const ED25519_KEY_BYTES = 32;
const ED25519_SIGNATURE_BYTES = 64;
const MAX_APPLICATION_BYTES = 1024;
/** FIDO2 authenticator data flags. */
const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;

/** The family of a plain key type; `undefined` where it is not one we read. */
export function familyOf(type: string): KeyFamily | undefined {
  return families.get(type);
}

/** Hash behind an RSA signature algorithm (RFC 8332 §3). */
export function rsaHash(algorithm: SignatureAlgorithm): 'sha256' | 'sha512' {
  return algorithm === 'rsa-sha2-256' ? 'sha256' : 'sha512';
}

const ed25519: KeyFamily = {
  type: 'ssh-ed25519',
  algorithms: ['ssh-ed25519'],
  fieldCount: 1,
  read: (fields, known) => ({ keyObject: readEd25519(fields, known) }),
  verify(fields, _algorithm, data, signature) {
    const bytes = signature.string();
    signature.end();
    return { valid: verifyEd25519(fields.keyObject(), data, bytes) };
  },
};

const rsa: KeyFamily = {
  type: 'ssh-rsa',
  algorithms: ['rsa-sha2-512', 'rsa-sha2-256'],
  fieldCount: 2,
  read: (fields, known) => ({ keyObject: readRsa(fields, known) }),
  verify(fields, algorithm, data, signature) {
    const bytes = signature.string();
    signature.end();
    const key = fields.keyObject();
    const length = Math.ceil((key.asymmetricKeyDetails?.modulusLength ?? 0) / 8);
    if (bytes.length > length) return { valid: false };
    // Some peers write the number without its leading zero bytes; RFC 3447 wants the modulus' length.
    const padded = Buffer.alloc(length);
    bytes.copy(padded, length - bytes.length);
    return { valid: verify(rsaHash(algorithm), data, key, padded) };
  },
};

function ecdsa(curve: Curve, algorithm: SignatureAlgorithm): KeyFamily {
  return {
    type: algorithm,
    algorithms: [algorithm],
    fieldCount: 2,
    read: (fields, known) => ({ keyObject: readEcdsa(curve, fields, known) }),
    verify(fields, _algorithm, data, signature) {
      const body = new WireReader(signature.string());
      signature.end();
      return { valid: verifyEcdsa(curve, fields.keyObject(), data, body) };
    },
  };
}

const securityKeyEd25519: KeyFamily = {
  type: 'sk-ssh-ed25519@openssh.com',
  algorithms: ['sk-ssh-ed25519@openssh.com'],
  fieldCount: 2,
  read: (fields, known) => ({
    keyObject: readEd25519(fields, known),
    application: readApplication(fields),
  }),
  verify: (fields, _algorithm, data, signature) =>
    verifyAssertion(fields, data, signature, (message, body) => {
      return verifyEd25519(fields.keyObject(), message, body.rest());
    }),
};

const securityKeyEcdsa: KeyFamily = {
  type: 'sk-ecdsa-sha2-nistp256@openssh.com',
  algorithms: ['sk-ecdsa-sha2-nistp256@openssh.com'],
  fieldCount: 3,
  read: (fields, known) => ({
    keyObject: readEcdsa(nistp256, fields, known),
    application: readApplication(fields),
  }),
  verify: (fields, _algorithm, data, signature) =>
    verifyAssertion(fields, data, signature, (message, body) => {
      return verifyEcdsa(nistp256, fields.keyObject(), message, body);
    }),
};

const families: ReadonlyMap<string, KeyFamily> = new Map(
  [
    ed25519,
    ...curves.map((curve) => ecdsa(curve, `ecdsa-sha2-${curve.name}`)),
    rsa,
    securityKeyEd25519,
    securityKeyEcdsa,
  ].map((family) => [family.type, family]),
);

function readEd25519(fields: WireReader, known: KeyObject | undefined): () => KeyObject {
  const point = fields.string();
  if (point.length !== ED25519_KEY_BYTES)
    throw new KeyError(
      'malformed',
      `an ed25519 key has ${point.length} bytes instead of ${ED25519_KEY_BYTES}`,
    );
  return () => known ?? imported(() => rawPublicKey('ed25519', point));
}

/** The KeyObject is made at once: only that tells whether the point is on the curve. */
function readEcdsa(curve: Curve, fields: WireReader, known: KeyObject | undefined): () => KeyObject {
  const name = fields.string().toString('latin1');
  const point = fields.string();
  if (name !== curve.name)
    throw new KeyError('malformed', `an ecdsa key names another curve than its type, ${curve.name}`);
  const size = curve.coordinateBytes;
  // RFC 5656 §3.1 allows compressed points; OpenSSH does not, and neither do we.
  if (point.length !== 1 + 2 * size || point[0] !== 0x04)
    throw new KeyError('malformed', 'an ecdsa key is not an uncompressed point of its curve');
  const key =
    known ??
    fromJwk({
      kty: 'EC',
      crv: curve.jwkName,
      x: point.subarray(1, 1 + size).toString('base64url'),
      y: point.subarray(1 + size).toString('base64url'),
    });
  return () => key;
}

function readRsa(fields: WireReader, known: KeyObject | undefined): () => KeyObject {
  const exponent = fields.mpint();
  const modulus = fields.mpint();
  const bits = bitLength(modulus);
  if (bits > MAX_RSA_BITS)
    throw new KeyError('malformed', `an rsa key has ${bits} bits; at most ${MAX_RSA_BITS} are read`);
  if (bits < MIN_RSA_BITS)
    throw new KeyError(
      'weak',
      `an rsa key has ${bits} bits, at least ${MIN_RSA_BITS} are needed; make an ed25519 key`,
    );
  if (!isOdd(modulus)) throw new KeyError('malformed', 'an rsa modulus is even');
  if (exponent.length > MAX_RSA_EXPONENT_BYTES || !isOdd(exponent) || bitLength(exponent) < 2)
    throw new KeyError('malformed', 'an rsa exponent is not an odd number between 3 and 2^64');
  return () =>
    known ?? fromJwk({ kty: 'RSA', n: modulus.toString('base64url'), e: exponent.toString('base64url') });
}

function readApplication(fields: WireReader): Buffer {
  const application = fields.string();
  if (application.length > MAX_APPLICATION_BYTES)
    throw new KeyError('malformed', `a security key's application is over ${MAX_APPLICATION_BYTES} bytes`);
  return application;
}

function verifyEd25519(key: KeyObject, data: Uint8Array, signature: Buffer): boolean {
  return signature.length === ED25519_SIGNATURE_BYTES && verify(null, data, key, signature);
}

/** RFC 5656 §3.1.2: mpint r, mpint s. */
function verifyEcdsa(curve: Curve, key: KeyObject, data: Uint8Array, body: WireReader): boolean {
  const r = body.mpint();
  const s = body.mpint();
  body.end();
  const size = curve.coordinateBytes;
  if (r.length > size || s.length > size) return false;
  const joined = Buffer.alloc(2 * size);
  r.copy(joined, size - r.length);
  s.copy(joined, 2 * size - s.length);
  return verify(curve.hash, data, { key, dsaEncoding: 'ieee-p1363' }, joined);
}

/** OpenSSH PROTOCOL.u2f: the device signs hash(application), flags, counter, hash(data). */
function verifyAssertion(
  fields: KeyFields,
  data: Uint8Array,
  signature: WireReader,
  verifyBody: (message: Buffer, body: WireReader) => boolean,
): Verification {
  const body = new WireReader(signature.string());
  const tail = signature.raw(5);
  signature.end();
  const flags = tail.readUInt8(0);
  const counter = tail.readUInt32BE(1);
  const message = Buffer.concat([
    hash('sha256', fields.application ?? Buffer.alloc(0), 'buffer'),
    tail,
    hash('sha256', data, 'buffer'),
  ]);
  if (!verifyBody(message, body)) return { valid: false };
  return {
    valid: true,
    assertion: {
      userPresent: (flags & USER_PRESENT) !== 0,
      userVerified: (flags & USER_VERIFIED) !== 0,
      counter,
    },
  };
}

function fromJwk(key: JsonWebKey): KeyObject {
  return imported(() => withoutStackTraces(() => createPublicKey({ key, format: 'jwk' })));
}

function imported(read: () => KeyObject): KeyObject {
  try {
    return read();
  } catch (cause) {
    throw new KeyError('malformed', 'a public key is not a valid one of its type', { cause });
  }
}

function bitLength(magnitude: Buffer): number {
  const first = magnitude[0];
  return first === undefined ? 0 : magnitude.length * 8 - Math.clz32(first) + 24;
}

function isOdd(magnitude: Buffer): boolean {
  return ((magnitude.at(-1) ?? 0) & 1) === 1;
}
