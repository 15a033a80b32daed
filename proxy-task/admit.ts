import type { Target } from '#core/contract';
import type { ConnectionFacts, LoginAttempt, Refusal, SessionFacts } from '#core/event';
import type { SessionRules } from '#core/policy';
import { findTarget } from './find-target.ts';
import type { GatewayParts } from './gateway-parts.ts';
import { countSessions } from './identity-sessions.ts';
import type { JumpPassage } from './jump.ts';
import type { ProvenEngineer } from './login/engineer-authenticator.ts';
import { type LoginName, parseInnerName, parseLoginName } from './login/login-name.ts';
import {
  createSessionAccess,
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

/** What the engineer asked for, if policy and inventory have it; else the sentence that says what to do. */
export async function admit(
  parts: GatewayParts,
  engineer: ProvenEngineer,
  connection: ConnectionFacts,
  passage: JumpPassage | undefined,
): Promise<Admitted | { readonly refusal: Refusal; readonly facts?: SessionFacts }> {
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
  const decision = access.decide({ kind: 'connect' });
  const facts = factsOf(engineer, connection, target, login, parts.now());
  if (decision.allowed) {
    const { policyIds } = decision;
    const rules = access.rulesOf(policyIds);
    return rules.requiresReason === true && engineer.reason === undefined
      ? { facts, refusal: reasonRequired(login, target) }
      : { engineer, target, login, access, policyIds, rules };
  }
  if (access.mfaWouldHelp()) {
    const message = engineer.mfa.verified
      ? `${login} on ${target.name} needs a second factor that is newer, and ${engineer.identity.name} has none to be asked for; log in with one`
      : `${login} on ${target.name} needs a second factor; ask who runs sshtrail to enrol ${engineer.identity.name} for codes`;
    return { facts, refusal: { errorCode: 'MfaRequired', denyReason: 'second-factor-required', message } };
  }
  if (access.reasonMayHelp()) return { facts, refusal: reasonRequired(login, target) };
  return {
    facts,
    refusal: { errorCode: 'AccessDenied', denyReason: decision.reason, message: decision.message },
  };
}

/** Whether this is refused for what the engineer could still be asked for. */
export function lacks(
  admitted: Awaited<ReturnType<typeof admit>>,
  what: 'second-factor' | 'reason',
): boolean {
  return 'refusal' in admitted && admitted.refusal.denyReason === `${what}-required`;
}

async function accessOf(
  { policy, control, now }: GatewayParts,
  who: Pick<SessionAccessOptions, 'engineer' | 'target' | 'login' | 'sourceIp'>,
): Promise<SessionAccess> {
  const access = createSessionAccess({ ...who, policy, now });
  if (!access.readsSessionCount()) return access;
  const sessionCount = await countSessions(control, who.engineer.identity.name);
  return createSessionAccess({ ...who, policy, now, sessionCount });
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
