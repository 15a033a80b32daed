import { randomBytes } from 'node:crypto';
import {
  type CertificateDemand,
  type CertificateSpec,
  type CertificateVerdict,
  mintCertificate,
  parseCertificate,
  verifyCertificate,
} from '../../../ssh/certificate/index.ts';
import { generatePrivateKey, privateKeyAsRemoteSigner } from '../../../ssh/keys/index.ts';

/** 2027-01-15T08:00:00Z. */
export const nowSeconds = 1_800_000_000;

export const authority = generatePrivateKey('ed25519');
const authoritySigner = privateKeyAsRemoteSigner(authority);
export const subject = generatePrivateKey('ed25519');

/** A user certificate spec that is good for `engineer` now, with changes. */
export function specOf(changes: Partial<CertificateSpec> = {}): CertificateSpec {
  return {
    kind: 'user',
    publicKey: subject.publicKey,
    keyId: 'session s-1 of engineer@example.com',
    serial: 41n,
    principals: ['engineer'],
    validAfter: BigInt(nowSeconds - 60),
    validBefore: BigInt(nowSeconds + 60),
    nonce: randomBytes(32),
    ...changes,
  };
}

export function mint(changes: Partial<CertificateSpec> = {}): Promise<Buffer> {
  return mintCertificate(specOf(changes), authoritySigner);
}

export function judge(blob: Buffer, changes: Partial<CertificateDemand> = {}): CertificateVerdict {
  return verifyCertificate(parseCertificate(blob), {
    kind: 'user',
    authorities: [authority.publicKey],
    principal: 'engineer',
    nowSeconds,
    ...changes,
  });
}

/** `good`, or the reason against it. */
export function outcome(blob: Buffer, changes: Partial<CertificateDemand> = {}): string {
  const verdict = judge(blob, changes);
  return verdict.ok ? 'good' : verdict.refusal;
}
