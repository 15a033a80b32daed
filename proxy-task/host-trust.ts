import type { HostTrust } from '#core/contract';
import {
  type AlgorithmPreferences,
  isCertificateType,
  type PublicKey,
  parseCertificate,
  parsePublicKey,
  parsePublicKeyLine,
  targetAlgorithms,
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
  | {
      readonly trusted: false;
      readonly fingerprint: string;
      readonly type: string;
      readonly why: string;
      /** Fingerprints of the keys, or of the authorities, that the inventory has. */
      readonly expected: readonly string[];
    };

/** What is worth offering to a target: host key algorithms under which it can present what the inventory pins. */
export function algorithmsFor(trust: HostTrust): AlgorithmPreferences {
  const known = offers.get(trust);
  if (known !== undefined) return known;
  const offer = { ...targetAlgorithms, hostKey: hostKeyAlgorithms(trust, targetAlgorithms.hostKey) };
  offers.set(trust, offer);
  return offer;
}

// Worked out once for a target: an inventory hands out the same trust for as long as nothing about it changes.
const offers = new WeakMap<HostTrust, AlgorithmPreferences>();
const parsed = new WeakMap<HostTrust, readonly PublicKey[]>();

function keysOf(trust: HostTrust): readonly PublicKey[] {
  const known = parsed.get(trust);
  if (known !== undefined) return known;
  const keys = trust.keys.map((line) => parsePublicKeyLine(line).publicKey);
  parsed.set(trust, keys);
  return keys;
}

function hostKeyAlgorithms(trust: HostTrust, offered: readonly string[]): readonly string[] {
  if (trust.kind === 'authority') return offered.filter(isCertificateType);
  const types = new Set(trust.keys.map((line) => line.split(/\s+/, 1)[0] ?? ''));
  return offered.filter(
    (algorithm) => types.has(algorithm) || (algorithm.startsWith('rsa-sha2-') && types.has('ssh-rsa')),
  );
}

/** Judges the host key blob of a finished key exchange against the inventory. Pure; `nowSeconds` since the epoch. */
export function judgeHostKey(blob: Buffer, type: string, trust: HostTrust, nowSeconds: number): HostVerdict {
  return trust.kind === 'pinned'
    ? judgePinned(blob, keysOf(trust))
    : judgeCertified(blob, type, trust, nowSeconds);
}

function judgePinned(blob: Buffer, pinned: readonly PublicKey[]): HostVerdict {
  const known = pinned.find((key) => key.blob.equals(blob));
  const { fingerprint, type } = known ?? parsePublicKey(blob);
  if (known !== undefined) return { trusted: true, fingerprint, type, by: 'pinned' };
  return {
    trusted: false,
    fingerprint,
    type,
    why: 'the host key is not one of those the inventory pins',
    expected: fingerprintsOf(pinned),
  };
}

function fingerprintsOf(keys: readonly PublicKey[]): readonly string[] {
  return keys.map(({ fingerprint }) => fingerprint);
}

function judgeCertified(
  blob: Buffer,
  type: string,
  trust: HostTrust & { kind: 'authority' },
  nowSeconds: number,
): HostVerdict {
  const authorities = keysOf(trust);
  const expected = fingerprintsOf(authorities);
  if (!isCertificateType(type)) {
    const { fingerprint } = parsePublicKey(blob);
    return {
      trusted: false,
      fingerprint,
      type,
      why: 'the target presents a plain host key where the inventory wants a host certificate',
      expected,
    };
  }
  const certificate = parseCertificate(blob);
  const { fingerprint } = certificate.publicKey;
  const refusals = trust.principals.map((principal) =>
    verifyCertificate(certificate, { kind: 'host', authorities, principal, nowSeconds }),
  );
  if (refusals.some((result) => result.ok)) return { trusted: true, fingerprint, type, by: 'authority' };
  const first = refusals[0];
  const why = first !== undefined && !first.ok ? first.refusal : 'no-principals';
  return { trusted: false, fingerprint, type, why: `its host certificate does not hold: ${why}`, expected };
}
