import type { ActionTaken, Finding } from '#core/contract';
import { executeRunbookStep, type RunbookRun } from '#core/event';
import type { Runbook } from './runbook.ts';
import { RunbookError } from './runbook-error.ts';
import {
  attempt,
  claimStep,
  type FindingWork,
  findingId,
  type Outcome,
  type StepTools,
  settle,
  stepAt,
  stepId,
  stepsTaken,
} from './take-step.ts';

export type ApprovalOptions = StepTools & {
  readonly runbook: Runbook;
  readonly findingKey: string;
  /** Place of the step, from 0. */
  readonly step: number;
  /** Who says so. */
  readonly by: string;
  readonly answer: 'approve' | 'reject';
};

/** Approvals are asked of people who are there. */
const defaultExpiryMs = 4 * 3_600_000;

/**
 * A person's answer to a step that waits. Live state is read again before anything is done.
 * @throws RunbookError `approval` when nothing waits, it waited too long, or this person is whom the finding concerns.
 */
export async function answerStep(options: ApprovalOptions): Promise<ActionTaken> {
  const { runbook, findingKey, by, control, now } = options;
  const step = stepAt(runbook, options.step);
  const item = await control.get('action', stepId(runbook.id, findingKey, options.step));
  const stored = await control.get('finding', findingId(runbook.id, findingKey));
  if (item?.data.outcome !== 'waiting-approval' || stored === undefined)
    throw new RunbookError('approval', `step ${options.step} of ${runbook.id} does not wait for approval`);
  refuseSelf(stored.data, by, step.approvers?.notSelf ?? true);
  if (now() - item.data.atMs > (step.approvers?.expiresMs ?? defaultExpiryMs))
    throw new RunbookError(
      'approval',
      `the request for ${step.action} has expired; act by hand if it is still needed`,
    );
  const work: FindingWork = {
    finding: stored.data,
    rows: [],
    expiresAtMs: stored.expiresAtMs ?? now() + runbook.finding.suppressMs,
    decisions: [{ step: options.step, action: step.action, kind: 'take', reason: `approved by ${by}` }],
  };
  const claim = await claimStep(work, options.step, step.action, options, item);
  if (claim === undefined) throw new RunbookError('approval', 'somebody else answered at the same moment');
  const outcome = await answered(options, work);
  const run: RunbookRun = {
    runbookId: runbook.id,
    runId: `approval-${stepId(runbook.id, findingKey, options.step)}-${claim.version}`,
    mode: 'live',
    trigger: 'person',
    requestedBy: by,
  };
  await options.journal.record(
    executeRunbookStep(run, now(), {
      findingKey,
      sessionId: stored.data.columns['session_id'],
      step: options.step,
      action: step.action,
      ...outcome,
    }),
  );
  const taken = await settle(work, options.step, claim, outcome, options);
  if (taken === undefined)
    throw new RunbookError('approval', 'the step was changed while it was being taken');
  await closeFinding(options, stored.version, stored.data, work.expiresAtMs);
  return taken;
}

function refuseSelf(finding: Finding, by: string, notSelf: boolean): void {
  const { user_name: name, principal_id: principal } = finding.columns;
  if (by.startsWith('runbook/')) throw new RunbookError('approval', 'a runbook cannot approve');
  if (notSelf && (by === name || by === principal))
    throw new RunbookError('approval', `${by} is whom the finding concerns; somebody else must answer`);
}

async function answered(options: ApprovalOptions, work: FindingWork): Promise<Outcome> {
  if (options.answer === 'reject') return { outcome: 'not-needed', detail: `rejected by ${options.by}` };
  const outcome = await attempt(options.runbook, work, stepAt(options.runbook, options.step), options);
  return { ...outcome, detail: `${outcome.detail} (approved by ${options.by})` };
}

async function closeFinding(
  options: ApprovalOptions,
  version: number,
  finding: Finding,
  expiresAtMs: number,
): Promise<void> {
  const taken = await stepsTaken(options.runbook, finding.key, options.control);
  const outcomes = new Set([...taken.values()].map((each) => each.outcome));
  if (outcomes.has('waiting-approval')) return;
  const state: Finding['state'] = outcomes.has('failed') ? 'failed' : 'acted';
  await options.control.put(
    'finding',
    findingId(finding.runbookId, finding.key),
    { ...finding, state },
    { kind: 'version', version },
    expiresAtMs,
  );
}
