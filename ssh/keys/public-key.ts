import { hash, type JsonWebKey, type KeyObject } from 'node:crypto';
import { WireError, WireReader, WireWriter } from '../wire/index.ts';
import type { PublicKey, SignatureAlgorithm, Verification } from './contract.ts';
import { KeyError } from './key-error.ts';
import { curves, familyOf, type KeyFamily, type KeyFields } from './key-family.ts';
import { rawBytesOf } from './raw-public-key.ts';

/**
 * Reads an RFC 4253 §6.6 key blob. The blob is copied, so the input's memory may be reused.
 *
 * @throws KeyError `unsupported-type` (certificates too), `malformed` or `weak`.
 */
export function parsePublicKey(blob: Buffer): PublicKey {
  return provenKeys.get(blob.toString('latin1')) ?? fromOwnBlob(slowCopy(blob));
}

/**
 * Reads a key of a known plain type from its fields alone, as they stand inside a certificate; the reader is left behind them.
 *
 * @throws KeyError as `parsePublicKey`; WireError where the fields end too early.
 */
export function readPublicKeyFields(type: string, reader: WireReader): PublicKey {
  const family = supportedFamily(type);
  const blob = new WireWriter(512).string(type);
  for (let field = 0; field < family.fieldCount; field += 1) blob.string(reader.string());
  return fromOwnBlob(blob.finish());
}

/**
 * The SSH form of a node:crypto public key.
 *
 * @throws KeyError `unsupported-type` for other than Ed25519, RSA and the three NIST curves; `weak`.
 */
export function publicKeyFromKeyObject(key: KeyObject): PublicKey {
  switch (key.asymmetricKeyType) {
    case 'ed25519': {
      // `key` is not kept: a key made for one session only signs.
      return fromOwnBlob(new WireWriter(64).string('ssh-ed25519').string(rawBytesOf(key)).finish());
    }
    case 'ec':
      return ecdsaFromKeyObject(key);
    case 'rsa': {
      const { e, n } = key.export({ format: 'jwk' });
      return fromOwnBlob(
        new WireWriter(512).string('ssh-rsa').mpint(base64url(e)).mpint(base64url(n)).finish(),
        key,
      );
    }
    default:
      throw new KeyError(
        'unsupported-type',
        `a ${key.asymmetricKeyType ?? 'secret'} key is not usable for ssh; use ed25519, ecdsa or rsa`,
      );
  }
}

/** A JWK field's bytes. */
export function base64url(field: string | undefined): Buffer {
  if (field === undefined) throw new KeyError('malformed', 'a key lacks one of the numbers of its type');
  return Buffer.from(field, 'base64url');
}

function ecdsaFromKeyObject(key: KeyObject): PublicKey {
  const jwk: JsonWebKey = key.export({ format: 'jwk' });
  const curve = curves.find((each) => each.jwkName === jwk.crv);
  if (curve === undefined)
    throw new KeyError(
      'unsupported-type',
      'the curve of an ecdsa key has no ssh name; use nistp256, 384 or 521',
    );
  const point = Buffer.concat([Buffer.of(0x04), base64url(jwk.x), base64url(jwk.y)]);
  const blob = new WireWriter().string(`ecdsa-sha2-${curve.name}`).string(curve.name).string(point);
  return fromOwnBlob(blob.finish(), key);
}

/**
 * Keys that a signature was good for, by their blobs: the same few hosts and engineers come again and again, and reading and importing
 * a key costs a quarter of a verification with it. Whoever holds no key that is asked for can put nothing in here.
 */
const provenKeys = new Map<string, PublicKey>();
const maxProvenKeys = 1024;

function rememberProven(key: PublicKey): void {
  const name = key.blob.toString('latin1');
  if (provenKeys.has(name)) return;
  if (provenKeys.size >= maxProvenKeys) {
    const [oldest] = provenKeys.keys();
    if (oldest !== undefined) provenKeys.delete(oldest);
  }
  provenKeys.set(name, key);
}

/** `blob` is kept; it must be memory of its own. */
function fromOwnBlob(blob: Buffer, known?: KeyObject): PublicKey {
  try {
    const reader = new WireReader(blob);
    const family = supportedFamily(reader.string().toString('latin1'));
    const fields = family.read(reader, known);
    reader.end();
    return new SshPublicKey(blob, family, fields);
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new KeyError('malformed', `a public key's bytes do not encode one: ${cause.message}`, { cause });
  }
}

function supportedFamily(type: string): KeyFamily {
  const family = familyOf(type);
  if (family !== undefined) return family;
  const name = /^[\x21-\x7e]{1,64}$/.test(type) ? `"${type}"` : 'of an unreadable type';
  const advice = type.endsWith('-cert-v01@openssh.com')
    ? 'it is a certificate; give the plain public key'
    : 'use ed25519, ecdsa, rsa or a security key';
  throw new KeyError('unsupported-type', `a public key ${name} is not usable here: ${advice}`);
}

function slowCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** A class for its lazy parts: many keys are compared or minted into certificates and never verify anything. */
class SshPublicKey implements PublicKey {
  readonly blob: Buffer;
  readonly #family: KeyFamily;
  readonly #fields: KeyFields;
  #keyObject: KeyObject | undefined;
  #fingerprint: string | undefined;
  #proven = false;

  constructor(blob: Buffer, family: KeyFamily, fields: KeyFields) {
    this.blob = blob;
    this.#family = family;
    this.#fields = { ...fields, keyObject: () => (this.#keyObject ??= fields.keyObject()) };
  }

  get type(): string {
    return this.#family.type;
  }

  get algorithms(): readonly SignatureAlgorithm[] {
    return this.#family.algorithms;
  }

  get fingerprint(): string {
    this.#fingerprint ??= `SHA256:${hash('sha256', this.blob, 'base64').replace(/=+$/, '')}`;
    return this.#fingerprint;
  }

  verify(
    data: Uint8Array,
    signature: Buffer,
    allowed: readonly SignatureAlgorithm[] = this.algorithms,
  ): Verification {
    try {
      const reader = new WireReader(signature);
      const name = reader.string().toString('latin1');
      const algorithm = this.algorithms.find((each) => each === name);
      if (algorithm === undefined || !allowed.includes(algorithm)) return { valid: false };
      const verification = this.#family.verify(this.#fields, algorithm, data, reader);
      if (verification.valid && !this.#proven) {
        this.#proven = true;
        rememberProven(this);
      }
      return verification;
    } catch {
      // Whatever the bytes made the reader or OpenSSL say, nothing was proved.
      return { valid: false };
    }
  }
}
