import { isPlainText, type PublicKey, type RemoteSigner } from '../keys/index.ts';
import { WireReader, WireWriter } from '../wire/index.ts';
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
import { certificateTypeFor } from './certificate-type.ts';
import type { CertificateKind } from './contract.ts';

/** Extensions that give a user certificate what an ordinary login has; each has an empty value (ssh-keygen(1), CERTIFICATES). */
export const userExtensions = [
  'permit-X11-forwarding',
  'permit-agent-forwarding',
  'permit-port-forwarding',
  'permit-pty',
  'permit-user-rc',
] as const;

export type CertificateSpec = {
  readonly kind: CertificateKind;
  /** The key to certify. */
  readonly publicKey: PublicKey;
  /** What the target's sshd writes to its log. */
  readonly keyId: string;
  readonly serial: bigint;
  /** At least one. Host names are written in lower case, as clients compare them. */
  readonly principals: readonly string[];
  /** Seconds since the epoch, inclusive. */
  readonly validAfter: bigint;
  /** Seconds since the epoch, exclusive. */
  readonly validBefore: bigint;
  /** An empty value stands for an option without one. */
  readonly criticalOptions?: ReadonlyMap<string, string>;
  /** Names alone, or names with values. */
  readonly extensions?: readonly string[] | ReadonlyMap<string, string>;
  /** 16 to 256 random bytes; they keep the holder of a key from choosing what is hashed. */
  readonly nonce: Uint8Array;
};

/**
 * Makes a certificate blob signed by `signer` (OpenSSH PROTOCOL.certkeys).
 *
 * @throws CertificateError `invalid-spec` before anything is signed; what the signer rejects with.
 */
export async function mintCertificate(spec: CertificateSpec, signer: RemoteSigner): Promise<Buffer> {
  const signed = writeSignedPart(spec, signer.publicKey);
  const signature = await signer.sign(signed);
  return new WireWriter(signed.length + signature.length + 4).raw(signed).string(signature).finish();
}

function writeSignedPart(spec: CertificateSpec, authority: PublicKey): Buffer {
  const type = certificateTypeFor(spec.publicKey.type);
  if (type === undefined) throw invalid(`a ${spec.publicKey.type} key cannot be certified`);
  checkNumbers(spec);
  checkText(spec.keyId, MAX_KEY_ID_BYTES, 'key id');
  const key = new WireReader(spec.publicKey.blob);
  key.string();
  const signed = new WireWriter(1024)
    .string(type)
    .string(spec.nonce)
    .raw(key.rest())
    .uint64(spec.serial)
    .uint32(kindNumbers[spec.kind])
    .string(spec.keyId)
    .string(encodePrincipals(spec))
    .uint64(spec.validAfter)
    .uint64(spec.validBefore)
    .string(encodeOptions(criticalOptionsOf(spec), 'critical option'))
    .string(encodeOptions(extensionsOf(spec), 'extension'))
    .string('')
    .string(authority.blob)
    .finish();
  if (signed.length > MAX_CERTIFICATE_BYTES / 2)
    throw invalid(
      `the certificate would be over ${MAX_CERTIFICATE_BYTES / 2} bytes; give fewer principals or options`,
    );
  return signed;
}

function checkNumbers(spec: CertificateSpec): void {
  for (const number of [spec.serial, spec.validAfter, spec.validBefore]) {
    if (number < 0n || number > 0xffff_ffff_ffff_ffffn)
      throw invalid('serial and validity must be unsigned 64-bit numbers');
  }
  if (spec.validAfter >= spec.validBefore) throw invalid('the certificate would end before it begins');
  if (spec.nonce.length < 16 || spec.nonce.length > MAX_NONCE_BYTES)
    throw invalid(`the nonce has ${spec.nonce.length} bytes; give 16 to ${MAX_NONCE_BYTES}`);
}

function encodePrincipals(spec: CertificateSpec): Buffer {
  const { kind, principals } = spec;
  if (principals.length === 0)
    throw invalid('a certificate needs at least one principal; one without would be good for everybody');
  if (principals.length > MAX_PRINCIPALS) throw invalid(`over ${MAX_PRINCIPALS} principals`);
  const encoded = new WireWriter();
  for (const principal of principals) {
    checkText(principal, MAX_PRINCIPAL_BYTES, 'principal');
    // Some verifiers match patterns; a name is never meant as one here.
    if (principal.trim() !== principal || principal === '' || /[*?]/.test(principal))
      throw invalid('a principal is empty, has space at an end, or holds a wildcard');
    encoded.string(kind === 'host' ? principal.toLowerCase() : principal);
  }
  return encoded.finish();
}

function criticalOptionsOf(spec: CertificateSpec): ReadonlyMap<string, string> {
  const options = spec.criticalOptions ?? new Map<string, string>();
  if (spec.kind === 'host' && options.size > 0)
    throw invalid('a host certificate has no critical options; clients refuse it with one');
  return options;
}

function extensionsOf(spec: CertificateSpec): ReadonlyMap<string, string> {
  const given = spec.extensions ?? [];
  if (!isNameList(given)) return given;
  const extensions = new Map(given.map((name) => [name, '']));
  if (extensions.size !== given.length) throw invalid('an extension is named twice');
  return extensions;
}

function isNameList(given: readonly string[] | ReadonlyMap<string, string>): given is readonly string[] {
  return Array.isArray(given);
}

/** Sorted by name, as PROTOCOL.certkeys asks; a value is wrapped in a string of its own. */
function encodeOptions(options: ReadonlyMap<string, string>, what: string): Buffer {
  if (options.size > MAX_OPTIONS) throw invalid(`over ${MAX_OPTIONS} of one kind: ${what}`);
  const encoded = new WireWriter();
  for (const name of [...options.keys()].sort()) {
    const value = options.get(name) ?? '';
    if (!/^[\x21-\x7e]+$/.test(name) || name.length > MAX_OPTION_NAME_BYTES)
      throw invalid(`the name of a ${what} must be printable ascii`);
    if (value.includes('\0') || !value.isWellFormed()) throw invalid(`the value of a ${what} must be text`);
    encoded.string(name).string(value === '' ? '' : new WireWriter().string(value).finish());
  }
  return encoded.finish();
}

function checkText(text: string, maxBytes: number, what: string): void {
  if (!isPlainText(text)) throw invalid(`a ${what} must be one line without control characters`);
  if (Buffer.byteLength(text) > maxBytes) throw invalid(`a ${what} is over ${maxBytes} bytes`);
}

function invalid(message: string): CertificateError {
  return new CertificateError('invalid-spec', `the certificate is not made: ${message}`);
}
