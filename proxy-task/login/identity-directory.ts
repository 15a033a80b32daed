import { addressMatcher } from '#core/configuration';
import { type FederatedIdentity, parseFederatedExtensions, parseIssuedProof } from '#core/federation';
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

export type IdentitySource = Identity & {
  readonly keys: readonly string[];
  /** Addresses and ranges it may come from; any where absent. */
  readonly sources?: readonly string[];
};

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
      /** False where the identity is pinned to other addresses: whoever signs then has a key that is not theirs to use here. */
      readonly sourceAllowed: boolean;
      /** What whoever issued the certificate saw of a second factor. */
      readonly mfa?: { readonly method: string; readonly atMs: number };
    }
  | {
      readonly kind: 'nobody';
      readonly why:
        | 'unregistered-key'
        | 'no-federated-identity'
        | 'name-taken'
        | 'service-without-its-key'
        | 'unreadable-proof'
        | CertificateRefusal;
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
  /** Our own authorities of engineers: what their certificates say of a second factor was seen here. */
  ownAuthorities: readonly string[] = [],
): IdentityDirectory {
  const byKey = new Map<string, Known>();
  const byName = new Map<string, Known>();
  for (const { keys, sources: ranges, ...identity } of sources) {
    const known = { identity, mayComeFrom: ranges === undefined ? () => true : addressMatcher(ranges) };
    byName.set(identity.name, known);
    for (const line of keys) byKey.set(parsePublicKeyLine(line).publicKey.blob.toString('base64'), known);
  }
  const own = publicKeys(ownAuthorities);
  const trusted = [...own, ...publicKeys(authorities)];
  const federated = publicKeys(federation.authorities);

  return {
    claimedBy(offered, sourceAddress, nowSeconds) {
      if (offered.kind === 'certificate') {
        const { certificate } = offered;
        return isSignedByOne(certificate, federated)
          ? claimedByFederation(certificate, byName, federated, federation, sourceAddress, nowSeconds)
          : claimedByCertificate(certificate, byName, { own, trusted }, sourceAddress, nowSeconds);
      }
      const known = byKey.get(offered.publicKey.blob.toString('base64'));
      if (known === undefined) return { kind: 'nobody', why: 'unregistered-key' };
      return {
        kind: 'identity',
        identity: known.identity,
        verifyRequired: false,
        touchRequired: true,
        sourceAllowed: known.mayComeFrom(sourceAddress),
      };
    },
  };
}

type Known = { readonly identity: Identity; readonly mayComeFrom: (address: string) => boolean };

function isSignedByOne({ signatureKey }: Certificate, authorities: readonly PublicKey[]): boolean {
  return authorities.some((key) => key.blob.equals(signatureKey.blob));
}

function publicKeys(lines: readonly string[]): readonly PublicKey[] {
  return lines.map((line) => parsePublicKeyLine(line).publicKey);
}

/** The certificate itself says who it is, as IAM proved it. One that has the name of a configured identity speaks for nobody. */
function claimedByFederation(
  certificate: Certificate,
  byName: ReadonlyMap<string, Known>,
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
    sourceAllowed: true,
    ...(mfa.verified ? { mfa: { method: mfa.source, atMs: provedAtMs } } : {}),
    ...(result.forceCommand === undefined ? {} : { forceCommand: result.forceCommand }),
  };
}

/** A certificate speaks for the identity that one of its principals names; for a service, its registered keys alone do. */
function claimedByCertificate(
  certificate: Certificate,
  byName: ReadonlyMap<string, Known>,
  authorities: { readonly own: readonly PublicKey[]; readonly trusted: readonly PublicKey[] },
  sourceAddress: string,
  nowSeconds: number,
): Claim {
  let why: Extract<Claim, { kind: 'nobody' }>['why'] =
    certificate.principals.length === 0 ? 'no-principals' : 'principal-not-listed';
  for (const principal of certificate.principals) {
    const known = byName.get(principal);
    if (known === undefined) continue;
    const result = verifyCertificate(certificate, {
      kind: 'user',
      authorities: authorities.trusted,
      principal,
      sourceAddress,
      nowSeconds,
    });
    if (!result.ok) {
      why = result.refusal;
      continue;
    }
    if (known.identity.type === 'service') {
      why = 'service-without-its-key';
      continue;
    }
    const isOwn = isSignedByOne(certificate, authorities.own);
    const issued: ReturnType<typeof parseIssuedProof> = isOwn
      ? parseIssuedProof(certificate.extensions)
      : { ok: true };
    if (!issued.ok) return { kind: 'nobody', why: 'unreadable-proof' };
    return {
      kind: 'identity',
      identity: known.identity,
      verifyRequired: result.verifyRequired,
      touchRequired: !result.noTouchRequired,
      sourceAllowed: known.mayComeFrom(sourceAddress),
      ...(issued.proof === undefined ? {} : { mfa: issued.proof }),
      ...(result.forceCommand === undefined ? {} : { forceCommand: result.forceCommand }),
    };
  }
  return { kind: 'nobody', why };
}
