import type { PublicKey } from '../keys/contract.ts';

export type CertificateKind = 'user' | 'host';

/** An OpenSSH certificate, parsed, its CA signature not yet judged (OpenSSH PROTOCOL.certkeys). */
export type Certificate = {
  readonly blob: Buffer;
  /** E.g. `ssh-ed25519-cert-v01@openssh.com`. */
  readonly type: string;
  /** The certified key. */
  readonly publicKey: PublicKey;
  readonly serial: bigint;
  readonly kind: CertificateKind;
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds since the epoch, inclusive. */
  readonly validAfter: bigint;
  /** Seconds since the epoch, exclusive; 2^64-1 means for ever. */
  readonly validBefore: bigint;
  readonly criticalOptions: ReadonlyMap<string, string>;
  readonly extensions: ReadonlyMap<string, string>;
  /** The CA that signed it. */
  readonly signatureKey: PublicKey;
  /** The CA's whole SSH signature blob. It is the last field, and covers everything in front of its length. */
  readonly signature: Buffer;
};

/** Why a certificate is not good for what was asked; a closed list. */
export type CertificateRefusal =
  | 'not-a-user-certificate'
  | 'not-a-host-certificate'
  | 'untrusted-authority'
  | 'bad-signature'
  | 'not-yet-valid'
  | 'expired'
  | 'no-principals'
  | 'principal-not-listed'
  | 'source-address-not-allowed'
  | 'unknown-critical-option';
