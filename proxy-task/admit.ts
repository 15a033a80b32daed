import type { Target } from '#core/contract';
import type { ConnectionFacts, LoginAttempt, Refusal, SessionFacts } from '#core/event';
import type { GatewayParts } from './gateway-parts.ts';
import { createHeldGrants } from './grants/held-grants.ts';
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
} from './session-access.ts';

/** A login that was proved and can name what it wants. */
export type Admitted = {
  readonly engineer: ProvenEngineer;
  readonly target: Target;
  readonly login: string;
  readonly access: SessionAccess;
  /** Those that permit it. */
  readonly policyIds: readonly string[];
};

export type NotAdmitted = {
  readonly refusal: Refusal;
  readonly facts?: SessionFacts;
  /** Where somebody else's approval is all that is missing. */
  readonly approval?: ApprovalWays & { readonly target: Target; readonly login: string };
};

/** What the engineer asked for, if policy and inventory have it; else the sentence that says what to do. */
export async function admit(
  parts: GatewayParts,
  engineer: ProvenEngineer,
  connection: ConnectionFacts,
  passage: JumpPassage | undefined,
): Promise<Admitted | NotAdmitted> {
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
  const target = await parts.inventory.find(name.target);
  if (target === undefined) {
    return {
      refusal: {
        errorCode: 'AccessDenied',
        denyReason: 'unknown-target',
        message: `there is no target ${name.target}; check the name, or ask who runs the inventory`,
      },
    };
  }
  if (target.logins !== undefined && !target.logins.includes(name.login)) {
    return {
      refusal: {
        errorCode: 'AccessDenied',
        denyReason: 'login-not-listed',
        message: `${target.name} has no account ${name.login} for engineers; it has ${target.logins.join(', ')}`,
      },
    };
  }
  const access = createSessionAccess({
    policy: parts.policy,
    engineer,
    target,
    login: name.login,
    sourceIp: connection.sourceIp,
    grants: createHeldGrants({
      control: parts.control,
      holder: { identity: engineer.identity.name, target: target.name, login: name.login },
      now: parts.now,
    }),
    now: parts.now,
  });
  const decision = await access.decideAnew({ kind: 'connect' });
  if (decision.allowed) return { engineer, target, login: name.login, access, policyIds: decision.policyIds };
  return notAdmitted(parts, engineer, connection, { target, login: name.login, access, decision });
}

function notAdmitted(
  parts: GatewayParts,
  engineer: ProvenEngineer,
  connection: ConnectionFacts,
  asked: Pick<Admitted, 'target' | 'login' | 'access'> & { readonly decision: Denial },
): NotAdmitted {
  const { target, login, access, decision } = asked;
  const facts = factsOf(engineer, connection, target, login, parts.now());
  if (!engineer.mfa.verified && access.mfaWouldHelp()) {
    const message = `${login} on ${target.name} needs a second factor; ask who runs sshtrail to enrol ${engineer.identity.name} for codes`;
    return { facts, refusal: { errorCode: 'MfaRequired', denyReason: 'second-factor-required', message } };
  }
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
    mfa: engineer.mfa,
    ...(name.kind === 'login-at-target' ? { requestedLogin: name.login, requestedTarget: name.target } : {}),
  };
}
