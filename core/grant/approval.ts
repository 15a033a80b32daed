import type { AccessGrant } from '#core/contract';
import { sameIdentity } from './access-request.ts';

/** Whom a grant has to be for. */
export type GrantHolder = {
  readonly identity: string;
  readonly target: string;
  readonly login: string;
};

/** What the grants that are good now say of one action: the approval of one of them, never of several added up. */
export function approvalBy(
  grants: readonly AccessGrant[],
  holder: GrantHolder,
  action: string,
  nowMs: number,
): { readonly count: number; readonly breakGlass: boolean } | undefined {
  const good = grants.filter(
    (grant) => isGoodAt(grant, nowMs) && isFor(grant, holder) && coversAction(grant, action),
  );
  if (good.length === 0) return undefined;
  return {
    count: Math.max(...good.map(({ approvedBy }) => approvedBy.length)),
    breakGlass: good.some(({ breakGlass }) => breakGlass),
  };
}

export function isGoodAt({ fromMs, untilMs }: AccessGrant, nowMs: number): boolean {
  return fromMs <= nowMs && nowMs < untilMs;
}

export function isFor(grant: AccessGrant, { identity, target, login }: GrantHolder): boolean {
  return grant.target === target && grant.login === login && sameIdentity(grant.identity, identity);
}

function coversAction({ actions }: AccessGrant, action: string): boolean {
  return actions.includes('*') || actions.includes(action);
}
