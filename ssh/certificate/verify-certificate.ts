import { hash } from 'node:crypto';
import type { PublicKey } from '../keys/index.ts';
import type { Certificate, CertificateKind, CertificateRefusal } from './contract.ts';
import { isSourceAllowed } from './source-address.ts';

/** What a certificate is asked to be good for. */
export type CertificateDemand = {
  readonly kind: CertificateKind;
  readonly authorities: readonly PublicKey[];
  /** A user's name, or a host's name in any case. Compared whole: no wildcards on either side. */
  readonly principal: string;
  /** The peer's address; without it a certificate bound to addresses is refused. */
  readonly sourceAddress?: string;
  /** Seconds since the epoch. */
  readonly nowSeconds: number;
};

export type CertificateVerdict =
  | {
      readonly ok: true;
      readonly forceCommand?: string;
      /** Signatures of the certified security key must say that the user was verified (PIN, fingerprint). */
      readonly verifyRequired: boolean;
      /** Signatures of the certified security key need not say that the user was present. */
      readonly noTouchRequired: boolean;
    }
  | { readonly ok: false; readonly refusal: CertificateRefusal };

/**
 * Judges a certificate by the rules of OpenSSH's PROTOCOL.certkeys, with the stricter reading where versions of OpenSSH
 * differ: a certificate without principals is good for nobody, and a CA on a security key must have been touched.
 */
export function verifyCertificate(certificate: Certificate, demand: CertificateDemand): CertificateVerdict {
  const refusal =
    kindRefusal(certificate, demand) ??
    signatureRefusal(certificate, demand.authorities) ??
    validityRefusal(certificate, demand.nowSeconds) ??
    principalRefusal(certificate, demand) ??
    criticalOptionRefusal(certificate, demand);
  if (refusal !== undefined) return { ok: false, refusal };
  const forceCommand = certificate.criticalOptions.get('force-command');
  return {
    ok: true,
    verifyRequired: certificate.criticalOptions.has('verify-required'),
    noTouchRequired: certificate.kind === 'user' && certificate.extensions.has('no-touch-required'),
    ...(forceCommand === undefined ? {} : { forceCommand }),
  };
}

function kindRefusal(certificate: Certificate, demand: CertificateDemand): CertificateRefusal | undefined {
  if (certificate.kind === demand.kind) return undefined;
  return demand.kind === 'user' ? 'not-a-user-certificate' : 'not-a-host-certificate';
}

function signatureRefusal(
  certificate: Certificate,
  authorities: readonly PublicKey[],
): CertificateRefusal | undefined {
  const { blob, signature, signatureKey } = certificate;
  // The configured key judges, not its copy in the certificate: it keeps its KeyObject between connections.
  const authority = authorities.find((each) => each.blob.equals(signatureKey.blob));
  if (authority === undefined) return 'untrusted-authority';
  // One login asks two or three times, and hosts show theirs at each connection.
  const proof = `${authority.fingerprint} ${hash('sha256', blob, 'base64')}`;
  if (proven.has(proof)) return undefined;
  const signed = blob.subarray(0, blob.length - signature.length - 4);
  const verification = authority.verify(signed, signature);
  if (!verification.valid || verification.assertion?.userPresent === false) return 'bad-signature';
  remember(proof);
  return undefined;
}

/** Certificates whose signature was found good, by the keys that signed them and their SHA-256. Says nothing of time or trust. */
const proven = new Set<string>();
const maxProven = 4096;

function remember(proof: string): void {
  if (proven.size >= maxProven) {
    const [oldest] = proven;
    if (oldest !== undefined) proven.delete(oldest);
  }
  proven.add(proof);
}

function validityRefusal(certificate: Certificate, nowSeconds: number): CertificateRefusal | undefined {
  const now = BigInt(Math.floor(nowSeconds));
  if (now < certificate.validAfter) return 'not-yet-valid';
  if (now >= certificate.validBefore) return 'expired';
  return undefined;
}

function principalRefusal(
  certificate: Certificate,
  demand: CertificateDemand,
): CertificateRefusal | undefined {
  if (certificate.principals.length === 0) return 'no-principals';
  const wanted = demand.kind === 'host' ? demand.principal.toLowerCase() : demand.principal;
  return certificate.principals.includes(wanted) ? undefined : 'principal-not-listed';
}

function criticalOptionRefusal(
  certificate: Certificate,
  demand: CertificateDemand,
): CertificateRefusal | undefined {
  for (const [name, value] of certificate.criticalOptions) {
    // No critical option is defined for hosts.
    if (certificate.kind === 'host') return 'unknown-critical-option';
    switch (name) {
      case 'source-address':
        if (!isSourceAllowed(value, demand.sourceAddress)) return 'source-address-not-allowed';
        break;
      case 'force-command':
        // An empty command would read as none at all further on.
        if (value === '') return 'unknown-critical-option';
        break;
      case 'verify-required':
        if (value !== '') return 'unknown-critical-option';
        break;
      default:
        return 'unknown-critical-option';
    }
  }
  return undefined;
}
