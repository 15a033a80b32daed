import type { RunbookSetting } from '#core/configuration';
import type { Notifier } from '#core/contract';
import {
  type ActionExecutor,
  createActionExecutor,
  type ResponseReport,
  type Runbook,
  respondToFinding,
} from '#core/runbook';
import { type Count, FunctionError, type Invocation, type Log } from '../shared/index.ts';
import { parseActRequest } from './act-request.ts';

export type ActParts = {
  readonly invocation: Invocation;
  readonly runbooks: ReadonlyMap<string, Runbook>;
  readonly settings: () => Promise<Readonly<Record<string, RunbookSetting>>>;
  readonly notifier: Notifier;
  readonly log: Log;
  readonly count: Count;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
};

/** What Automation shows as the output of its step. */
export type ActSummary = {
  readonly runbookId: string;
  readonly findingKey: string;
  readonly dryRun: boolean;
  /** Of the finding, after this. */
  readonly state: string;
  readonly steps: readonly ActStep[];
};

export type ActStep = {
  readonly action: string;
  /** done, not-needed, waiting-approval; or why nothing was done now: would-take, would-ask, manual, skip, settled, wait. */
  readonly outcome: string;
  readonly detail: string;
  /** Whether the session was seen to end. */
  readonly revocation?: 'confirmed' | 'unconfirmed';
};

/** A gateway looks for revocations every second, and says at once that the session has ended. */
const confirmWithinMs = 5_000;
const confirmEveryMs = 250;

/**
 * Takes the steps of one finding, for an Automation document. Asked again it takes none twice, whatever became of the first answer.
 * @throws FunctionError `bad-request`, `runbooks`, `incomplete` where a step failed; RunbookError; JournalError; ControlStoreError.
 */
export async function act(input: unknown, parts: ActParts): Promise<ActSummary> {
  const { invocation, now, log, count } = parts;
  const request = parseActRequest(input);
  const { runbookId, findingKey, dryRun } = request;
  const runbook = parts.runbooks.get(runbookId);
  if (runbook === undefined)
    throw new FunctionError(
      'runbooks',
      `this deployment has no runbook ${runbookId}; it has ${[...parts.runbooks.keys()].join(', ')}`,
    );
  if (!dryRun && (await parts.settings())[runbookId]?.mode === 'off')
    throw new FunctionError(
      'configuration',
      `${runbookId} is switched off in the configuration, so no step of it is taken; set its mode, or ask for a dry run`,
    );
  const actions = createActionExecutor({ blobs: invocation.evidence, control: invocation.control, now });
  const report = await respondToFinding({
    runbook,
    findingKey,
    dryRun,
    control: invocation.control,
    journal: invocation.journal,
    notifier: parts.notifier,
    actions,
    now,
    // Automation was started by run-runbook or by a person; its own record says by whom.
    trigger: 'event',
    requestedBy: `automation/${request.automationExecutionId}`,
  });
  const summary = await summarise(report, runbookId, actions, parts);
  log.info('the finding was looked at', { runbookId, findingKey, dryRun, state: summary.state });
  const failed = summary.steps.filter(({ outcome }) => outcome === 'failed');
  if (failed.length > 0) {
    count('StepFailed', failed.length);
    throw new FunctionError(
      'incomplete',
      `${failed.map(({ action, detail }) => `${action} failed: ${detail}`).join('; ')}; it is tried again up to three times, and then left to people`,
    );
  }
  return summary;
}

async function summarise(
  report: ResponseReport,
  runbookId: string,
  actions: ActionExecutor,
  parts: ActParts,
): Promise<ActSummary> {
  const { finding, dryRun } = report;
  const steps: ActStep[] = [];
  for (const { step, action, kind, reason } of report.decisions) {
    const taken = report.steps.find((each) => each.step === step)?.taken;
    if (taken !== undefined) {
      const revoked = action === 'session.revoke' && taken.outcome === 'done';
      const ended = revoked ? await hasEnded(finding.columns['session_id'] ?? '', actions, parts) : undefined;
      if (ended === false) parts.count('RevocationUnconfirmed', 1);
      steps.push({
        action,
        outcome: taken.outcome,
        detail: taken.detail,
        ...(ended === undefined ? {} : { revocation: ended ? 'confirmed' : 'unconfirmed' }),
      });
    } else if (kind === 'take' || kind === 'ask')
      steps.push({
        action,
        outcome: dryRun ? `would-${kind}` : 'wait',
        detail: dryRun ? reason : 'not reached',
      });
    else steps.push({ action, outcome: kind, detail: reason });
  }
  return { runbookId, findingKey: finding.key, dryRun, state: finding.state, steps };
}

/** Whether the session's gateway has said in time that it is over. */
async function hasEnded(session: string, actions: ActionExecutor, parts: ActParts): Promise<boolean> {
  const deadlineMs = parts.now() + confirmWithinMs;
  for (;;) {
    let fault: unknown;
    const open = await actions.sessionIsOpen(session).catch((error: unknown) => {
      fault = error;
      return true;
    });
    if (!open) return true;
    if (parts.now() >= deadlineMs) {
      if (fault !== undefined) parts.log.error('whether the session has ended could not be read', fault);
      return false;
    }
    await parts.sleep(confirmEveryMs);
  }
}
