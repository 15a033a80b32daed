import type { AccessGrant, Target } from '#core/contract';
import type { IdentityFacts, Refusal, SessionFacts } from '#core/event';
import {
  answer,
  approvalsNeeded,
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
import type { HeldGrants } from './grants/held-grants.ts';
import type { ProvenEngineer } from './login/engineer-authenticator.ts';

type Approval = NonNullable<PolicyRequest['approval']>;

/** Asks policy in the name of one engineer about one target. */
export type SessionAccess = {
  decide(action: PolicyAction): Decision;
  /** The same with the grants as they are in the store now; for the moment at which something begins. */
  decideAnew(action: PolicyAction): Promise<Decision>;
  /** Whether policy has to be asked for each file that goes this way. */
  readsFiles(direction: 'upload' | 'download'): boolean;
  /** Whether policy has to be asked for each line that a shell is given. */
  judgesCommands(): boolean;
  /** Would a second factor, proved now, allow the connection, or an approval once it is proved? */
  mfaWouldHelp(): boolean;
  /** What else than a second factor would allow the connection; undefined where nothing would. */
  approvalWays(): ApprovalWays | undefined;
  /** The first grant without which something that goes on would not have been allowed. */
  readonly leansOn: AccessGrant | undefined;
  /** Whether all that leans on a grant would be allowed now, by that or by another one in its place. */
  stillGranted(): Promise<boolean>;
  /** Called once something leans on a grant. */
  onLean: (() => void) | undefined;
  /** Might a reason allow the connection? */
  reasonMayHelp(): boolean;
  /** Whether policy has to be told how many sessions the identity has. */
  readsSessionCount(): boolean;
  /** What the policies that allowed something ask of the session. */
  rulesOf(policyIds: readonly string[]): SessionRules;
};

export type ApprovalWays = {
  /** By so many people; absent where no number of them would do. */
  readonly needed?: number;
  /** Whether it can be taken without. */
  readonly breakGlass: boolean;
};

export type SessionAccessOptions = {
  readonly policy: () => PolicySet | undefined;
  readonly engineer: ProvenEngineer;
  readonly target: Target;
  readonly login: string;
  readonly sourceIp: string;
  readonly grants: HeldGrants;
  /** Sessions the identity has, where they were counted for this connection. */
  readonly sessionCount?: number;
  readonly now: () => number;
};

export function createSessionAccess(options: SessionAccessOptions): SessionAccess {
  const { policy, engineer, target, login, sourceIp, grants, sessionCount, now } = options;

  function request(action: PolicyAction): PolicyRequest {
    const { mfa, identity } = engineer;
    const nowMs = now();
    const approval = grants.approvalOf(action.kind);
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
      ...(approval === undefined ? {} : { approval }),
    };
  }

  const ask = (asked: PolicyRequest): Decision => answer(policy(), asked);

  /** What was begun because of a grant, the newest of each kind, with the approval it had. */
  const leaning = new Map<PolicyAction['kind'], { action: PolicyAction; approval: Approval }>();
  let leansOn: AccessGrant | undefined;
  let onLean: (() => void) | undefined;

  function decideNow(action: PolicyAction): Decision {
    const asked = request(action);
    const decision = ask(asked);
    if (decision.allowed && asked.approval !== undefined && lasts(action)) noteLean(asked, asked.approval);
    return decision;
  }

  function noteLean(asked: PolicyRequest, approval: Approval): void {
    const { approval: _, ...without } = asked;
    if (ask(without).allowed) return;
    leaning.set(asked.action.kind, { action: asked.action, approval });
    if (leansOn !== undefined) return;
    leansOn = grants.longest();
    onLean?.();
  }

  /** A denial that is for another reason than the approval is none of the grant's. */
  function isOver({ action, approval }: { action: PolicyAction; approval: Approval }): boolean {
    const asked = request(action);
    return !ask(asked).allowed && ask({ ...asked, approval }).allowed;
  }

  function waysTo(asked: PolicyRequest): ApprovalWays | undefined {
    const needed = approvalsNeeded(policy(), asked);
    const breakGlass = ask({
      ...asked,
      reason: asked.reason ?? '?',
      approval: { count: 0, breakGlass: true },
    }).allowed;
    if (needed === undefined && !breakGlass) return undefined;
    return { breakGlass, ...(needed === undefined ? {} : { needed }) };
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
    decide: decideNow,
    async decideAnew(action) {
      await grants.reread();
      const decision = decideNow(action);
      if (decision.allowed || waysTo(request(action)) === undefined) return decision;
      await grants.find();
      return decideNow(action);
    },
    mfaWouldHelp: () => ['mfa', 'mfa-and-approval'].includes(stepUp(policy(), request({ kind: 'connect' }))),
    approvalWays: () => waysTo(request({ kind: 'connect' })),
    get leansOn() {
      return leansOn;
    },
    async stillGranted() {
      if (leaning.size === 0) return true;
      await grants.reread();
      const over = () => [...leaning.values()].some(isOver);
      if (!over()) return true;
      await grants.find();
      return !over();
    },
    get onLean() {
      return onLean;
    },
    set onLean(listener) {
      onLean = listener;
    },
    reasonMayHelp: () => reasonMayHelp(policy(), request({ kind: 'connect' })),
    readsSessionCount: () => readsSessionCount(policy(), request({ kind: 'connect' })),
    rulesOf: (policyIds) => rulesOf(policy(), policyIds),
  };
}

/** Whether it goes on after it was allowed, and so has to end when it no longer is. */
function lasts({ kind }: PolicyAction): boolean {
  return kind !== 'command' && kind !== 'upload' && kind !== 'download';
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
