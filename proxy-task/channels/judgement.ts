import type { AuditDraft } from '#core/contract';
import { denyAccess, type Refusal } from '#core/event';
import type { PolicyAction } from '#core/policy';
import type { Verdict } from '#ssh';
import { type Denial, refusalOf } from '../session-access.ts';
import type { ChannelOwner } from './channel-owner.ts';

/** What shells say of a command that may not be run. */
export const refusedExitStatus = 126;
export const pass: Verdict = { kind: 'pass' };

/** Asks policy, puts the answer on record, and says it. The event bears the name of what was attempted either way. */
export async function judge(
  owner: ChannelOwner,
  actions: PolicyAction | readonly PolicyAction[],
  event: (refused: Refusal | undefined) => AuditDraft,
): Promise<Verdict> {
  const denial = await firstDenial(owner, [actions].flat());
  if (denial === undefined) {
    await owner.record(event(undefined));
    return pass;
  }
  const refusal = refusalOf(denial);
  await owner.record(event(refusal));
  return refusedBy(owner, refusal);
}

/** While its end is on its way nothing new begins in a session that is locked; undefined where it is not. */
export function judgeLock(
  owner: Pick<ChannelOwner, 'facts' | 'now' | 'record' | 'locked'>,
): Promise<Verdict> | undefined {
  const refusal = owner.locked();
  if (refusal === undefined) return undefined;
  return owner.record(denyAccess(owner.facts, owner.now(), refusal)).then(() => refusedBy(owner, refusal));
}

function refusedBy({ facts }: Pick<ChannelOwner, 'facts'>, { message }: Refusal): Verdict {
  return {
    kind: 'refuse',
    openFailureReason: 1,
    exitStatus: refusedExitStatus,
    message: `sshtrail: ${message} (session ${facts.sessionId})`,
  };
}

/** All of them must be allowed. */
async function firstDenial(
  owner: ChannelOwner,
  actions: readonly PolicyAction[],
): Promise<Denial | undefined> {
  for (const action of actions) {
    const decision = await owner.access.decideAnew(action);
    if (!decision.allowed) return decision;
  }
  return undefined;
}
