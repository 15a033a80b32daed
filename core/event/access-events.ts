import type { AccessGrant, AccessRequest, AuditDraft } from '#core/contract';
import { apiActor, type ProvedCaller } from './api-events.ts';
import { type Actor, draft, type Fields, isoTime, type Refusal } from './draft.ts';
import { actorOf, authorIdentity, type IdentityFacts, type LoginAttempt, serviceActor } from './facts.ts';

/** Who asks for access or decides on it, and by which way they came. */
export type AccessActor =
  | { readonly kind: 'login'; readonly attempt: LoginAttempt }
  /** At the machine itself: `account` is the operating system's, whose word for the identity is all there is. */
  | { readonly kind: 'hand'; readonly identity: IdentityFacts; readonly account: string }
  | { readonly kind: 'api'; readonly caller: ProvedCaller }
  | { readonly kind: 'proxy'; readonly proxyId: string };

export function requestAccess(
  actor: AccessActor,
  atMs: number,
  request: AccessRequest,
  refusal?: Refusal,
): AuditDraft {
  return draft('RequestAccess', atMs, actorFor(actor, atMs), {
    request: {
      ...requestFields(request),
      reason: request.reason,
      ticket: request.ticket,
      forSeconds: request.forMs / 1000,
      neededApprovals: request.needed,
      decideUntil: isoTime(request.expiresAtMs),
    },
    refusal,
  });
}

/** `request` is as it stands after the decision; with a refusal, as it stood. */
export function approveRequest(
  actor: AccessActor,
  atMs: number,
  what: {
    readonly request: AccessRequest;
    readonly reason: string;
    /** Where this was the approval that made one. */
    readonly grant?: AccessGrant | undefined;
    readonly refused?: Refusal | undefined;
  },
): AuditDraft {
  return draft('ApproveRequest', atMs, actorFor(actor, atMs), {
    request: { ...subjectFields(what.request), reason: what.reason },
    response: {
      ...stateFields(what.request),
      grantId: what.grant?.id,
      grantUntil: isoTime(what.grant?.untilMs),
    },
    refusal: what.refused,
  });
}

export function rejectRequest(
  actor: AccessActor,
  atMs: number,
  what: { readonly request: AccessRequest; readonly reason: string; readonly refused?: Refusal | undefined },
): AuditDraft {
  return decided('RejectRequest', actor, atMs, what);
}

export function cancelRequest(
  actor: AccessActor,
  atMs: number,
  what: { readonly request: AccessRequest; readonly reason: string; readonly refused?: Refusal | undefined },
): AuditDraft {
  return decided('CancelRequest', actor, atMs, what);
}

/** Nobody decided in time. */
export function expireRequest(proxyId: string, atMs: number, request: AccessRequest): AuditDraft {
  return decided('ExpireRequest', { kind: 'proxy', proxyId }, atMs, {
    request,
    reason: 'nobody decided in time',
  });
}

/** Access without approval; before it is used. */
export function takeByBreakGlass(
  actor: AccessActor,
  atMs: number,
  what: { readonly request: AccessRequest; readonly grant: AccessGrant },
): AuditDraft {
  return draft('UseBreakGlass', atMs, actorFor(actor, atMs), {
    request: {
      ...requestFields(what.request),
      reason: what.request.reason,
      ticket: what.request.ticket,
      forSeconds: what.request.forMs / 1000,
    },
    response: { grantId: what.grant.id, grantUntil: isoTime(what.grant.untilMs) },
  });
}

function decided(
  name: 'RejectRequest' | 'CancelRequest' | 'ExpireRequest',
  actor: AccessActor,
  atMs: number,
  what: { readonly request: AccessRequest; readonly reason: string; readonly refused?: Refusal | undefined },
): AuditDraft {
  return draft(name, atMs, actorFor(actor, atMs), {
    request: { ...subjectFields(what.request), reason: what.reason },
    response: stateFields(what.request),
    refusal: what.refused,
  });
}

function actorFor(actor: AccessActor, atMs: number): Actor {
  switch (actor.kind) {
    case 'login':
      return actorOf(actor.attempt, atMs);
    case 'hand': {
      const { name, principalId, type } = actor.identity;
      return {
        userIdentity: { ...authorIdentity(name), type, principalId },
        userAgent: 'sshtrail',
        additional: { account: actor.account },
      };
    }
    case 'api':
      return apiActor(actor.caller, atMs);
    case 'proxy':
      return serviceActor(`proxy/${actor.proxyId}`, { proxyId: actor.proxyId });
  }
}

function requestFields(request: AccessRequest): Fields {
  return {
    requestId: request.id,
    target: request.target.name,
    targetHost: request.target.host,
    targetPort: request.target.port,
    targetUser: request.login,
    actions: request.actions.join(' '),
  };
}

/** Of somebody else's request: whose it is. */
function subjectFields(request: AccessRequest): Fields {
  return { ...requestFields(request), subjectName: request.identity };
}

function stateFields(request: AccessRequest): Fields {
  return {
    state: request.state,
    approvals: request.approvals.length,
    approvedBy: request.approvals.map(({ by }) => by).join(' ') || undefined,
    neededApprovals: request.needed,
    breakGlass: request.breakGlass,
    review: request.review?.outcome,
  };
}
