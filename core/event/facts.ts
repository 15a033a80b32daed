import type { UserIdentity } from '#core/contract';
import { type Actor, type Fields, isoTime } from './draft.ts';
import { evidenceText } from './evidence-text.ts';

/** An identity proven by a verified signature. */
export type IdentityFacts = {
  readonly name: string;
  readonly principalId: string;
  readonly type: UserIdentity['type'];
  readonly arn?: string | undefined;
};

export type MfaFacts = {
  readonly verified: boolean;
  /** E.g. `totp`, `security-key`, `none`. */
  readonly method: string;
  readonly atMs?: number | undefined;
};

export type AuthMethod = 'publickey' | 'certificate' | 'security-key';

/** What is known of a connection before anything is proven. */
export type ConnectionFacts = {
  readonly sessionId: string;
  readonly sourceIp: string;
  readonly sourcePort: number;
  /** The client's SSH identification string. */
  readonly userAgent: string;
  readonly proxyId: string;
  /** The connection it came inside of, where it is the inner one of a jump. */
  readonly jumpId?: string | undefined;
};

/** What every event of a session repeats. */
export type SessionFacts = ConnectionFacts & {
  readonly identity: IdentityFacts;
  /** The Unix account on the target. */
  readonly login: string;
  readonly target: {
    readonly name: string;
    readonly host: string;
    readonly port: number;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly authMethod: AuthMethod;
  readonly keyFingerprint: string;
  /** Of the certificate that identified; decimal. */
  readonly certificateSerial?: string | undefined;
  readonly mfa: MfaFacts;
  /** Why they connect, in the engineer's words, where policy wants to know. */
  readonly accessReason?: string | undefined;
  /** When the identity was proven; the creationDate of the session context. */
  readonly authenticatedAtMs?: number | undefined;
  readonly policyId?: string | undefined;
  /** The request by which it was granted. */
  readonly accessRequestId?: string | undefined;
  /** It was taken without approval. */
  readonly breakGlass?: boolean | undefined;
  /** The target's SSH identification string. */
  readonly targetIdentification?: string | undefined;
};

/** A login that is not yet, or never became, a session. */
export type LoginAttempt = ConnectionFacts & {
  /** The user name as sent, unproven and possibly hostile. */
  readonly claimedUser: string | Uint8Array;
  /** Present once proven. */
  readonly identity?: IdentityFacts | undefined;
  readonly authMethod?: AuthMethod | undefined;
  readonly keyFingerprint?: string | undefined;
  readonly certificateSerial?: string | undefined;
  readonly mfa?: MfaFacts | undefined;
  readonly requestedLogin?: string | undefined;
  readonly requestedTarget?: string | undefined;
  readonly policyId?: string | undefined;
};

/** Bytes of a user name in an identity; the fields that group by it stay small. */
const maxUserNameBytes = 256;

export function actorOf(who: SessionFacts | LoginAttempt, atMs: number): Actor {
  return 'claimedUser' in who ? attemptActor(who, atMs) : sessionActor(who, atMs);
}

/** Where the request goes: the part of requestParameters that every event of a session repeats. */
export function targetFields(who: SessionFacts | LoginAttempt): Fields {
  if ('claimedUser' in who) return { target: who.requestedTarget, targetUser: who.requestedLogin };
  const { name, host, port, labels } = who.target;
  return {
    target: name,
    targetHost: host,
    targetPort: port,
    targetUser: who.login,
    targetLabels: labelText(labels),
  };
}

/** The part of additionalEventData that every event of a session repeats. */
export function sessionFields(facts: SessionFacts, atMs: number): Fields {
  return {
    ...connectionFields(facts),
    ...mfaFields(facts.mfa, atMs),
    authMethod: facts.authMethod,
    keyFingerprint: facts.keyFingerprint,
    certificateSerial: facts.certificateSerial,
    policyId: facts.policyId,
    accessRequestId: facts.accessRequestId,
    breakGlass: facts.breakGlass,
    targetIdentification: facts.targetIdentification,
  };
}

export function serviceActor(name: string, additional: Fields): Actor {
  return {
    userIdentity: { type: 'ServiceIdentity', principalId: name, userName: name },
    userAgent: 'sshtrail',
    additional,
  };
}

/** The identity of whoever AWS says did something: an ARN is all that is known of them. Undefined where it is none. */
export function arnIdentity(arn: string): UserIdentity | undefined {
  const [, accountId, kind, path] =
    /^arn:aws(?:-[a-z]{1,12}){0,3}:(?:iam|sts)::(\d{12}):(user|assumed-role)\/([\w+=,.@/-]{1,640})$/.exec(
      arn,
    ) ?? [];
  if (accountId === undefined || path === undefined) return undefined;
  const userName = path.slice(path.lastIndexOf('/') + 1);
  return { type: kind === 'user' ? 'IAMUser' : 'AssumedRole', principalId: arn, userName, arn, accountId };
}

/** The identity of who is named as the author of a wish: `runbook/SSH-002`, or an operating system user. */
export function authorIdentity(by: string): UserIdentity {
  const { text } = evidenceText(by, maxUserNameBytes);
  const type = /^(runbook|proxy)\/[A-Za-z0-9._-]+$/.test(text) ? 'ServiceIdentity' : 'LocalUser';
  return { type, principalId: text, userName: text };
}

/** `env=prod,role=db`, in order of names; a comma, an equals sign or a percent sign within stands as %2C, %3D, %25. */
function labelText(labels: Readonly<Record<string, string>>): Fields[string] {
  const pairs = Object.entries(labels).map(([name, value]) => `${withoutMarks(name)}=${withoutMarks(value)}`);
  return pairs.length === 0 ? undefined : { text: pairs.sort().join(','), maxBytes: 4096 };
}

function withoutMarks(text: string): string {
  return text.replace(/[%,=]/g, (mark) => `%${mark.charCodeAt(0).toString(16).toUpperCase()}`);
}

function sessionActor(facts: SessionFacts, atMs: number): Actor {
  return {
    userIdentity: provenIdentity(facts.identity, facts.mfa, facts.authenticatedAtMs, atMs),
    sourceIPAddress: facts.sourceIp,
    userAgent: facts.userAgent,
    additional: sessionFields(facts, atMs),
  };
}

function attemptActor(attempt: LoginAttempt, atMs: number): Actor {
  const claimed = evidenceText(attempt.claimedUser, maxUserNameBytes);
  const mfa = attempt.mfa ?? { verified: false, method: 'none' };
  return {
    userIdentity:
      attempt.identity === undefined
        ? { type: 'Unknown', principalId: `unknown:${claimed.text}`, userName: claimed.text }
        : provenIdentity(attempt.identity, mfa, undefined, atMs),
    sourceIPAddress: attempt.sourceIp,
    userAgent: attempt.userAgent,
    additional: {
      ...connectionFields(attempt),
      ...mfaFields(mfa, atMs),
      authMethod: attempt.authMethod,
      keyFingerprint: attempt.keyFingerprint,
      certificateSerial: attempt.certificateSerial,
      policyId: attempt.policyId,
      claimedUser: { text: attempt.claimedUser, maxBytes: maxUserNameBytes },
    },
  };
}

function provenIdentity(
  identity: IdentityFacts,
  mfa: MfaFacts,
  authenticatedAtMs: number | undefined,
  atMs: number,
): UserIdentity {
  const accountId = identity.arn?.split(':')[4];
  return {
    type: identity.type,
    principalId: evidenceText(identity.principalId, 1024).text,
    userName: evidenceText(identity.name, maxUserNameBytes).text,
    ...(identity.arn === undefined ? {} : { arn: evidenceText(identity.arn, 2048).text }),
    ...(accountId !== undefined && /^\d{12}$/.test(accountId) ? { accountId } : {}),
    sessionContext: {
      attributes: {
        mfaAuthenticated: mfa.verified ? 'true' : 'false',
        creationDate: new Date(authenticatedAtMs ?? mfa.atMs ?? atMs).toISOString(),
      },
    },
  };
}

function connectionFields(facts: ConnectionFacts): Fields {
  return {
    sessionId: facts.sessionId,
    sourcePort: facts.sourcePort,
    proxyId: facts.proxyId,
    jumpId: facts.jumpId,
  };
}

function mfaFields(mfa: MfaFacts, atMs: number): Fields {
  return {
    mfaAuthenticated: mfa.verified,
    mfaMethod: mfa.method,
    mfaAt: isoTime(mfa.atMs),
    mfaAgeSeconds: mfa.atMs === undefined ? undefined : Math.max(0, Math.floor((atMs - mfa.atMs) / 1000)),
  };
}
