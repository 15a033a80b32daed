import { createHash } from 'node:crypto';
import type { Finding } from '#core/contract';
import { completeRunbook, type RunbookRun } from '#core/event';
import { takenForRun } from './allowance.ts';
import type { Decision } from './decide-actions.ts';
import {
  type ActionCounts,
  closeFinding,
  decide,
  foreseeSteps,
  outcomeCounts,
  type ResponseTools,
  refuseUnlessRunnable,
  type StepReport,
  takenLastHour,
  takeSteps,
} from './finding-steps.ts';
import { RunbookError } from './runbook-error.ts';
import { findingId } from './take-step.ts';

export type ResponseOptions = ResponseTools & {
  readonly findingKey: string;
  /** Decides and says what it would do; writes nothing. */
  readonly dryRun: boolean;
  readonly trigger: RunbookRun['trigger'];
  readonly requestedBy?: string;
};

export type ResponseReport = {
  readonly finding: Finding;
  readonly dryRun: boolean;
  readonly decisions: readonly Decision[];
  /** What this call did. */
  readonly steps: readonly StepReport[];
};

/**
 * Takes what is left of a stored finding's steps, as the run that found it would have: decided afresh, each claimed, limits kept,
 * live state read again. A step is taken once however often and by however many this is called, and each limit holds for all
 * of them together. Evidence is not frozen anew, since the rows are with the run that found them.
 * @throws RunbookError `finding` where there is none, `not-runnable`; JournalError
 */
export async function respondToFinding(options: ResponseOptions): Promise<ResponseReport> {
  const { runbook, findingKey, control, journal, dryRun, now } = options;
  refuseUnlessRunnable(runbook, dryRun);
  const stored = await control.get('finding', findingId(runbook.id, findingKey));
  if (stored === undefined || stored.data.runbookId !== runbook.id || stored.data.key !== findingKey)
    throw new RunbookError(
      'finding',
      `${runbook.id} has no finding ${JSON.stringify(findingKey)}; it was never found, or is forgotten by now`,
    );
  const finding = stored.data;
  const startedMs = now();
  const counts: ActionCounts = {
    run: await takenForRun(finding, options),
    hour: await takenLastHour(runbook, control, startedMs),
  };
  const report = { dryRun, finding };
  if (dryRun) return { ...report, decisions: await foreseeSteps(options, finding, counts), steps: [] };
  if (finding.state !== 'open' && finding.state !== 'failed')
    return { ...report, decisions: (await decide(options, finding, counts)).map(leftAlone), steps: [] };
  const run = runOf(options, finding);
  const expiresAtMs = stored.expiresAtMs ?? startedMs + runbook.finding.suppressMs;
  const { decisions, steps, interrupted } = await takeSteps(
    options,
    run,
    { finding, rows: [], expiresAtMs },
    counts,
  );
  const after = interrupted
    ? finding
    : await closeFinding(options, finding, { version: stored.version, expiresAtMs });
  if (steps.length > 0) {
    const outcomes = outcomeCounts(steps);
    await journal.record(
      completeRunbook(run, now(), {
        outcome: outcomes.actionsFailed === 0 ? 'succeeded' : 'failed',
        findings: 1,
        ...outcomes,
        seconds: Math.round((now() - startedMs) / 1_000),
      }),
    );
  }
  return { dryRun, finding: after, decisions, steps };
}

/** The finding is closed: what was left out then is not made up for by whoever asks again. */
function leftAlone(decision: Decision): Decision {
  return decision.kind === 'take' || decision.kind === 'ask'
    ? { ...decision, kind: 'skip', reason: 'the finding is closed' }
    : decision;
}

function runOf({ runbook, trigger, requestedBy }: ResponseOptions, finding: Finding): RunbookRun {
  const seed = `${runbook.id}\n${finding.key}\n${finding.foundAtMs}\n${trigger}\n${requestedBy ?? ''}`;
  return {
    runbookId: runbook.id,
    runId: `r-${createHash('sha256').update(seed).digest('hex').slice(0, 16)}`,
    mode: 'live',
    trigger,
    requestedBy,
  };
}
