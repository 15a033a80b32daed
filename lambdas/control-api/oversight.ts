import type { APIGatewayProxyEvent, APIGatewayProxyResult } from 'aws-lambda';
import type { ControlStore, LiveSession, LockSelector } from '#core/contract';
import type { ApiCall, ProvedCaller, Refusal } from '#core/event';
import type { IamCaller } from '#core/federation';
import { mayRevoke } from '#core/grant';
import { auditTrail, type PolicyRequest } from '#core/policy';
import { errorResponse, type MfaOfCaller, mfaOf } from '../shared/index.ts';
import type { AccessRules } from './access-rules.ts';

export type OversightParts = {
  readonly control: ControlStore;
  /** Policies and whom they speak of, as they are now. */
  readonly rules: () => Promise<AccessRules>;
  readonly now: () => number;
  /** Accounts whose owner says that their Identity Center asks for MFA at every sign-in. */
  readonly identityCenterMfaAccounts: readonly string[];
};

/** Whom IAM proved to be calling. */
export type AccessCaller = { readonly call: ApiCall; readonly caller: IamCaller };

/** The same on a route of which there are two, one of them with MFA. */
export type Overseer = AccessCaller & { readonly mfa: MfaOfCaller };

/** What is ended or locked: on one target, as one of its accounts (`""`: as any), or everywhere. */
export type Revoked = Pick<PolicyRequest, 'target' | 'login'> & {
  readonly action: PolicyRequest['action'] & { readonly kind: 'revoke' };
};

export function overseerOf(
  event: APIGatewayProxyEvent,
  { call, caller }: AccessCaller,
  { identityCenterMfaAccounts }: OversightParts,
): Overseer {
  return { call, caller, mfa: mfaOf(caller, event, identityCenterMfaAccounts) };
}

/** As events have them. */
export function provedCaller({ call, caller, mfa }: AccessCaller & Partial<Overseer>): ProvedCaller {
  return { ...call, identity: caller, ...(mfa === undefined ? {} : { mfa }) };
}

/** What policy is asked in the name of a caller. IAM says that there was a factor, and not when: it counts as proved by the call. */
export function questionBy(
  { call, caller, mfa }: AccessCaller & Partial<Overseer>,
  rules: AccessRules,
  nowMs: number,
): Pick<PolicyRequest, 'identity' | 'mfa' | 'sourceIp' | 'nowMs'> {
  return {
    identity: { name: caller.name, kind: 'person', groups: rules.groupsOf(caller.arn) },
    ...(mfa?.verified === true ? { mfa: { method: mfa.source, ageSeconds: 0 } } : {}),
    sourceIp: call.sourceIp ?? '',
    nowMs,
  };
}

/** A session's target is as the configuration has it; where it is there no more, or was found by its tags, as it was at the login. */
export function revokedSession(session: LiveSession, rules: AccessRules): Revoked {
  const { target: name, login } = session;
  const target = targetCalled(name, rules, [session]) ?? { name, host: '', port: 0, labels: {} };
  return { action: { kind: 'revoke' }, target, login };
}

/** A lock of a target is about that; any other, and one of a target of which nothing is known, about all of them. */
export async function revokedByLock(
  { target: name, login = '' }: LockSelector,
  rules: AccessRules,
  { control }: Pick<OversightParts, 'control'>,
): Promise<Revoked> {
  const target =
    name === undefined
      ? undefined
      : (targetCalled(name, rules, []) ??
        targetCalled(
          name,
          rules,
          (await control.list('session')).map(({ data }) => data),
        ));
  return target === undefined
    ? { action: { kind: 'revoke', everywhere: true }, ...auditTrail }
    : { action: { kind: 'revoke' }, target, login };
}

export function revokeRefusal(
  overseer: Overseer,
  revoked: Revoked,
  rules: AccessRules,
  { control, now }: OversightParts,
): Promise<Refusal | undefined> {
  return mayRevoke(control, rules.policy, { ...questionBy(overseer, rules, now()), ...revoked });
}

export function notAllowed({ message }: Refusal): APIGatewayProxyResult {
  return errorResponse(403, 'not-allowed', message);
}

function targetCalled(
  name: string,
  { targets }: AccessRules,
  sessions: readonly LiveSession[],
): PolicyRequest['target'] | undefined {
  const configured = targets.find((target) => target.name === name);
  if (configured !== undefined) {
    const { host, port, labels } = configured;
    return { name, host, port, labels };
  }
  const facts = sessions.find(({ target, targetFacts }) => target === name && targetFacts !== undefined);
  return facts?.targetFacts === undefined ? undefined : { name, ...facts.targetFacts };
}
