import { type HostKeyAlgorithm, hostKeyAlgorithmNamed } from '../algorithms/index.ts';
import { parseCertificate } from '../certificate/index.ts';
import type { PublicKey } from '../keys/contract.ts';
import { parsePublicKey } from '../keys/index.ts';
import { WireReader } from '../wire/index.ts';
import type { HostKey } from './contract.ts';
import { TransportError } from './transport-error.ts';

/** The names of `preferred` that these host keys can be presented under. */
export function presentableAlgorithms(preferred: readonly string[], hostKeys: readonly HostKey[]): string[] {
  return preferred.filter((name) => hostKeyFor(name, hostKeys) !== undefined);
}

/** The key to present under an algorithm name, and the blob that goes with it. */
export function hostKeyFor(
  name: string,
  hostKeys: readonly HostKey[],
): { readonly hostKey: HostKey; readonly blob: Buffer; readonly algorithm: HostKeyAlgorithm } | undefined {
  const algorithm = hostKeyAlgorithmNamed(name);
  for (const hostKey of hostKeys) {
    const blob = algorithm.certified ? hostKey.certificate : hostKey.privateKey.publicKey.blob;
    if (blob !== undefined && blobType(blob) === algorithm.blobType) return { hostKey, blob, algorithm };
  }
  return undefined;
}

/**
 * Proves that the server holds the key it presents: the blob is of the negotiated type and the signature over H is by
 * it. Whether the key is the expected one is another question.
 *
 * @throws TransportError `key-exchange-failed`, KeyError, CertificateError, WireError.
 */
export function verifyHostKeyProof(name: string, blob: Buffer, hash: Buffer, signature: Buffer): void {
  const algorithm = hostKeyAlgorithmNamed(name);
  if (blobType(blob) !== algorithm.blobType)
    throw new TransportError(
      'key-exchange-failed',
      `the server presented something else than a ${name} host key`,
    );
  const key = presentedKey(algorithm, blob);
  if (!key.verify(hash, signature, [algorithm.signature]).valid)
    throw new TransportError('key-exchange-failed', "the server's signature over the key exchange is wrong");
}

function presentedKey(algorithm: HostKeyAlgorithm, blob: Buffer): PublicKey {
  if (!algorithm.certified) return parsePublicKey(blob);
  const certificate = parseCertificate(blob);
  if (certificate.kind !== 'host' || certificate.publicKey.type !== algorithm.keyType)
    throw new TransportError(
      'key-exchange-failed',
      'the server presented a certificate that is not for a host',
    );
  return certificate.publicKey;
}

function blobType(blob: Buffer): string {
  return new WireReader(blob).string().toString('latin1');
}
