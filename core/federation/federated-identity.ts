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
  /^arn:aws(?:-[a-z]{1,12}){0,3}:(iam|sts)::([0-9]{12}):(user|assumed-role)\/([\w+=,.@/-]{1,640})$/;
/** A role's name and a session's have at most 64 characters each. */
const namePattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,128}$/;
/**
 * Roles that Identity Center makes. Weakness: an ARN of STS leaves a role's path out, so whoever may create roles in the account
 * can make one of such a name; the account's owner vouches for that.
 */
const identityCenterRole = /^AWSReservedSSO_([\w+=,.@-]+)_[0-9a-f]{16}$/;
const userIdPattern = /^AIDA[A-Z0-9]{3,124}$/;
const roleIdPattern = /^AROA[A-Z0-9]{3,124}:([\w+=,.@-]{2,64})$/;

/**
 * The identity behind an ARN as API Gateway reports it, or why there is none. Whoever assumes a role chooses the session's name,
 * so outside Identity Center, which sets it to the person's, the role's name is a part of the identity's: `role+session`. No other name
 * has a plus sign before that one, or the session of one role could have the name of another's, or of a person.
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
    if (!userIdPattern.test(principalId)) return no('the principal id is not one that IAM gives to a user');
    return named({ arn, accountId, principalId, type: 'IAMUser', name, role: name });
  }
  const [role = '', session = ''] = parts;
  if (parts.length !== 2) return no('the ARN of an assumed role has a role and a session name');
  if (roleIdPattern.exec(principalId)?.[1] !== session)
    return no("the principal id is not one that IAM gives to that role's session");
  if (identityCenterRole.test(role))
    return named({ arn, accountId, principalId, type: 'IdentityCenterUser', name: session, role });
  if (role.includes('+'))
    return no(`${JSON.stringify(role)} cannot be the role of an identity; use a role without + in its name`);
  return checked({ arn, accountId, principalId, type: 'AssumedRole', name: `${role}+${session}`, role });
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
  if (source === 'identity-center-asserted' && caller.caller.type !== 'IdentityCenterUser') return undefined;
  if (verified !== String(source !== 'none') || !/^[0-9]{1,15}$/.test(provedAt)) return undefined;
  return { ...caller.caller, mfa: { verified: verified === 'true', source }, provedAtMs: Number(provedAt) };
}

/** A name that is one person's, and not made of a role's and a session's. */
function named(caller: IamCaller): ReturnType<typeof identityFromArn> {
  return caller.name.includes('+')
    ? no(`${JSON.stringify(caller.name)} cannot be an identity's name; use a user name without +`)
    : checked(caller);
}

function checked(caller: IamCaller): ReturnType<typeof identityFromArn> {
  return namePattern.test(caller.name)
    ? { ok: true, caller }
    : no(
        `${JSON.stringify(caller.name.slice(0, 200))} cannot be an identity's name; use letters, digits and . _ @ - in the user or session name, and a letter or digit first`,
      );
}

function no(message: string): { readonly ok: false; readonly message: string } {
  return { ok: false, message };
}
