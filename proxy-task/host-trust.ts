import type { HostTrust } from '#core/contract';
import {
  isCertificateType,
  type PublicKey,
  parseCertificate,
  parsePublicKey,
  parsePublicKeyLine,
  verifyCertificate,
} from '#ssh';

/** What the target presented, and whether the inventory vouches for it. */
export type HostVerdict =
  | {
      readonly trusted: true;
      readonly fingerprint: string;
      readonly type: string;
      readonly by: 'pinned' | 'authority';
    }
  | { readonly trusted: false; readonly fingerprint: string; readonly type: string; readonly why: string };

/** Host key algorithms worth offering: those under which the target can present what the inventory pins. */
export function hostKeyAlgorithms(trust: HostTrust, offered: readonly string[]): readonly string[] {
  if (trust.kind === 'authority') return offered.filter(isCertificateType);
  const types = new Set(trust.keys.map((line) => line.split(/\s+/, 1)[0] ?? ''));
  return offered.filter(
    (algorithm) => types.has(algorithm) || (algorithm.startsWith('rsa-sha2-') && types.has('ssh-rsa')),
  );
}

/** Judges the host key blob of a finished key exchange against the inventory. Pure; `nowSeconds` since the epoch. */
export function judgeHostKey(blob: Buffer, type: string, trust: HostTrust, nowSeconds: number): HostVerdict {
  return trust.kind === 'pinned'
    ? judgePinned(blob, trust.keys)
    : judgeCertified(blob, type, trust, nowSeconds);
}

function judgePinned(blob: Buffer, lines: readonly string[]): HostVerdict {
  const { fingerprint, type } = parsePublicKey(blob);
  const known = lines.some((line) => parsePublicKeyLine(line).publicKey.blob.equals(blob));
  if (known) return { trusted: true, fingerprint, type, by: 'pinned' };
  return { trusted: false, fingerprint, type, why: 'the host key is not one of those the inventory pins' };
}

function judgeCertified(
  blob: Buffer,
  type: string,
  trust: HostTrust & { kind: 'authority' },
  nowSeconds: number,
): HostVerdict {
  if (!isCertificateType(type)) {
    const { fingerprint } = parsePublicKey(blob);
    return {
      trusted: false,
      fingerprint,
      type,
      why: 'the target presents a plain host key where the inventory wants a host certificate',
    };
  }
  const certificate = parseCertificate(blob);
  const { fingerprint } = certificate.publicKey;
  const authorities: readonly PublicKey[] = trust.keys.map((line) => parsePublicKeyLine(line).publicKey);
  const refusals = trust.principals.map((principal) =>
    verifyCertificate(certificate, { kind: 'host', authorities, principal, nowSeconds }),
  );
  if (refusals.some((result) => result.ok)) return { trusted: true, fingerprint, type, by: 'authority' };
  const first = refusals[0];
  const why = first !== undefined && !first.ok ? first.refusal : 'no-principals';
  return { trusted: false, fingerprint, type, why: `its host certificate does not hold: ${why}` };
}
