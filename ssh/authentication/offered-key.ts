import { CertificateError, parseCertificate } from '../certificate/index.ts';
import type { SignatureAlgorithm } from '../keys/contract.ts';
import { KeyError, parsePublicKey } from '../keys/index.ts';
import { WireError } from '../wire/index.ts';
import type { OfferedKey } from './contract.ts';
import { acceptedSignatureAlgorithms, certificateAlgorithmName, signatureUse } from './signature-use.ts';

export type KeyOffer =
  | { readonly readable: true; readonly offered: OfferedKey; readonly algorithm: SignatureAlgorithm }
  | { readonly readable: false; readonly why: string };

/** Parses the key of a publickey request and checks that the algorithm name fits it; nothing is proved by that. */
export function readKeyOffer(
  algorithmName: string,
  blob: Buffer,
  accepted: readonly SignatureAlgorithm[] = acceptedSignatureAlgorithms,
): KeyOffer {
  const use = signatureUse(algorithmName);
  if (use === undefined || !accepted.includes(use.algorithm))
    return { readable: false, why: 'signature algorithm not accepted' };
  let offered: OfferedKey;
  let type: string;
  try {
    if (use.certified) {
      const certificate = parseCertificate(blob);
      offered = { kind: 'certificate', publicKey: certificate.publicKey, certificate };
      type = certificate.type;
    } else {
      offered = { kind: 'key', publicKey: parsePublicKey(blob) };
      type = offered.publicKey.type;
    }
  } catch (error) {
    // Hostile or unsupported bytes: for the peer the same as a key nobody knows.
    if (!(error instanceof KeyError || error instanceof CertificateError || error instanceof WireError))
      throw error;
    return { readable: false, why: use.certified ? 'unreadable certificate' : 'unreadable key' };
  }
  const expectedType = use.certified ? certificateAlgorithmName(use.keyType) : use.keyType;
  if (type !== expectedType || offered.publicKey.type !== use.keyType)
    return { readable: false, why: 'signature algorithm does not fit the key' };
  return { readable: true, offered, algorithm: use.algorithm };
}
