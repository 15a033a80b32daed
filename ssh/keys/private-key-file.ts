import { createPrivateKey, type JsonWebKey, type KeyObject, randomInt } from 'node:crypto';
import { WireError, WireReader, WireWriter } from '../wire/index.ts';
import type { PrivateKey, PublicKey } from './contract.ts';
import { KeyError } from './key-error.ts';
import { curves } from './key-family.ts';
import { isPlainText } from './plain-text.ts';
import { keyObjectOf, privateKeyFromKeyObject } from './private-key.ts';
import { decryptSecret, tagBytesOf, wrongPassphrase } from './private-key-encryption.ts';
import { base64url, parsePublicKey } from './public-key.ts';
import { decodeBase64 } from './text-encoding.ts';

const MAX_TEXT_CHARACTERS = 64 * 1024;
const MAGIC = Buffer.from('openssh-key-v1\0', 'latin1');
/** Cipher block size of an unencrypted key file (OpenSSH PROTOCOL.key). */
const PADDING_BLOCK = 8;
/** That of AES. */
const ENCRYPTED_PADDING_BLOCK = 16;
const LINE_CHARACTERS = 70;

/**
 * Reads a private key: OpenSSH's own format (PROTOCOL.key), or PKCS#8, PKCS#1 and SEC1 in PEM. An encrypted one takes a good part of a
 * second, since its passphrase is made slow to guess.
 *
 * @throws KeyError `encrypted` (a passphrase is wanted, or another one), `unsupported-encryption`, `unsupported-type`, `weak` or `malformed`.
 */
export function parsePrivateKey(text: string, passphrase?: string): PrivateKey {
  if (text.length > MAX_TEXT_CHARACTERS)
    throw new KeyError('malformed', `a private key file is over ${MAX_TEXT_CHARACTERS} characters`);
  const label = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(text)?.[1];
  switch (label) {
    case 'OPENSSH PRIVATE KEY':
      return parseOpenSsh(text, passphrase);
    case 'PRIVATE KEY':
    case 'RSA PRIVATE KEY':
    case 'EC PRIVATE KEY':
      return parsePem(text);
    case 'ENCRYPTED PRIVATE KEY':
      return parseEncryptedPem(text, passphrase);
    default:
      throw new KeyError(
        'malformed',
        'this is not a private key in OpenSSH or PEM form; make one with ssh-keygen -t ed25519',
      );
  }
}

/**
 * Writes OpenSSH's own format (PROTOCOL.key), unencrypted: keep the file at mode 0600.
 *
 * @throws KeyError `not-exportable` for a key held elsewhere, `invalid-text` for a comment of several lines.
 */
export function formatPrivateKey(key: PrivateKey, comment: string): string {
  if (!isPlainText(comment))
    throw new KeyError('invalid-text', 'a key comment must be one line without control characters');
  const check = randomInt(2 ** 32);
  const secret = new WireWriter(1024).uint32(check).uint32(check).string(key.publicKey.type);
  writeSecretFields(secret, key);
  secret.string(comment);
  for (let pad = 1; secret.length % PADDING_BLOCK !== 0; pad += 1) secret.byte(pad);
  const file = new WireWriter(2048)
    .raw(MAGIC)
    .string('none')
    .string('none')
    .string('')
    .uint32(1)
    .string(key.publicKey.blob)
    .string(secret.finish())
    .finish();
  const lines = file.toString('base64').match(new RegExp(`.{1,${LINE_CHARACTERS}}`, 'g')) ?? [];
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join(
    '\n',
  );
}

function parsePem(text: string): PrivateKey {
  if (text.includes('Proc-Type: 4,ENCRYPTED')) throw encrypted();
  let keyObject: KeyObject;
  try {
    keyObject = createPrivateKey({ key: text, format: 'pem' });
  } catch (cause) {
    throw new KeyError('malformed', 'the private key between the PEM lines cannot be read', { cause });
  }
  return privateKeyFromKeyObject(keyObject);
}

function parseEncryptedPem(text: string, passphrase: string | undefined): PrivateKey {
  if (passphrase === undefined) throw encrypted();
  let keyObject: KeyObject;
  try {
    keyObject = createPrivateKey({ key: text, format: 'pem', passphrase });
  } catch (cause) {
    throw wrongPassphrase(cause);
  }
  return privateKeyFromKeyObject(keyObject);
}

function parseOpenSsh(text: string, passphrase: string | undefined): PrivateKey {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]*)-----END OPENSSH PRIVATE KEY-----/.exec(
    text,
  )?.[1];
  const file = body === undefined ? undefined : decodeBase64(body.replace(/\s+/g, ''));
  if (file === undefined || !file.subarray(0, MAGIC.length).equals(MAGIC))
    throw new KeyError('malformed', 'the private key between the OPENSSH lines cannot be read');
  try {
    return readOpenSsh(new WireReader(file, MAGIC.length), passphrase);
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    throw new KeyError('malformed', `a private key file is damaged: ${cause.message}`, { cause });
  }
}

function readOpenSsh(file: WireReader, passphrase: string | undefined): PrivateKey {
  const cipher = file.string().toString('latin1');
  const derivation = file.string().toString('latin1');
  const encryption = { cipher, derivation, derivationOptions: file.string() };
  const isEncrypted = cipher !== 'none' || derivation !== 'none';
  if (isEncrypted && passphrase === undefined) throw encrypted();
  const count = file.uint32();
  if (count !== 1) throw new KeyError('malformed', `a private key file holds ${count} keys instead of one`);
  const publicBlob = file.string();
  const sealed = file.string();
  const tag = isEncrypted ? file.raw(tagBytesOf(encryption)) : Buffer.alloc(0);
  file.end();
  const publicKey = parsePublicKey(publicBlob);
  if (!isEncrypted || passphrase === undefined) return readSecret(new WireReader(sealed), publicKey, false);
  const opened = decryptSecret(encryption, sealed, tag, passphrase);
  try {
    return readSecret(new WireReader(opened), publicKey, true);
  } finally {
    opened.fill(0);
  }
}

function readSecret(secret: WireReader, publicKey: PublicKey, wasEncrypted: boolean): PrivateKey {
  if (secret.uint32() !== secret.uint32()) {
    if (wasEncrypted) throw wrongPassphrase();
    throw new KeyError('malformed', 'a private key file is damaged: its check numbers differ');
  }
  const type = secret.string().toString('latin1');
  const keyObject = readSecretFields(type, secret);
  secret.string();
  if (
    secret.remaining >= (wasEncrypted ? ENCRYPTED_PADDING_BLOCK : PADDING_BLOCK) ||
    secret.rest().some((byte, index) => byte !== index + 1)
  )
    throw new KeyError('malformed', 'a private key file is damaged: its padding is not 1, 2, 3 ...');
  const key = privateKeyFromKeyObject(keyObject);
  if (!key.publicKey.blob.equals(publicKey.blob))
    throw new KeyError('malformed', 'the private and public halves of a key file do not belong together');
  return key;
}

function readSecretFields(type: string, secret: WireReader): KeyObject {
  if (type === 'ssh-ed25519') return readEd25519Secret(secret);
  if (type === 'ssh-rsa') return readRsaSecret(secret);
  const curve = curves.find((each) => type === `ecdsa-sha2-${each.name}`);
  if (curve === undefined)
    throw new KeyError(
      'unsupported-type',
      type.startsWith('sk-')
        ? "a security key's secret is on the device; use it through ssh or an agent"
        : 'a private key of this type is not usable here; use ed25519, ecdsa or rsa',
    );
  const name = secret.string().toString('latin1');
  const point = secret.string();
  const scalar = secret.mpint();
  const size = curve.coordinateBytes;
  if (name !== curve.name || point.length !== 1 + 2 * size || point[0] !== 0x04 || scalar.length > size)
    throw new KeyError('malformed', 'the numbers of an ecdsa private key do not fit its curve');
  return fromJwk({
    kty: 'EC',
    crv: curve.jwkName,
    x: point.subarray(1, 1 + size).toString('base64url'),
    y: point.subarray(1 + size).toString('base64url'),
    d: Buffer.concat([Buffer.alloc(size - scalar.length), scalar]).toString('base64url'),
  });
}

function readEd25519Secret(secret: WireReader): KeyObject {
  const point = secret.string();
  const seedAndPoint = secret.string();
  if (point.length !== 32 || seedAndPoint.length !== 64 || !seedAndPoint.subarray(32).equals(point))
    throw new KeyError('malformed', 'an ed25519 private key has not the length or the public half it should');
  return fromJwk({
    kty: 'OKP',
    crv: 'Ed25519',
    x: point.toString('base64url'),
    d: seedAndPoint.subarray(0, 32).toString('base64url'),
  });
}

function readRsaSecret(secret: WireReader): KeyObject {
  const n = secret.mpint();
  const e = secret.mpint();
  const d = secret.mpint();
  const qi = secret.mpint();
  const p = secret.mpint();
  const q = secret.mpint();
  const fields = { n, e, d, p, q, qi, dp: reduced(d, p), dq: reduced(d, q) };
  return fromJwk({
    kty: 'RSA',
    ...Object.fromEntries(Object.entries(fields).map(([name, bytes]) => [name, bytes.toString('base64url')])),
  });
}

/** `value mod (prime - 1)`: the exponents that PROTOCOL.key leaves out. */
function reduced(value: Buffer, prime: Buffer): Buffer {
  const modulus = toBigInt(prime) - 1n;
  if (modulus < 1n) throw new KeyError('malformed', 'a prime of an rsa private key is no prime');
  const hex = (toBigInt(value) % modulus).toString(16);
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex');
}

function toBigInt(magnitude: Buffer): bigint {
  return magnitude.length === 0 ? 0n : BigInt(`0x${magnitude.toString('hex')}`);
}

/** The fields of an Ed25519 private key as files and agents have them: public half, secret and public half. @throws KeyError `unsupported-type` */
export function ed25519SecretFields(key: PrivateKey): Buffer {
  if (key.publicKey.type !== 'ssh-ed25519')
    throw new KeyError('unsupported-type', 'an agent is given ed25519 keys alone; make one of these');
  const fields = new WireWriter();
  writeSecretFields(fields, key);
  return fields.finish();
}

function writeSecretFields(secret: WireWriter, key: PrivateKey): void {
  const keyObject = keyObjectOf(key);
  const jwk: JsonWebKey = keyObject.export({ format: 'jwk' });
  if (keyObject.asymmetricKeyType === 'ed25519') {
    const point = base64url(jwk.x);
    secret.string(point).string(Buffer.concat([base64url(jwk.d), point]));
    return;
  }
  if (keyObject.asymmetricKeyType === 'rsa') {
    for (const number of [jwk.n, jwk.e, jwk.d, jwk.qi, jwk.p, jwk.q]) secret.mpint(base64url(number));
    return;
  }
  // The public blob holds the curve's name and the point just as they stand here.
  const fields = new WireReader(key.publicKey.blob);
  fields.string();
  secret.string(fields.string()).string(fields.string()).mpint(base64url(jwk.d));
}

function fromJwk(key: JsonWebKey): KeyObject {
  try {
    return createPrivateKey({ key, format: 'jwk' });
  } catch (cause) {
    throw new KeyError('malformed', 'the numbers of a private key do not make a key', { cause });
  }
}

function encrypted(): KeyError {
  return new KeyError(
    'encrypted',
    'the private key has a passphrase; name the file that holds it (passphraseFile), or give a key without one (ssh-keygen -p -N "" -f FILE on a copy of mode 0600)',
  );
}
