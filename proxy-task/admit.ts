import type { Target } from '#core/contract';
import type { ConnectionFacts, LoginAttempt, Refusal, SessionFacts } from '#core/event';
import type { SessionRules } from '#core/policy';
import { findTarget } from './find-target.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { createHeldGrants } from './grants/held-grants.ts';
import { countSessions } from './identity-sessions.ts';
import type { JumpPassage } from './jump.ts';
import type { ProvenEngineer } from './login/engineer-authenticator.ts';
import { type LoginName, parseInnerName, parseLoginName } from './login/login-name.ts';
import {
  type ApprovalWays,
  createSessionAccess,
  type Denial,
  factsOf,
  identityFacts,
  type SessionAccess,
  type SessionAccessOptions,
} from './session-access.ts';

/** A login that was proved and can name what it wants. */
export type Admitted = {
  readonly engineer: ProvenEngineer;
  readonly target: Target;
  readonly login: string;
  readonly access: SessionAccess;
  /** Those that permit it. */
  readonly policyIds: readonly string[];
  /** What those ask of the session. */
  readonly rules: SessionRules;
};

export type NotAdmitted = {
  readonly refusal: Refusal;
  readonly facts?: SessionFacts;
  /** Where somebody else's approval is all that is missing. */
  readonly approval?: ApprovalWays & { readonly target: Target; readonly login: string };
};

export type Admission = Admitted | NotAdmitted;

/** What the engineer asked for, if policy and inventory have it; else the sentence that says what to do. */
export async function admit(
  parts: GatewayParts,
  engineer: ProvenEngineer,
  connection: ConnectionFacts,
  passage: JumpPassage | undefined,
): Promise<Admission> {
  const name = nameOf(engineer, passage);
  if (name.kind !== 'login-at-target')
    return {
      refusal: {
        errorCode: 'AccessDenied',
        denyReason: 'malformed-login-name',
        message:
          name.kind === 'malformed'
            ? name.message
            : 'say which server you want: ssh LOGIN@TARGET@GATEWAY, or ssh -J GATEWAY LOGIN@TARGET',
      },
    };
  const found = await findTarget(parts.inventory, name.target);
  if ('refusal' in found) return found;
  const { target } = found;
  if (target.logins !== undefined && !target.logins.includes(name.login)) {
    return {
      refusal: {
        errorCode: 'AccessDenied',
        denyReason: 'login-not-listed',
        message: `${target.name} has no account ${name.login} for engineers; it has ${target.logins.join(', ')}`,
      },
    };
  }
  const { login } = name;
  const access = await accessOf(parts, { engineer, target, login, sourceIp: connection.sourceIp });
  const decision = await access.decideAnew({ kind: 'connect' });
  if (!decision.allowed) return notAdmitted(parts, engineer, connection, { target, login, access, decision });
  const { policyIds } = decision;
  const rules = access.rulesOf(policyIds);
  if (rules.requiresReason !== true || engineer.reason !== undefined)
    return { engineer, target, login, access, policyIds, rules };
  return {
    facts: factsOf(engineer, connection, target, login, parts.now()),
    refusal: reasonRequired(login, target),
  };
}

function notAdmitted(
  parts: GatewayParts,
  engineer: ProvenEngineer,
  connection: ConnectionFacts,
  asked: Pick<Admitted, 'target' | 'login' | 'access'> & { readonly decision: Denial },
): NotAdmitted {
  const { target, login, access, decision } = asked;
  const facts = factsOf(engineer, connection, target, login, parts.now());
  if (access.mfaWouldHelp()) {
    const message = engineer.mfa.verified
      ? `${login} on ${target.name} needs a second factor that is newer, and ${engineer.identity.name} has none to be asked for; log in with one`
      : `${login} on ${target.name} needs a second factor; ask who runs sshtrail to enrol ${engineer.identity.name} for codes`;
    return { facts, refusal: { errorCode: 'MfaRequired', denyReason: 'second-factor-required', message } };
  }
  if (access.reasonMayHelp()) return { facts, refusal: reasonRequired(login, target) };
  const ways = access.approvalWays();
  if (ways !== undefined) {
    const message = `${login} on ${target.name} needs approval; log in with a client that can answer questions, or ask with "sshtrail request"`;
    return {
      facts,
      refusal: { errorCode: 'AccessDenied', denyReason: 'approval-required', message },
      approval: { ...ways, target, login },
    };
  }
  return {
    facts,
    refusal: { errorCode: 'AccessDenied', denyReason: decision.reason, message: decision.message },
  };
}

/** Whether this is refused for what the engineer could still be asked for. */
export function lacks(admitted: Admission, what: 'second-factor' | 'reason'): boolean {
  return 'refusal' in admitted && admitted.refusal.denyReason === `${what}-required`;
}

async function accessOf(
  { policies, control, now }: GatewayParts,
  who: Pick<SessionAccessOptions, 'engineer' | 'target' | 'login' | 'sourceIp'>,
): Promise<SessionAccess> {
  const grants = createHeldGrants({
    control,
    holder: { identity: who.engineer.identity.name, target: who.target.name, login: who.login },
    now,
  });
  const policy = policies.current;
  const access = createSessionAccess({ ...who, policy, grants, now });
  if (!access.readsSessionCount()) return access;
  const sessionCount = await countSessions(control, who.engineer.identity.name);
  return createSessionAccess({ ...who, policy, grants, now, sessionCount });
}

function reasonRequired(login: string, target: Target): Refusal {
  return {
    errorCode: 'AccessDenied',
    denyReason: 'reason-required',
    message: `${login} on ${target.name} needs a reason; use a client that can ask you for one (ssh without BatchMode)`,
  };
}

export function nameOf({ user }: ProvenEngineer, passage: JumpPassage | undefined): LoginName {
  return passage === undefined ? parseLoginName(user) : parseInnerName(user, passage.target.name);
}

export function attemptOf(
  engineer: ProvenEngineer,
  connection: ConnectionFacts,
  passage?: JumpPassage,
): LoginAttempt {
  const name = nameOf(engineer, passage);
  return {
    ...connection,
    claimedUser: engineer.user,
    identity: identityFacts(engineer),
    authMethod: engineer.authMethod,
    keyFingerprint: engineer.keyFingerprint,
    certificateSerial: engineer.certificateSerial,
    mfa: engineer.mfa,
    ...(name.kind === 'login-at-target' ? { requestedLogin: name.login, requestedTarget: name.target } : {}),
  };
}
