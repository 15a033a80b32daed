import type { Target } from '#core/contract';
import type { IdentityFacts, Refusal, SessionFacts } from '#core/event';
import {
  answer,
  type Decision,
  judgesCommands,
  type PolicyAction,
  type PolicyRequest,
  type PolicySet,
  readsFiles,
  readsSessionCount,
  reasonMayHelp,
  rulesOf,
  type SessionRules,
  stepUp,
} from '#core/policy';
import type { ProvenEngineer } from './login/engineer-authenticator.ts';

/** Asks policy in the name of one engineer about one target. */
export type SessionAccess = {
  decide(action: PolicyAction): Decision;
  /** Whether policy has to be asked for each file that goes this way. */
  readsFiles(direction: 'upload' | 'download'): boolean;
  /** Whether policy has to be asked for each line that a shell is given. */
  judgesCommands(): boolean;
  /** Would a second factor, proved now, allow the connection? */
  mfaWouldHelp(): boolean;
  /** Might a reason allow the connection? */
  reasonMayHelp(): boolean;
  /** Whether policy has to be told how many sessions the identity has. */
  readsSessionCount(): boolean;
  /** What the policies that allowed something ask of the session. */
  rulesOf(policyIds: readonly string[]): SessionRules;
};

export type SessionAccessOptions = {
  readonly policy: () => PolicySet | undefined;
  readonly engineer: ProvenEngineer;
  readonly target: Target;
  readonly login: string;
  readonly sourceIp: string;
  /** Sessions the identity has, where they were counted for this connection. */
  readonly sessionCount?: number;
  readonly now: () => number;
};

export function createSessionAccess(options: SessionAccessOptions): SessionAccess {
  const { policy, engineer, target, login, sourceIp, sessionCount, now } = options;

  function request(action: PolicyAction): PolicyRequest {
    const { mfa, identity } = engineer;
    const nowMs = now();
    return {
      identity: { name: identity.name, kind: identity.type, groups: identity.groups },
      target: { name: target.name, host: target.host, port: target.port, labels: target.labels },
      login,
      action,
      sourceIp,
      nowMs,
      ...(engineer.reason === undefined ? {} : { reason: engineer.reason }),
      // Later it would be old.
      ...(sessionCount === undefined || action.kind !== 'connect' ? {} : { sessionCount }),
      ...(mfa.verified
        ? { mfa: { method: mfa.method, ageSeconds: (nowMs - (mfa.atMs ?? nowMs)) / 1000 } }
        : {}),
    };
  }

  /** The last answers, which hold as long as the policies are the same. */
  let known:
    | {
        readonly policies: PolicySet | undefined;
        readonly upload: boolean;
        readonly download: boolean;
        readonly commands: boolean;
      }
    | undefined;

  function lookedUp(): NonNullable<typeof known> {
    const policies = policy();
    if (known === undefined || known.policies !== policies)
      known = {
        policies,
        upload: readsFiles(policies, request({ kind: 'upload' })),
        download: readsFiles(policies, request({ kind: 'download' })),
        commands: judgesCommands(policies, request({ kind: 'shell' })),
      };
    return known;
  }

  return {
    readsFiles: (direction) => lookedUp()[direction],
    judgesCommands: () => lookedUp().commands,
    decide: (action) => answer(policy(), request(action)),
    mfaWouldHelp: () => ['mfa', 'mfa-and-approval'].includes(stepUp(policy(), request({ kind: 'connect' }))),
    reasonMayHelp: () => reasonMayHelp(policy(), request({ kind: 'connect' })),
    readsSessionCount: () => readsSessionCount(policy(), request({ kind: 'connect' })),
    rulesOf: (policyIds) => rulesOf(policy(), policyIds),
  };
}

export type Denial = Decision & { readonly allowed: false };

/** A denial as the events tell it. */
export function refusalOf(decision: Denial): Refusal {
  return { errorCode: 'AccessDenied', denyReason: decision.reason, message: decision.message };
}

/** The identity as the events tell it. */
export function identityFacts({ identity }: ProvenEngineer): IdentityFacts {
  const { name, principalId, iam } = identity;
  if (iam !== undefined) return { name, principalId, type: iam.type, arn: iam.arn };
  return { name, principalId, type: identity.type === 'service' ? 'ServiceIdentity' : 'LocalUser' };
}

export function factsOf(
  engineer: ProvenEngineer,
  connection: Pick<SessionFacts, 'sessionId' | 'sourceIp' | 'sourcePort' | 'userAgent' | 'proxyId'>,
  target: Target,
  login: string,
  authenticatedAtMs: number,
): SessionFacts {
  return {
    ...connection,
    identity: identityFacts(engineer),
    login,
    target: { name: target.name, host: target.host, port: target.port, labels: target.labels },
    authMethod: engineer.authMethod,
    keyFingerprint: engineer.keyFingerprint,
    certificateSerial: engineer.certificateSerial,
    mfa: engineer.mfa,
    accessReason: engineer.reason,
    authenticatedAtMs,
  };
}
