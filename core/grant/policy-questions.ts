import type { AccessRequest, ControlStore } from '#core/contract';
import type { Refusal } from '#core/event';
import { lockRefusal, locksAgainst } from '../lock/index.ts';
import {
  approvalsNeeded,
  decide,
  type PolicyRequest,
  type PolicySet,
  policyActionNames,
} from '../policy/index.ts';
import { printable } from '../wording/index.ts';
import { sameIdentity, stateAt } from './access-request.ts';
import type { Wish } from './request-desk.ts';
import { maxTicketLength, reasonText } from './request-text.ts';

/** What somebody asks for before they log in, as they wrote it. */
export type WrittenWish = {
  readonly id: string;
  /** Names of policy actions; all of them where there are none. */
  readonly actions: readonly string[];
  readonly reason: string;
  readonly ticket?: string;
  readonly forMs: number;
  readonly decideWithinMs: number;
  readonly breakGlass: boolean;
};

/**
 * The request that policy would answer with a grant, or why there is no use in one. `connect` is the question that the login will ask. Whether
 * a second factor is proved and where it comes from shows there only: a factor counts as proved here.
 */
export function grantWish(
  policy: PolicySet,
  connect: PolicyRequest,
  written: WrittenWish,
): { readonly ok: true; readonly wish: Wish } | { readonly ok: false; readonly message: string } {
  const { breakGlass, ...rest } = written;
  const reason = reasonText(written.reason);
  if (reason === undefined) return no('a reason has 1 to 500 characters; give one');
  const ticket = written.ticket === undefined ? undefined : printable(written.ticket.trim());
  if (ticket !== undefined && (ticket === '' || ticket.length > maxTicketLength))
    return no(`a ticket has 1 to ${maxTicketLength} characters; give its id alone`);
  const unknown = written.actions.find((action) => !isActionName(action));
  if (unknown !== undefined)
    return no(`${JSON.stringify(unknown)} is no action; policies know ${askable.join(', ')}`);
  const asked = { ...connect, reason, mfa: connect.mfa ?? { method: 'totp', ageSeconds: 0 } };
  const needed = approvalsNeeded(policy, asked);
  if (breakGlass && !decide(policy, { ...asked, approval: { count: 0, breakGlass: true } }).allowed)
    return no('policy does not let you in there by break-glass; ask for approval');
  if (!breakGlass && written.actions.length === 0 && decide(policy, asked).allowed)
    return no('policy lets you in there without approval; log in, or name what else you need with --action');
  if (!breakGlass && needed === undefined)
    return no('policy would not let you in there with an approval either; ask whoever writes the policy');
  const { identity, target, login } = connect;
  return {
    ok: true,
    wish: {
      ...rest,
      identity: identity.name,
      target,
      login,
      actions: written.actions.length === 0 ? ['*'] : [...new Set(['connect', ...written.actions])],
      reason,
      ...(ticket === undefined ? {} : { ticket }),
      needed: needed ?? 1,
    },
  };
}

/**
 * Why somebody may not decide on a request: because a lock fits them there, as it would at a login, or because policy does not let them. Undefined
 * where they may. `question` is about the action `approve`.
 */
export async function mayDecide(
  control: Pick<ControlStore, 'list'>,
  policy: PolicySet | undefined,
  request: AccessRequest,
  question: PolicyRequest,
): Promise<Refusal | undefined> {
  const { identity, login, nowMs, sourceIp } = question;
  if (sameIdentity(request.identity, identity.name)) return undefined;
  const locks = (await control.list('lock')).map(({ data }) => data);
  const facts = { identity: identity.name, target: request.target.name, login, sourceIp, sessionId: '' };
  const [lock] = locksAgainst(locks, facts, nowMs);
  if (lock !== undefined) return lockRefusal(lock);
  return refusalOf(policy, question);
}

/**
 * Why somebody may not end a session, or make or lift a lock: because they are locked out by name, or because policy does not let them. Undefined
 * where they may. `question` is about the action `revoke`. A lock of a target or of everybody keeps nobody from this: it has to be lifted, too.
 */
export async function mayRevoke(
  control: Pick<ControlStore, 'list'>,
  policy: PolicySet | undefined,
  question: PolicyRequest,
): Promise<Refusal | undefined> {
  const { identity, login, nowMs, sourceIp, target } = question;
  const byName = (await control.list('lock'))
    .map(({ data }) => data)
    .filter(({ selector }) => selector.identity !== undefined);
  const facts = { identity: identity.name, target: target.name, login, sourceIp, sessionId: '' };
  const [lock] = locksAgainst(byName, facts, nowMs);
  return lock === undefined ? refusalOf(policy, question) : lockRefusal(lock);
}

function refusalOf(policy: PolicySet | undefined, question: PolicyRequest): Refusal | undefined {
  const decision = decide(policy, question);
  return decision.allowed
    ? undefined
    : { errorCode: 'AccessDenied', denyReason: decision.reason, message: decision.message };
}

/** Whether somebody should look at it: it waits, or was taken by break-glass and nobody else has said anything. */
export function waitsForSomebody(request: AccessRequest, nowMs: number): boolean {
  return request.breakGlass ? request.review === undefined : stateAt(request, nowMs) === 'waiting';
}

const askable = policyActionNames.filter((name) => name !== 'approve');

function isActionName(text: string): boolean {
  return askable.some((name) => name === text);
}

function no(message: string) {
  return { ok: false, message } as const;
}
