import type { AccessGrant, AccessRequest } from '#core/contract';

/** Why a decision on a request counts for nothing; a closed list. */
export type DecisionRefusal =
  | 'own-request'
  | 'approved-before'
  | 'not-own-request'
  | 'decided-before'
  | 'expired';

export type AccessDecision =
  | { readonly kind: 'approve'; readonly by: string; readonly reason: string }
  | { readonly kind: 'reject'; readonly by: string; readonly reason: string }
  /** By whoever asked: the wish is taken back, or what was granted is given back. */
  | { readonly kind: 'cancel'; readonly by: string; readonly reason: string };

export type DecisionResult =
  | {
      readonly kind: 'changed';
      readonly request: AccessRequest;
      /** What the decision makes of the grant; absent where it leaves it as it is. */
      readonly grant?: AccessGrant;
    }
  | { readonly kind: 'refused'; readonly why: DecisionRefusal };

/** What the state is now: a request that waits does so until its time is over. */
export function stateAt(request: AccessRequest, nowMs: number): AccessRequest['state'] {
  return request.state === 'waiting' && nowMs >= request.expiresAtMs ? 'expired' : request.state;
}

/** Applies a decision. Pure, so that whoever loses a race can look again and apply it to what is there then. */
export function applyDecision(
  request: AccessRequest,
  decision: AccessDecision,
  nowMs: number,
): DecisionResult {
  const isOwn = sameIdentity(request.identity, decision.by);
  if (decision.kind === 'cancel') return isOwn ? cancelled(request, decision, nowMs) : no('not-own-request');
  if (isOwn) return no('own-request');
  if (request.breakGlass) return reviewed(request, decision, nowMs);
  const state = stateAt(request, nowMs);
  if (decision.kind === 'approve' && request.approvals.some(({ by }) => sameIdentity(by, decision.by)))
    return no('approved-before');
  if (state === 'expired') return no('expired');
  if (state !== 'waiting') return no('decided-before');
  if (decision.kind === 'reject') return settled(request, 'rejected', decision, nowMs);
  const approvals = [...request.approvals, { by: decision.by, atMs: nowMs }];
  if (approvals.length < request.needed) return { kind: 'changed', request: { ...request, approvals } };
  const approved = { ...request, approvals, state: 'approved' } as const;
  return { kind: 'changed', request: approved, grant: grantOf(approved) };
}

/** The request as one that nobody decided on in time; undefined where that is not so. */
export function expired(request: AccessRequest, nowMs: number): AccessRequest | undefined {
  return request.state === 'waiting' && nowMs >= request.expiresAtMs
    ? { ...request, state: 'expired' }
    : undefined;
}

/** The grant that follows from an approved request, or from one by break-glass: the same one whoever works it out. */
export function grantOf(request: AccessRequest): AccessGrant {
  const fromMs = request.breakGlass
    ? request.askedAtMs
    : Math.max(request.askedAtMs, ...request.approvals.map(({ atMs }) => atMs));
  return {
    id: grantIdOf(request.id),
    requestId: request.id,
    identity: request.identity,
    target: request.target.name,
    login: request.login,
    actions: request.actions,
    fromMs,
    untilMs: fromMs + request.forMs,
    approvedBy: request.approvals.map(({ by }) => by),
    breakGlass: request.breakGlass,
  };
}

export function grantIdOf(requestId: string): string {
  return `g-${requestId.slice(2)}`;
}

export function isRequestId(text: string): boolean {
  return /^r-[0-9a-f]{32}$/.test(text);
}

/** Names of identities differ by more than case; a case apart is not somebody else. */
export function sameIdentity(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function cancelled(request: AccessRequest, decision: AccessDecision, nowMs: number): DecisionResult {
  const state = stateAt(request, nowMs);
  if (state === 'waiting') return settled(request, 'cancelled', decision, nowMs);
  if (state === 'expired') return no('expired');
  if (state !== 'approved') return no('decided-before');
  const grant = grantOf(request);
  if (grant.untilMs <= nowMs) return no('expired');
  const result = settled(request, 'cancelled', decision, nowMs);
  return { ...result, grant: ended(grant, nowMs) };
}

/** Afterwards somebody says whether breaking the glass was right; if not, what is left of the access ends. */
function reviewed(request: AccessRequest, decision: AccessDecision, nowMs: number): DecisionResult {
  if (request.review !== undefined) return no('decided-before');
  const { by, reason } = decision;
  if (decision.kind === 'reject') {
    const review = { by, atMs: nowMs, outcome: 'rejected', reason } as const;
    const grant = grantOf(request);
    return {
      kind: 'changed',
      request: { ...request, review },
      ...(request.state === 'approved' && grant.untilMs > nowMs ? { grant: ended(grant, nowMs) } : {}),
    };
  }
  const review = { by, atMs: nowMs, outcome: 'approved', reason } as const;
  const approved = { ...request, review, approvals: [...request.approvals, { by, atMs: nowMs }] };
  const grant = grantOf(approved);
  return {
    kind: 'changed',
    request: approved,
    ...(request.state === 'approved' && grant.untilMs > nowMs ? { grant } : {}),
  };
}

function settled(
  request: AccessRequest,
  state: 'rejected' | 'cancelled',
  { by, reason }: AccessDecision,
  nowMs: number,
) {
  return {
    kind: 'changed',
    request: { ...request, state, decided: { by, atMs: nowMs, reason } },
  } as const;
}

function ended(grant: AccessGrant, nowMs: number): AccessGrant {
  return { ...grant, untilMs: Math.max(grant.fromMs, nowMs) };
}

function no(why: DecisionRefusal): DecisionResult {
  return { kind: 'refused', why };
}
