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
  /** Whether the policies that let the session in are still those in force. */
  readonly isCurrent: boolean;
  /**
   * The connection once more, by the policies and grants of now. What was proved at login counts as it was then: a second factor does not
   * grow old by being asked about. `earlierSessions` counts those of the identity that began before this one.
   */
  connectAgain(earlierSessions: () => Promise<number>): Promise<Decision>;
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

  /** Of which policies the connection was asked last, and when the login asked. */
  let askedOf: PolicySet | undefined;
  let loginAtMs = now();

  function request(action: PolicyAction): PolicyRequest {
    const { identity } = engineer;
    const nowMs = now();
    const mfa = provedMfa(nowMs);
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
      ...(mfa === undefined ? {} : { mfa }),
      ...(approval === undefined ? {} : { approval }),
    };
  }

  function provedMfa(atMs: number): PolicyRequest['mfa'] {
    const { mfa } = engineer;
    return mfa.verified ? { method: mfa.method, ageSeconds: (atMs - (mfa.atMs ?? atMs)) / 1000 } : undefined;
  }

  /** The connection as it would be asked for now, by somebody who proved what was proved at login just as long ago. */
  function connection(sessions: number | undefined): PolicyRequest {
    const mfa = provedMfa(loginAtMs);
    return {
      ...request({ kind: 'connect' }),
      ...(mfa === undefined ? {} : { mfa }),
      ...(sessions === undefined ? {} : { sessionCount: sessions }),
    };
  }

  const ask = (asked: PolicyRequest): Decision => answer(policy(), asked);

  /** What was begun because of a grant, the newest of each kind, with the approval it had. */
  const leaning = new Map<PolicyAction['kind'], { asked: PolicyRequest; approval: Approval }>();
  let leansOn: AccessGrant | undefined;
  let onLean: (() => void) | undefined;

  function decideNow(action: PolicyAction): Decision {
    const asked = request(action);
    const decision = ask(asked);
    if (action.kind === 'connect') loginAtMs = asked.nowMs;
    return noted(asked, decision);
  }

  function noted(asked: PolicyRequest, decision: Decision): Decision {
    const { action, approval } = asked;
    if (action.kind === 'connect') askedOf = policy();
    if (decision.allowed && approval !== undefined && lasts(action)) noteLean(asked, approval);
    return decision;
  }

  function noteLean(asked: PolicyRequest, approval: Approval): void {
    const { approval: _, ...without } = asked;
    if (ask(without).allowed) return;
    leaning.set(asked.action.kind, { asked, approval });
    if (leansOn !== undefined) return;
    leansOn = grants.longest();
    onLean?.();
  }

  /** A denial that is for another reason than the approval is none of the grant's; that a factor has grown old is no reason at all. */
  function isOver({ asked: then, approval }: { asked: PolicyRequest; approval: Approval }): boolean {
    const { mfa } = then;
    const asked = { ...request(then.action), ...(mfa === undefined ? {} : { mfa }) };
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
    get isCurrent() {
      return askedOf === policy();
    },
    async connectAgain(earlierSessions) {
      await grants.reread();
      const reads = readsSessionCount(policy(), request({ kind: 'connect' }));
      const sessions = reads ? await earlierSessions() : undefined;
      const asked = connection(sessions);
      const decision = noted(asked, ask(asked));
      if (decision.allowed || waysTo(asked) === undefined) return decision;
      await grants.find();
      const withGrants = connection(sessions);
      return noted(withGrants, ask(withGrants));
    },
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
