import type { AccessGrant, AccessRequest, AuditDraft, ControlStore } from '#core/contract';
import {
  type AccessActor,
  approveRequest,
  cancelRequest,
  expireRequest,
  type Refusal,
  rejectRequest,
  requestAccess,
  takeByBreakGlass,
} from '#core/event';
import {
  type AccessDecision,
  applyDecision,
  type DecisionRefusal,
  expired,
  grantIdOf,
  grantOf,
  sameIdentity,
  stateAt,
} from './access-request.ts';
import { type GrantHolder, isFor, isGoodAt } from './approval.ts';
import { GrantError } from './grant-error.ts';
import { refusalSentences } from './request-text.ts';

/** Where requests are made and decided on: the store they are in, and the trail that has to have each of them. */
export type RequestDesk = {
  readonly control: ControlStore;
  /** Resolves when the event is durable. */
  readonly record: (draft: AuditDraft) => Promise<void>;
  readonly now: () => number;
};

/** What somebody asks for. */
export type Wish = {
  readonly id: string;
  readonly identity: string;
  readonly target: AccessRequest['target'];
  readonly login: string;
  readonly actions: readonly string[];
  readonly reason: string;
  readonly ticket?: string;
  readonly forMs: number;
  readonly decideWithinMs: number;
  readonly needed: number;
};

export type RequestOutcome =
  | { readonly kind: 'changed'; readonly request: AccessRequest; readonly grant?: AccessGrant }
  | { readonly kind: 'unknown' }
  | {
      readonly kind: 'refused';
      readonly why: DecisionRefusal | 'not-allowed';
      readonly message: string;
      readonly request: AccessRequest;
    };

/** Requests of one identity that wait at the same time. */
const maxWaiting = 10;
/** A decided request can be looked at so long; the trail has it for good. */
const keptMs = 86_400_000;
/** One by break-glass waits so long to be looked at. */
const reviewMs = 30 * 86_400_000;
/** Tries at a request that others keep changing. */
const maxConflicts = 16;

/** Asks. On record before anybody can see it. `too-many` where the identity has that many waiting. */
export async function openRequest(
  desk: RequestDesk,
  actor: AccessActor,
  wish: Wish,
): Promise<AccessRequest | 'too-many'> {
  const { control, record, now } = desk;
  if ((await waitingOf(desk, wish.identity)).length >= maxWaiting) return 'too-many';
  const request = requestOf(wish, now(), false);
  await record(requestAccess(actor, now(), request));
  await control.put('request', request.id, request, { kind: 'absent' }, keepUntil(request));
  return request;
}

/** Takes access without approval. On record before the grant is there. */
export async function breakGlass(
  desk: RequestDesk,
  actor: AccessActor,
  wish: Wish,
): Promise<{ readonly request: AccessRequest; readonly grant: AccessGrant }> {
  const { control, record, now } = desk;
  const request: AccessRequest = { ...requestOf(wish, now(), true), state: 'approved' };
  const grant = grantOf(request);
  await record(takeByBreakGlass(actor, now(), { request, grant }));
  await control.put('request', request.id, request, { kind: 'absent' }, keepUntil(request));
  await putGrant(desk, request, grant, 'make');
  return { request, grant };
}

/**
 * Decides. The decision is claimed first, so that of two at once each counts once; then it is on record, and only then the grant
 * is there. An approval whose grant was never made (whoever approved was cut off in between) is completed by giving it again.
 * `mayDecide` says why not, in policy's words, of whoever is not asking for themselves.
 */
export async function decideRequest(
  desk: RequestDesk,
  actor: AccessActor,
  id: string,
  decision: AccessDecision,
  mayDecide: (request: AccessRequest) => Promise<Refusal | undefined>,
): Promise<RequestOutcome> {
  for (let conflict = 0; conflict < maxConflicts; conflict += 1) {
    const item = await desk.control.get('request', id);
    if (item === undefined) return { kind: 'unknown' };
    const request = item.data;
    const denied = decision.kind === 'cancel' ? undefined : await mayDecide(request);
    const nowMs = desk.now();
    const result = applyDecision(request, decision, nowMs);
    if (result.kind === 'refused' && result.why === 'approved-before' && denied === undefined) {
      const completed = await completeGrant(desk, actor, decision, request);
      if (completed !== undefined) return completed;
    }
    // Whose request it is comes before what policy says: it is true whatever that says.
    const refusal = result.kind === 'refused' ? refusalFor(result.why) : denied;
    if (result.kind === 'refused' || refusal !== undefined) {
      await desk.record(decisionEvent(actor, nowMs, decision, request, undefined, refusal));
      const why = result.kind === 'refused' ? result.why : 'not-allowed';
      return { kind: 'refused', why, message: refusal?.message ?? '', request };
    }
    const version = await desk.control.put(
      'request',
      id,
      result.request,
      { kind: 'version', version: item.version },
      keepUntil(result.request),
    );
    if (version === undefined) continue;
    await desk.record(decisionEvent(actor, nowMs, decision, result.request, result.grant));
    if (result.grant !== undefined)
      await putGrant(desk, result.request, result.grant, isFirst(decision, request) ? 'make' : 'change');
    return {
      kind: 'changed',
      request: result.request,
      ...(result.grant === undefined ? {} : { grant: result.grant }),
    };
  }
  throw new GrantError('contended', `the request ${id} changed all the time; try again`);
}

/** Says of every request whose time is over that it is; each is said once, whoever looks. */
export async function expireRequests(desk: RequestDesk, proxyId: string): Promise<void> {
  const { control, record, now } = desk;
  for (const { id, data, version } of await control.list('request')) {
    const over = expired(data, now());
    if (over === undefined) continue;
    const claimed = await control.put('request', id, over, { kind: 'version', version }, keepUntil(over));
    if (claimed !== undefined) await record(expireRequest(proxyId, now(), over));
  }
}

/** Those that wait now, of one identity, oldest first. */
export async function waitingOf(
  { control, now }: RequestDesk,
  identity: string,
): Promise<readonly AccessRequest[]> {
  return (await control.list('request'))
    .map(({ data }) => data)
    .filter((request) => sameIdentity(request.identity, identity) && stateAt(request, now()) === 'waiting')
    .sort((one, other) => one.askedAtMs - other.askedAtMs);
}

/** The grants that are good now. */
export async function goodGrants(
  { control, now }: { readonly control: Pick<ControlStore, 'list'>; readonly now: () => number },
  holder: GrantHolder,
): Promise<readonly AccessGrant[]> {
  const nowMs = now();
  return (await control.list('grant'))
    .map(({ data }) => data)
    .filter((grant) => isGoodAt(grant, nowMs) && isFor(grant, holder));
}

/** Newest first. */
export async function listRequests(control: ControlStore): Promise<readonly AccessRequest[]> {
  return (await control.list('request'))
    .map(({ data }) => data)
    .sort((one, other) => other.askedAtMs - one.askedAtMs);
}

function requestOf(wish: Wish, nowMs: number, isBreakGlass: boolean): AccessRequest {
  const { decideWithinMs, ...rest } = wish;
  return {
    ...rest,
    askedAtMs: nowMs,
    expiresAtMs: nowMs + decideWithinMs,
    state: 'waiting',
    approvals: [],
    breakGlass: isBreakGlass,
  };
}

function keepUntil(request: AccessRequest): number {
  const over = Math.max(request.expiresAtMs, request.askedAtMs + request.forMs);
  return over + (request.breakGlass && request.review === undefined ? reviewMs : keptMs);
}

function isFirst(decision: AccessDecision, before: AccessRequest): boolean {
  return decision.kind === 'approve' && !before.breakGlass;
}

/** What makes a grant needs it absent, and what ends one writes it: so one that was ended before it was made is never made. */
async function putGrant(
  { control }: RequestDesk,
  request: AccessRequest,
  grant: AccessGrant,
  how: 'make' | 'change',
): Promise<void> {
  const keptUntilMs = grantOf(request).untilMs + keptMs;
  if (how === 'make') {
    await control.put('grant', grant.id, grant, { kind: 'absent' }, keptUntilMs);
    return;
  }
  for (let conflict = 0; conflict < maxConflicts; conflict += 1) {
    const there = await control.get('grant', grant.id);
    const kept =
      there === undefined ? grant : { ...grant, untilMs: Math.min(grant.untilMs, there.data.untilMs) };
    const condition =
      there === undefined
        ? ({ kind: 'absent' } as const)
        : ({ kind: 'version', version: there.version } as const);
    if ((await control.put('grant', grant.id, kept, condition, keptUntilMs)) !== undefined) return;
  }
  throw new GrantError('contended', `the grant ${grant.id} changed all the time; try again`);
}

/** For who gave the last approval and was cut off before the grant was there. */
async function completeGrant(
  desk: RequestDesk,
  actor: AccessActor,
  decision: AccessDecision,
  request: AccessRequest,
): Promise<RequestOutcome | undefined> {
  const last = request.approvals.at(-1);
  if (request.state !== 'approved' || request.breakGlass) return undefined;
  if (last === undefined || !sameIdentity(last.by, decision.by)) return undefined;
  if ((await desk.control.get('grant', grantIdOf(request.id))) !== undefined) return undefined;
  const grant = grantOf(request);
  if (!isGoodAt(grant, desk.now())) return undefined;
  await desk.record(decisionEvent(actor, desk.now(), decision, request, grant));
  await putGrant(desk, request, grant, 'make');
  return { kind: 'changed', request, grant };
}

function refusalFor(why: DecisionRefusal): Refusal {
  return { errorCode: 'AccessDenied', denyReason: why, message: refusalSentences[why] };
}

function decisionEvent(
  actor: AccessActor,
  atMs: number,
  { kind, reason }: AccessDecision,
  request: AccessRequest,
  grant: AccessGrant | undefined,
  refused?: Refusal,
): AuditDraft {
  switch (kind) {
    case 'approve':
      return approveRequest(actor, atMs, { request, reason, grant, refused });
    case 'reject':
      return rejectRequest(actor, atMs, { request, reason, refused });
    case 'cancel':
      return cancelRequest(actor, atMs, { request, reason, refused });
  }
}
