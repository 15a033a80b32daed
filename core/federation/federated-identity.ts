/** Where the fact that a caller has MFA comes from. `identity-center-asserted`: the account's owner says so, nobody saw it. */
export type MfaSource = 'iam' | 'identity-center-asserted' | 'none';

/** Who IAM proved to be calling. */
export type IamCaller = {
  readonly arn: string;
  readonly accountId: string;
  /** `AIDA...` of a user, `AROA...:session name` of a role. */
  readonly principalId: string;
  readonly type: 'IAMUser' | 'AssumedRole' | 'IdentityCenterUser';
  /** What events, policies and the certificate's principal call the person. */
  readonly name: string;
  /** The user's or role's name. */
  readonly role: string;
};

/** What a certificate of the engineers' authority says beyond its principal. */
export type FederatedIdentity = IamCaller & {
  readonly mfa: { readonly verified: boolean; readonly source: MfaSource };
  /** When IAM proved it, milliseconds since the epoch. */
  readonly provedAtMs: number;
};

const arnPattern =
  /^arn:aws(?:-cn|-us-gov)?:(iam|sts)::([0-9]{12}):(user|assumed-role)\/([\w+=,.@/-]{1,512})$/;
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,127}$/;
const identityCenterRole = /^AWSReservedSSO_([\w+=,.@-]+)_[0-9a-f]{16}$/;

/**
 * The identity behind an ARN as API Gateway reports it, or why there is none. Whoever assumes a role chooses the session's name,
 * so outside Identity Center, which sets it to the person's, the role's name is a part of the identity's.
 */
export function identityFromArn(
  arn: string,
  principalId: string,
): { readonly ok: true; readonly caller: IamCaller } | { readonly ok: false; readonly message: string } {
  const match = arnPattern.exec(arn);
  const [, service, accountId = '', kind, path = ''] = match ?? [];
  if (match === null || (service === 'iam') !== (kind === 'user'))
    return no(`${JSON.stringify(arn.slice(0, 200))} is not the ARN of a user or an assumed role`);
  const parts = path.split('/');
  if (kind === 'user') {
    const name = parts.at(-1) ?? '';
    return checked({ arn, accountId, principalId, type: 'IAMUser', name, role: name });
  }
  const [role = '', session = ''] = parts;
  if (parts.length !== 2) return no('the ARN of an assumed role has a role and a session name');
  const person = identityCenterRole.test(role);
  return checked({
    arn,
    accountId,
    principalId,
    type: person ? 'IdentityCenterUser' : 'AssumedRole',
    name: person ? session : `${role}+${session}`,
    role,
  });
}

/** Extensions of the certificate. Names under a domain of ours are ignored by OpenSSH (PROTOCOL.certkeys). */
export function federatedExtensions(identity: FederatedIdentity): ReadonlyMap<string, string> {
  return new Map([
    ['arn@sshtrail', identity.arn],
    ['mfa-source@sshtrail', identity.mfa.source],
    ['mfa@sshtrail', String(identity.mfa.verified)],
    ['principal-id@sshtrail', identity.principalId],
    ['proved-at@sshtrail', String(identity.provedAtMs)],
  ]);
}

/** Undefined where the certificate carries no such identity, or one that contradicts itself. */
export function parseFederatedExtensions(
  extensions: ReadonlyMap<string, string>,
  principals: readonly string[],
): FederatedIdentity | undefined {
  const caller = identityFromArn(
    extensions.get('arn@sshtrail') ?? '',
    extensions.get('principal-id@sshtrail') ?? '',
  );
  const source = extensions.get('mfa-source@sshtrail');
  const verified = extensions.get('mfa@sshtrail');
  const provedAt = extensions.get('proved-at@sshtrail') ?? '';
  if (!caller.ok || principals.length !== 1 || principals[0] !== caller.caller.name) return undefined;
  if (source !== 'iam' && source !== 'identity-center-asserted' && source !== 'none') return undefined;
  if (verified !== String(source !== 'none') || !/^[0-9]{1,16}$/.test(provedAt)) return undefined;
  return { ...caller.caller, mfa: { verified: verified === 'true', source }, provedAtMs: Number(provedAt) };
}

function checked(caller: IamCaller): ReturnType<typeof identityFromArn> {
  if (!namePattern.test(caller.name))
    return no(
      `${JSON.stringify(caller.name.slice(0, 200))} cannot be an identity's name; use letters, digits and . _ @ + - in the user or session name`,
    );
  if (!/^A[A-Z0-9]{3,127}(:[\w+=,.@-]{2,64})?$/.test(caller.principalId))
    return no('the principal id is not one that IAM gives');
  return { ok: true, caller };
}

function no(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
