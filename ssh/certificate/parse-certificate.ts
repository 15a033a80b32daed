import { isPlainText, KeyError, type PublicKey, parsePublicKey, readPublicKeyFields } from '../keys/index.ts';
import { WireError, WireReader } from '../wire/index.ts';
import { CertificateError } from './certificate-error.ts';
import {
  kindNumbers,
  MAX_CERTIFICATE_BYTES,
  MAX_KEY_ID_BYTES,
  MAX_NONCE_BYTES,
  MAX_OPTION_NAME_BYTES,
  MAX_OPTIONS,
  MAX_PRINCIPAL_BYTES,
  MAX_PRINCIPALS,
} from './certificate-limits.ts';
import { certifiedTypeOf } from './certificate-type.ts';
import type { Certificate, CertificateKind } from './contract.ts';

/**
 * Reads an OpenSSH certificate (PROTOCOL.certkeys). The blob is copied. Nothing is judged yet: see `verifyCertificate`.
 *
 * @throws CertificateError `unsupported-type`, `malformed`, `too-large` or `weak`.
 */
export function parseCertificate(blob: Buffer): Certificate {
  if (blob.length > MAX_CERTIFICATE_BYTES)
    throw new CertificateError('too-large', `a certificate is over ${MAX_CERTIFICATE_BYTES} bytes`);
  const own = Buffer.allocUnsafeSlow(blob.length);
  blob.copy(own);
  try {
    return readCertificate(own);
  } catch (cause) {
    if (cause instanceof WireError)
      throw new CertificateError('malformed', `a certificate is damaged: ${cause.message}`, { cause });
    if (cause instanceof KeyError)
      throw new CertificateError(
        cause.code === 'weak' ? 'weak' : 'malformed',
        `a key in a certificate is not usable: ${cause.message}`,
        { cause },
      );
    throw cause;
  }
}

function readCertificate(blob: Buffer): Certificate {
  const reader = new WireReader(blob);
  const type = reader.string().toString('latin1');
  const plainType = certifiedTypeOf(type);
  if (plainType === undefined)
    throw new CertificateError(
      'unsupported-type',
      'this is not an ssh certificate of a key type that is read here',
    );
  limit(reader.string(), MAX_NONCE_BYTES, 'nonce');
  const publicKey = readPublicKeyFields(plainType, reader);
  const serial = reader.uint64();
  const kind = readKind(reader.uint32());
  const keyId = readPlainText(reader, MAX_KEY_ID_BYTES, 'key id');
  const principals = readPrincipals(reader.string());
  const validAfter = reader.uint64();
  const validBefore = reader.uint64();
  const criticalOptions = readOptions(reader.string(), 'critical option');
  const extensions = readOptions(reader.string(), 'extension');
  // `reserved`, ignored in this version of the format.
  reader.string();
  const signatureKey = readSignatureKey(reader.string());
  const signature = reader.string();
  reader.end();
  return {
    blob,
    type,
    publicKey,
    serial,
    kind,
    keyId,
    principals,
    validAfter,
    validBefore,
    criticalOptions,
    extensions,
    signatureKey,
    signature,
  };
}

function readKind(number: number): CertificateKind {
  if (number === kindNumbers.user) return 'user';
  if (number === kindNumbers.host) return 'host';
  throw new CertificateError('malformed', 'a certificate is neither for a user nor for a host');
}

/** A CA is a plain key: chains of certificates are not part of the format. */
function readSignatureKey(blob: Buffer): PublicKey {
  try {
    return parsePublicKey(blob);
  } catch (cause) {
    if (!(cause instanceof KeyError)) throw cause;
    throw new CertificateError(
      cause.code === 'weak' ? 'weak' : 'malformed',
      `the authority's key in a certificate is not usable: ${cause.message}`,
      { cause },
    );
  }
}

function readPrincipals(bytes: Buffer): string[] {
  const reader = new WireReader(bytes);
  const principals: string[] = [];
  while (reader.remaining > 0) {
    if (principals.length === MAX_PRINCIPALS)
      throw new CertificateError('too-large', `a certificate has over ${MAX_PRINCIPALS} principals`);
    const principal = readPlainText(reader, MAX_PRINCIPAL_BYTES, 'principal');
    if (principal === '') throw new CertificateError('malformed', 'a certificate has an empty principal');
    principals.push(principal);
  }
  return principals;
}

/** Names in lexical order, each once; the value is empty or wraps one string. */
function readOptions(bytes: Buffer, what: string): Map<string, string> {
  const reader = new WireReader(bytes);
  const options = new Map<string, string>();
  let previous = '';
  while (reader.remaining > 0) {
    if (options.size === MAX_OPTIONS)
      throw new CertificateError('too-large', `a certificate has over ${MAX_OPTIONS} of one kind: ${what}`);
    const name = limit(reader.string(), MAX_OPTION_NAME_BYTES, what).toString('latin1');
    if (!/^[\x21-\x7e]+$/.test(name))
      throw new CertificateError('malformed', `the name of a certificate's ${what} is not printable ascii`);
    if (name <= previous)
      throw new CertificateError('malformed', `a certificate's ${what} stands twice or out of order`);
    options.set(name, readOptionValue(reader.string(), what));
    previous = name;
  }
  return options;
}

function readOptionValue(bytes: Buffer, what: string): string {
  if (bytes.length === 0) return '';
  const reader = new WireReader(bytes);
  const value = reader.text();
  reader.end();
  if (value.includes('\0'))
    throw new CertificateError('malformed', `the value of a certificate's ${what} has a zero byte`);
  return value;
}

function readPlainText(reader: WireReader, maxBytes: number, what: string): string {
  const text = reader.text();
  if (Buffer.byteLength(text) > maxBytes)
    throw new CertificateError('too-large', `a certificate's ${what} is over ${maxBytes} bytes`);
  if (!isPlainText(text))
    throw new CertificateError('malformed', `a certificate's ${what} has a control character`);
  return text;
}

function limit(bytes: Buffer, maxBytes: number, what: string): Buffer {
  if (bytes.length > maxBytes)
    throw new CertificateError('too-large', `a certificate's ${what} is over ${maxBytes} bytes`);
  return bytes;
}
