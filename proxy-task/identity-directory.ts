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
    }
  | { readonly kind: 'nobody'; readonly why: 'unregistered-key' | CertificateRefusal };

export function createIdentityDirectory(
  sources: readonly IdentitySource[],
  authorities: readonly string[],
): IdentityDirectory {
  const byKey = new Map<string, Identity>();
  const byName = new Map<string, Identity>();
  for (const { keys, ...identity } of sources) {
    byName.set(identity.name, identity);
    for (const line of keys) byKey.set(parsePublicKeyLine(line).publicKey.blob.toString('base64'), identity);
  }
  const trusted: readonly PublicKey[] = authorities.map((line) => parsePublicKeyLine(line).publicKey);

  return {
    claimedBy(offered, sourceAddress, nowSeconds) {
      if (offered.kind === 'certificate')
        return claimedByCertificate(offered.certificate, byName, trusted, sourceAddress, nowSeconds);
      const identity = byKey.get(offered.publicKey.blob.toString('base64'));
      return identity === undefined
        ? { kind: 'nobody', why: 'unregistered-key' }
        : { kind: 'identity', identity, verifyRequired: false, touchRequired: true };
    },
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
