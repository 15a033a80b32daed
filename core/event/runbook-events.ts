import type { AuditDraft, Finding } from '#core/contract';
import { draft, isoTime, jsonTable } from './draft.ts';
import { serviceActor } from './facts.ts';

/** One run of a runbook. Its actor is `runbook/<id>`, which no runbook reacts to. */
export type RunbookRun = {
  /** E.g. `SSH-002`. */
  readonly runbookId: string;
  readonly runId: string;
  readonly mode: 'dry-run' | 'live';
  readonly trigger: 'schedule' | 'event' | 'person';
  /** The person who asked for the run. */
  readonly requestedBy?: string | undefined;
};

/** What a step is about; a session where the finding names one. */
type Subject = { readonly findingKey: string; readonly sessionId?: string | undefined };

export function detectCondition(
  run: RunbookRun,
  atMs: number,
  finding: Pick<Finding, 'key' | 'title' | 'severity' | 'columns'> & {
    readonly sessionId?: string | undefined;
  },
): AuditDraft {
  return draft('DetectCondition', atMs, actor(run), {
    request: subjectFields(run, { findingKey: finding.key, sessionId: finding.sessionId }),
    response: {
      title: finding.title,
      severity: finding.severity,
      columns: jsonTable(finding.columns, 16_384),
    },
  });
}

export function suppressFinding(
  run: RunbookRun,
  atMs: number,
  what: Subject & { readonly reason: string },
): AuditDraft {
  return draft('SuppressFinding', atMs, actor(run), {
    request: { ...subjectFields(run, what), reason: what.reason },
  });
}

export function startRunbook(
  run: RunbookRun,
  atMs: number,
  window: { readonly fromMs: number; readonly toMs: number },
): AuditDraft {
  return draft('StartRunbook', atMs, actor(run), {
    request: {
      ...runFields(run),
      windowFrom: isoTime(window.fromMs),
      windowTo: isoTime(window.toMs),
    },
  });
}

export function executeRunbookStep(
  run: RunbookRun,
  atMs: number,
  what: Subject & {
    /** Place of the step in the runbook, from 0. */
    readonly step: number;
    readonly action: string;
    readonly outcome: 'planned' | 'done' | 'not-needed' | 'waiting-approval' | 'failed';
    readonly detail: string;
  },
): AuditDraft {
  return draft('ExecuteRunbookStep', atMs, actor(run), {
    request: { ...subjectFields(run, what), step: what.step, action: what.action },
    response: { outcome: what.outcome, detail: what.detail },
  });
}

export function requestStepApproval(
  run: RunbookRun,
  atMs: number,
  what: Subject & { readonly step: number; readonly action: string; readonly reason: string },
): AuditDraft {
  return draft('RequestStepApproval', atMs, actor(run), {
    request: { ...subjectFields(run, what), step: what.step, action: what.action, reason: what.reason },
  });
}

export function completeRunbook(
  run: RunbookRun,
  atMs: number,
  what: {
    readonly outcome: 'succeeded' | 'failed';
    readonly findings: number;
    readonly actionsDone: number;
    readonly actionsWaiting: number;
    readonly actionsFailed: number;
    readonly seconds: number;
    readonly detail?: string | undefined;
  },
): AuditDraft {
  return draft('CompleteRunbook', atMs, actor(run), { request: runFields(run), response: what });
}

function actor(run: RunbookRun) {
  return serviceActor(`runbook/${run.runbookId}`, { runId: run.runId });
}

function runFields(run: RunbookRun) {
  return { runbookId: run.runbookId, mode: run.mode, trigger: run.trigger, requestedBy: run.requestedBy };
}

/** Not `sessionId`, so that what runbooks say about a session is never taken for what happened in it. */
function subjectFields(run: RunbookRun, subject: Subject) {
  return { ...runFields(run), findingKey: subject.findingKey, subjectSessionId: subject.sessionId };
}
