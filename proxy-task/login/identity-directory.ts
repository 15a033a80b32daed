import { type FederatedIdentity, parseFederatedExtensions } from '#core/federation';
import {
  type Certificate,
  type CertificateRefusal,
  type OfferedKey,
  type PublicKey,
  parsePublicKeyLine,
  verifyCertificate,
} from '#ssh';

/** A person or service that may connect, as the configuration names it. */
export type Identity = {
  readonly name: string;
  readonly principalId: string;
  readonly type: 'person' | 'service';
  readonly groups: readonly string[];
  /** Base32; present when the identity has a second factor. */
  readonly totpSecret?: string;
  /** What IAM proved, where the identity comes from there. */
  readonly iam?: { readonly type: FederatedIdentity['type']; readonly arn: string };
};

export type IdentitySource = Identity & { readonly keys: readonly string[] };

/** Finds who a key speaks for. A key speaks for one identity at most; the configuration's check sees to that. */
export type IdentityDirectory = {
  /** Whose key this would be, before anything is proved. `nowSeconds` since the epoch. */
  claimedBy(offered: OfferedKey, sourceAddress: string, nowSeconds: number): Claim;
};

export type Claim =
  | {
      readonly kind: 'identity';
      readonly identity: Identity;
      readonly forceCommand?: string;
      readonly verifyRequired: boolean;
      readonly touchRequired: boolean;
      /** What whoever issued the certificate saw of a second factor. */
      readonly mfa?: { readonly method: string; readonly atMs: number };
    }
  | {
      readonly kind: 'nobody';
      readonly why: 'unregistered-key' | 'no-federated-identity' | 'name-taken' | CertificateRefusal;
    };

/** Certificates that carry an IAM identity, which no configuration need know by name. */
export type Federation = {
  /** Keys as `type base64`. */
  readonly authorities: readonly string[];
  readonly groupsOf: (arn: string) => readonly string[];
};

export function createIdentityDirectory(
  sources: readonly IdentitySource[],
  authorities: readonly string[],
  federation: Federation = { authorities: [], groupsOf: () => [] },
): IdentityDirectory {
  const byKey = new Map<string, Identity>();
  const byName = new Map<string, Identity>();
  for (const { keys, ...identity } of sources) {
    byName.set(identity.name, identity);
    for (const line of keys) byKey.set(parsePublicKeyLine(line).publicKey.blob.toString('base64'), identity);
  }
  const trusted = publicKeys(authorities);
  const federated = publicKeys(federation.authorities);

  return {
    claimedBy(offered, sourceAddress, nowSeconds) {
      if (offered.kind === 'certificate') {
        const { certificate } = offered;
        const isFederated = federated.some((key) => key.blob.equals(certificate.signatureKey.blob));
        return isFederated
          ? claimedByFederation(certificate, byName, federated, federation, sourceAddress, nowSeconds)
          : claimedByCertificate(certificate, byName, trusted, sourceAddress, nowSeconds);
      }
      const identity = byKey.get(offered.publicKey.blob.toString('base64'));
      return identity === undefined
        ? { kind: 'nobody', why: 'unregistered-key' }
        : { kind: 'identity', identity, verifyRequired: false, touchRequired: true };
    },
  };
}

function publicKeys(lines: readonly string[]): readonly PublicKey[] {
  return lines.map((line) => parsePublicKeyLine(line).publicKey);
}

/** The certificate itself says who it is, as IAM proved it. One that has the name of a configured identity speaks for nobody. */
function claimedByFederation(
  certificate: Certificate,
  byName: ReadonlyMap<string, Identity>,
  authorities: readonly PublicKey[],
  federation: Federation,
  sourceAddress: string,
  nowSeconds: number,
): Claim {
  const federated = parseFederatedExtensions(certificate.extensions, certificate.principals);
  if (federated === undefined) return { kind: 'nobody', why: 'no-federated-identity' };
  const { name, principalId, type, arn, mfa, provedAtMs } = federated;
  if (byName.has(name)) return { kind: 'nobody', why: 'name-taken' };
  const result = verifyCertificate(certificate, {
    kind: 'user',
    authorities,
    principal: name,
    sourceAddress,
    nowSeconds,
  });
  if (!result.ok) return { kind: 'nobody', why: result.refusal };
  return {
    kind: 'identity',
    identity: { name, principalId, type: 'person', groups: federation.groupsOf(arn), iam: { type, arn } },
    verifyRequired: result.verifyRequired,
    touchRequired: !result.noTouchRequired,
    ...(mfa.verified ? { mfa: { method: mfa.source, atMs: provedAtMs } } : {}),
    ...(result.forceCommand === undefined ? {} : { forceCommand: result.forceCommand }),
  };
}

/** A certificate speaks for the identity that one of its principals names. */
function claimedByCertificate(
  certificate: Certificate,
  byName: ReadonlyMap<string, Identity>,
  authorities: readonly PublicKey[],
  sourceAddress: string,
  nowSeconds: number,
): Claim {
  let why: CertificateRefusal =
    certificate.principals.length === 0 ? 'no-principals' : 'principal-not-listed';
  for (const principal of certificate.principals) {
    const identity = byName.get(principal);
    if (identity === undefined) continue;
    const result = verifyCertificate(certificate, {
      kind: 'user',
      authorities,
      principal,
      sourceAddress,
      nowSeconds,
    });
    if (!result.ok) {
      why = result.refusal;
      continue;
    }
    return {
      kind: 'identity',
      identity,
      verifyRequired: result.verifyRequired,
      touchRequired: !result.noTouchRequired,
      ...(result.forceCommand === undefined ? {} : { forceCommand: result.forceCommand }),
    };
  }
  return { kind: 'nobody', why };
}
