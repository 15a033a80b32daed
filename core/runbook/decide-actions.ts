import type { ActionTaken, Finding } from '#core/contract';
import { actionClass } from './action-catalogue.ts';
import { isMet } from './condition.ts';
import type { RunbookStep } from './runbook.ts';

/** What is to be done about one step for one finding. */
export type Decision = {
  /** Place of the step, from 0. */
  readonly step: number;
  readonly action: string;
  /**
   * take: now. ask: a person must say yes. manual: a person does it. skip: the condition does not hold, or a limit says stop.
   * settled: nothing is left to do. wait: an approval or another run is under way.
   */
  readonly kind: 'take' | 'ask' | 'manual' | 'skip' | 'settled' | 'wait';
  readonly reason: string;
};

/** What earlier runs, and this run so far, have done. */
export type ActionState = {
  /** This finding's steps by their place. */
  readonly taken: ReadonlyMap<number, ActionTaken>;
  /** How often this runbook took an action in this run. */
  readonly takenThisRun: ReadonlyMap<string, number>;
  /** The same in the hour before now, this run included. */
  readonly takenLastHour: ReadonlyMap<string, number>;
};

/** After so many failures a step is left to people. */
export const maxAttempts = 3;
/** A step that was begun so long ago and has no outcome was cut off. */
export const stepLeaseMs = 60_000;

/** In the order of the steps. What an action's class forbids is not done whatever the runbook says. */
export function decideActions(
  finding: Finding,
  respond: readonly (Omit<RunbookStep, 'action'> & { readonly action: string })[],
  state: ActionState,
  nowMs: number,
): readonly Decision[] {
  return respond.map((step, index) => {
    const { kind, reason } =
      earlierDecision(state.taken.get(index), nowMs) ?? freshDecision(finding, step, state);
    return { step: index, action: step.action, kind, reason };
  });
}

type Answer = Pick<Decision, 'kind' | 'reason'>;

/** Undefined: the step is to be looked at afresh. */
function earlierDecision(taken: ActionTaken | undefined, nowMs: number): Answer | undefined {
  if (taken === undefined) return undefined;
  const { outcome } = taken;
  switch (outcome) {
    case 'done':
    case 'not-needed':
      return { kind: 'settled', reason: taken.detail };
    case 'waiting-approval':
      return { kind: 'wait', reason: 'waiting for approval' };
    case 'planned':
      return nowMs - taken.atMs < stepLeaseMs ? { kind: 'wait', reason: 'another run is at it' } : undefined;
    case 'failed':
      return (taken.attempts ?? 1) >= maxAttempts
        ? { kind: 'settled', reason: `given up after ${maxAttempts} attempts: ${taken.detail}` }
        : undefined;
    default:
      return outcome satisfies never;
  }
}

function freshDecision(
  finding: Finding,
  step: Omit<RunbookStep, 'action'> & { readonly action: string },
  state: ActionState,
): Answer {
  if (step.when !== undefined && !isMet(step.when, finding.columns))
    return { kind: 'skip', reason: 'its condition does not hold' };
  const grade = actionClass(step.action);
  if (grade === 'never') return { kind: 'manual', reason: `${step.action} is never done by a runbook` };
  if (step.mode === 'manual') return { kind: 'manual', reason: 'left to a person' };
  if (step.mode === 'approve') return { kind: 'ask', reason: 'the runbook asks for approval' };
  if (grade === 'approval') return { kind: 'ask', reason: `${step.action} always needs approval` };
  return withinLimit(step, state) ?? { kind: 'take', reason: 'automatic' };
}

function withinLimit(step: Pick<RunbookStep, 'limit'> & { readonly action: string }, state: ActionState) {
  const { limit } = step;
  if (limit === undefined) return undefined;
  const run = state.takenThisRun.get(step.action) ?? 0;
  const hour = state.takenLastHour.get(step.action) ?? 0;
  const over =
    limit.perRun !== undefined && run >= limit.perRun
      ? `the limit of ${limit.perRun} a run is reached`
      : limit.perHour !== undefined && hour >= limit.perHour
        ? `the limit of ${limit.perHour} an hour is reached`
        : undefined;
  if (over === undefined) return undefined;
  const kind: Decision['kind'] = limit.onExceed === 'approve' ? 'ask' : 'skip';
  return { kind, reason: over };
}
