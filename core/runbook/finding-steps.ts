import type { ActionTaken, ControlStore, Finding, Row } from '#core/contract';
import type { RunbookRun } from '#core/event';
import { containingActions } from './action-catalogue.ts';
import { type Decision, decideActions } from './decide-actions.ts';
import type { Runbook } from './runbook.ts';
import { RunbookError } from './runbook-error.ts';
import {
  askForStep,
  type FindingWork,
  findingId,
  type StepTools,
  stepsTaken,
  takeStep,
} from './take-step.ts';

/** A runbook and what its steps act through. */
export type ResponseTools = StepTools & { readonly runbook: Runbook };

/** How often the runbook took each action. */
export type ActionCounts = { readonly run: Map<string, number>; readonly hour: Map<string, number> };

export type StepReport = { readonly step: number; readonly taken: ActionTaken };

/** What was done about one finding. */
export type Response = {
  readonly decisions: readonly Decision[];
  readonly steps: readonly StepReport[];
  /** Another run has taken the finding meanwhile. */
  readonly interrupted: boolean;
};

const hourMs = 3_600_000;
const maxCloseAttempts = 5;

/** @throws RunbookError `not-runnable` */
export function refuseUnlessRunnable({ id, status }: Runbook, dryRun: boolean): void {
  if (!dryRun && (status === 'draft' || status === 'deprecated'))
    throw new RunbookError('not-runnable', `${id} is ${status}; only a dry run of it is possible`);
}

/** What the runbook took in the hour before now. */
export async function takenLastHour(
  runbook: Runbook,
  control: ControlStore,
  nowMs: number,
): Promise<Map<string, number>> {
  const hour = new Map<string, number>();
  for (const { data } of await control.list('action'))
    if (data.runbookId === runbook.id && data.outcome === 'done' && data.atMs > nowMs - hourMs)
      hour.set(data.action, (hour.get(data.action) ?? 0) + 1);
  return hour;
}

/** What would be done about the finding, with live state; counted as if it were done. */
export async function foreseeSteps(
  tools: ResponseTools,
  finding: Finding,
  counts: ActionCounts,
): Promise<readonly Decision[]> {
  const decisions = await Promise.all(
    (await decide(tools, finding, counts)).map((decision) => withLiveState(tools, finding, decision)),
  );
  for (const { kind, action } of decisions) if (kind === 'take') countAction(counts, action);
  return decisions;
}

/** Takes the steps that are to be taken, in their order; of those that `only` names, where it is given. */
export async function takeSteps(
  tools: ResponseTools,
  run: RunbookRun,
  subject: { readonly finding: Finding; readonly rows: readonly Row[]; readonly expiresAtMs: number },
  counts: ActionCounts,
  only: (action: string) => boolean = () => true,
): Promise<Response> {
  const { finding, rows, expiresAtMs } = subject;
  const decisions = [...(await decide(tools, finding, counts))];
  const steps: StepReport[] = [];
  for (const [index, decision] of decisions.entries()) {
    if ((decision.kind !== 'take' && decision.kind !== 'ask') || !only(decision.action)) continue;
    const work: FindingWork = { finding, rows, expiresAtMs, decisions };
    const perform = decision.kind === 'take' ? takeStep : askForStep;
    const taken = await perform(tools.runbook, run, work, decision.step, tools);
    if (taken === undefined) return { decisions, steps, interrupted: true };
    steps.push({ step: decision.step, taken });
    if (taken.outcome === 'done') countAction(counts, decision.action);
    // A limit was reached meanwhile, by others.
    if (taken.outcome === 'waiting-approval')
      decisions[index] = { ...decision, kind: 'ask', reason: taken.detail };
    // Steps keep their order: what comes after a failure waits for the next run, so that evidence stays ahead of containment.
    if (taken.outcome === 'failed') break;
  }
  return { decisions, steps, interrupted: false };
}

/** Gives the finding the state that its steps say. */
export async function closeFinding(
  tools: ResponseTools,
  finding: Finding,
  stored: { readonly version: number; readonly expiresAtMs: number },
): Promise<Finding> {
  const { control, runbook } = tools;
  const id = findingId(finding.runbookId, finding.key);
  let current = { data: finding, version: stored.version };
  for (let attempt = 1; ; attempt += 1) {
    const { data, version } = current;
    const taken = await stepsTaken(runbook, finding.key, control);
    const closed: Finding = Object.assign({}, data, { state: stateAfter([...taken.values()]) });
    const put = await control.put('finding', id, closed, { kind: 'version', version }, stored.expiresAtMs);
    if (put !== undefined || attempt === maxCloseAttempts) return closed;
    // Somebody else says something of it at the same time; what its steps say is said again of what is there now.
    const there = await control.get('finding', id);
    if (there?.data.foundAtMs !== finding.foundAtMs) return closed;
    current = there;
  }
}

export async function decide(
  { runbook, control, now }: ResponseTools,
  finding: Finding,
  counts: ActionCounts,
): Promise<readonly Decision[]> {
  const taken = await stepsTaken(runbook, finding.key, control);
  const state = { taken, takenThisRun: counts.run, takenLastHour: counts.hour };
  const decisions = decideActions(finding, runbook.steps, state, now());
  if (runbook.status !== 'canary') return decisions;
  // A canary watches: what would change something is decided, said and not done.
  return decisions.map((decision): Decision => {
    const { step, action, kind } = decision;
    if (kind !== 'take' || !containingActions.includes(action)) return decision;
    return { step, action, kind: 'skip', reason: 'the runbook is a canary' };
  });
}

/** For CompleteRunbook. */
export function outcomeCounts(steps: readonly StepReport[]) {
  const count = (outcome: ActionTaken['outcome']) =>
    steps.filter(({ taken }) => taken.outcome === outcome).length;
  return {
    actionsDone: count('done'),
    actionsWaiting: count('waiting-approval'),
    actionsFailed: count('failed'),
  };
}

function countAction(counts: ActionCounts, action: string): void {
  counts.run.set(action, (counts.run.get(action) ?? 0) + 1);
  counts.hour.set(action, (counts.hour.get(action) ?? 0) + 1);
}

/** So that a dry run does not promise to end what is no longer open. */
async function withLiveState(tools: ResponseTools, finding: Finding, decision: Decision): Promise<Decision> {
  const session = finding.columns['session_id'];
  if (decision.kind !== 'take' || decision.action !== 'session.revoke' || session === undefined)
    return decision;
  const open = await tools.actions.sessionIsOpen(session).catch(() => undefined);
  if (open === undefined) return { ...decision, reason: 'automatic; whether it is open could not be read' };
  return open ? decision : { ...decision, kind: 'skip', reason: 'the session is not open any more' };
}

function stateAfter(taken: readonly ActionTaken[]): Finding['state'] {
  const has = (outcome: ActionTaken['outcome']) => taken.some((each) => each.outcome === outcome);
  if (has('failed')) return 'failed';
  if (has('waiting-approval')) return 'waiting-approval';
  return has('planned') ? 'open' : 'acted';
}
