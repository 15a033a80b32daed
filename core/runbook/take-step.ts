import type {
  ActionTaken,
  ControlItem,
  ControlStore,
  Finding,
  Journal,
  Notice,
  Notifier,
  Row,
} from '#core/contract';
import { executeRunbookStep, type RunbookRun, requestStepApproval } from '#core/event';
import type { ActionExecutor } from './action-executor.ts';
import { giveBackAllowance, takeAllowance } from './allowance.ts';
import { type Decision, maxAttempts, stepLeaseMs } from './decide-actions.ts';
import { takeLockStep } from './lock-step.ts';
import { findingNotice, stepNotice } from './notice.ts';
import { fillTemplate, printable } from './printable-text.ts';
import type { Runbook, RunbookStep } from './runbook.ts';
import { RunbookError } from './runbook-error.ts';

/** What steps act through. */
export type StepTools = {
  readonly control: ControlStore;
  readonly journal: Journal;
  readonly notifier: Notifier;
  readonly actions: ActionExecutor;
  readonly now: () => number;
};

/** One finding under a run's hands. */
export type FindingWork = {
  readonly finding: Finding;
  readonly rows: readonly Row[];
  /** When the finding and its steps are forgotten. */
  readonly expiresAtMs: number;
  readonly decisions: readonly Decision[];
};

/** How a step came out; undefined: another run took it first. */
export type StepResult = ActionTaken | undefined;

const maxDetailLength = 500;

/**
 * Claims the step, acts, writes the event, then the outcome. The claim is a conditional write, so of two runs one acts; a run
 * that is cut off in between leaves the claim, and after its lease the step is taken again, which its action allows.
 */
export async function takeStep(
  runbook: Runbook,
  run: RunbookRun,
  work: FindingWork,
  index: number,
  tools: StepTools,
): Promise<StepResult> {
  const step = stepAt(runbook, index);
  const claim = await claimStep(work, index, step.action, tools);
  if (claim === undefined) return undefined;
  const over = await takeAllowance(work, step, tools);
  if (over !== undefined && step.limit?.onExceed === 'approve')
    return ask(runbook, run, work, index, { claim, reason: over }, tools);
  const outcome =
    over === undefined
      ? await perform(runbook, work, step, claim, tools)
      : ({ outcome: 'not-needed', detail: over } as const);
  await tools.journal.record(
    executeRunbookStep(run, tools.now(), {
      findingKey: work.finding.key,
      sessionId: work.finding.columns['session_id'],
      step: index,
      action: step.action,
      ...outcome,
    }),
  );
  return settle(work, index, claim, outcome, tools);
}

async function perform(
  runbook: Runbook,
  work: FindingWork,
  step: RunbookStep,
  claim: Claim,
  tools: StepTools,
): Promise<Outcome> {
  const outcome = await attempt(runbook, work, step, tools);
  // Only what was done counts.
  if (outcome.outcome !== 'done') await giveBackAllowance(work, step, tools);
  return tellWhenGivenUp(runbook, work, step, claim, outcome, tools);
}

/** A step that will not be tried again is somebody's business. */
async function tellWhenGivenUp(
  runbook: Runbook,
  work: FindingWork,
  step: RunbookStep,
  claim: Claim,
  outcome: Outcome,
  tools: StepTools,
): Promise<Outcome> {
  if (outcome.outcome !== 'failed' || claim.attempts < maxAttempts || step.action === 'notify')
    return outcome;
  const notice = stepNotice(runbook, work.finding, {
    action: step.action,
    reason: outcome.detail,
    kind: 'given-up',
  });
  const told = await notifyFailure(notice, tools);
  return told === undefined
    ? outcome
    : { ...outcome, detail: `${outcome.detail}; people could not be told: ${told}` };
}

/** What went wrong, or undefined. */
async function notifyFailure(notice: Notice, tools: StepTools): Promise<string | undefined> {
  try {
    await tools.notifier.notify(notice);
    return undefined;
  } catch (error) {
    return failureText(error);
  }
}

/** Asks people for the step, once. */
export async function askForStep(
  runbook: Runbook,
  run: RunbookRun,
  work: FindingWork,
  index: number,
  tools: StepTools,
): Promise<StepResult> {
  const step = stepAt(runbook, index);
  const reason = work.decisions.find((decision) => decision.step === index)?.reason ?? 'approval needed';
  const claim = await claimStep(work, index, step.action, tools);
  return claim === undefined ? undefined : ask(runbook, run, work, index, { claim, reason }, tools);
}

async function ask(
  runbook: Runbook,
  run: RunbookRun,
  work: FindingWork,
  index: number,
  { claim, reason }: { readonly claim: Claim; readonly reason: string },
  tools: StepTools,
): Promise<StepResult> {
  const step = stepAt(runbook, index);
  await tools.journal.record(
    requestStepApproval(run, tools.now(), {
      findingKey: work.finding.key,
      sessionId: work.finding.columns['session_id'],
      step: index,
      action: step.action,
      reason,
    }),
  );
  // A request that nobody heard of is made again by the next run.
  const failure = await notifyFailure(
    stepNotice(runbook, work.finding, { action: step.action, reason, kind: 'approval' }),
    tools,
  );
  const outcome: Outcome =
    failure === undefined
      ? { outcome: 'waiting-approval', detail: reason }
      : { outcome: 'failed', detail: `people could not be asked: ${failure}` };
  return settle(work, index, claim, outcome, tools);
}

export function findingId(runbookId: string, key: string): string {
  return `${runbookId}:${key}`;
}

export function stepId(runbookId: string, key: string, index: number): string {
  return `${findingId(runbookId, key)}:${index}`;
}

/** Earlier outcomes of a finding's steps, by their place. */
export async function stepsTaken(
  runbook: Runbook,
  key: string,
  control: ControlStore,
): Promise<ReadonlyMap<number, ActionTaken>> {
  const items = await Promise.all(
    runbook.steps.map((_, index) => control.get('action', stepId(runbook.id, key, index))),
  );
  return new Map(items.flatMap((item, index) => (item === undefined ? [] : [[index, item.data] as const])));
}

export type Claim = { readonly version: number; readonly attempts: number };
export type Outcome = Pick<ActionTaken, 'outcome' | 'detail'>;

/** Undefined when somebody else put the item meanwhile. `from`: the item the decision was made on, where it is known. */
export async function claimStep(
  work: FindingWork,
  index: number,
  action: string,
  tools: StepTools,
  from?: ControlItem<'action'>,
): Promise<Claim | undefined> {
  const { finding } = work;
  const id = stepId(finding.runbookId, finding.key, index);
  const current = from ?? (await tools.control.get('action', id));
  if (from === undefined && isSettled(current?.data, tools.now())) return undefined;
  const attempts =
    current === undefined ? 1 : (current.data.attempts ?? 1) + (current.data.outcome === 'failed' ? 1 : 0);
  const claimed: ActionTaken = {
    runbookId: finding.runbookId,
    findingKey: finding.key,
    action,
    atMs: tools.now(),
    outcome: 'planned',
    detail: '',
    attempts,
  };
  const version = await tools.control.put(
    'action',
    id,
    claimed,
    current === undefined ? { kind: 'absent' } : { kind: 'version', version: current.version },
    work.expiresAtMs,
  );
  return version === undefined ? undefined : { version, attempts };
}

export async function settle(
  work: FindingWork,
  index: number,
  claim: Claim,
  outcome: Outcome,
  tools: StepTools,
): Promise<StepResult> {
  const { finding } = work;
  const decision = work.decisions.find((each) => each.step === index);
  const taken: ActionTaken = {
    runbookId: finding.runbookId,
    findingKey: finding.key,
    action: decision?.action ?? '',
    atMs: tools.now(),
    ...outcome,
    attempts: claim.attempts,
  };
  const version = await tools.control.put(
    'action',
    stepId(finding.runbookId, finding.key, index),
    taken,
    { kind: 'version', version: claim.version },
    work.expiresAtMs,
  );
  return version === undefined ? undefined : taken;
}

/** A failure is an outcome: it is recorded, and the next run tries again. */
export async function attempt(
  runbook: Runbook,
  work: FindingWork,
  step: RunbookStep,
  tools: StepTools,
): Promise<Outcome> {
  try {
    return await act(runbook, work, step, tools);
  } catch (error) {
    return { outcome: 'failed', detail: failureText(error) };
  }
}

function failureText(error: unknown): string {
  return printable(error instanceof Error ? error.message : String(error), maxDetailLength);
}

async function act(
  runbook: Runbook,
  work: FindingWork,
  step: RunbookStep,
  tools: StepTools,
): Promise<Outcome> {
  const { finding } = work;
  switch (step.action) {
    case 'evidence.snapshot':
      return { outcome: 'done', detail: await tools.actions.snapshot(finding, work.rows) };
    case 'notify':
      await tools.notifier.notify(findingNotice(runbook, finding, work.decisions));
      return { outcome: 'done', detail: 'people were told' };
    case 'session.revoke': {
      const session = finding.columns['session_id'];
      if (session === undefined) return { outcome: 'failed', detail: 'the finding names no session' };
      // The log may be minutes old; only what is open now is ended.
      if (!(await tools.actions.sessionIsOpen(session)))
        return { outcome: 'not-needed', detail: 'the session is not open any more' };
      const message = fillTemplate(step.message ?? runbook.title, finding.columns);
      const answer = await tools.actions.revokeSession(session, { by: `runbook/${runbook.id}`, message });
      return answer === 'asked'
        ? { outcome: 'done', detail: 'the gateway was asked to end the session' }
        : { outcome: 'not-needed', detail: 'the session was being ended already' };
    }
    case 'source.block':
    case 'principal.lock':
    case 'key.revoke':
      return takeLockStep(runbook, finding, { ...step, action: step.action }, tools);
    default:
      return step.action satisfies never;
  }
}

function isSettled(taken: ActionTaken | undefined, nowMs: number): boolean {
  switch (taken?.outcome) {
    case undefined:
    case 'failed':
      return false;
    case 'planned':
      return nowMs - taken.atMs < stepLeaseMs;
    default:
      return true;
  }
}

export function stepAt(runbook: Runbook, index: number): RunbookStep {
  const step = runbook.steps[index];
  if (step === undefined)
    throw new RunbookError('approval', `${runbook.id} has no step ${index}; it has ${runbook.steps.length}`);
  return step;
}
