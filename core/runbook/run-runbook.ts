import { createHash } from 'node:crypto';
import type { ActionTaken, ControlItem, Finding, QueryEngine, Row } from '#core/contract';
import { completeRunbook, detectCondition, type RunbookRun, startRunbook } from '#core/event';
import type { IngestWindow, LakeEngine } from '#core/lake';
import { containingActions } from './action-catalogue.ts';
import { compileRunbook } from './compile-runbook.ts';
import { type Decision, decideActions, stepLeaseMs } from './decide-actions.ts';
import { type PlannedFinding, planFindings } from './plan-findings.ts';
import { collectRows } from './query-rows.ts';
import type { InputValue, Runbook } from './runbook.ts';
import { RunbookError } from './runbook-error.ts';
import {
  askForStep,
  type FindingWork,
  findingId,
  type StepTools,
  stepsTaken,
  takeStep,
} from './take-step.ts';

export type RunOptions = StepTools & {
  readonly runbook: Runbook;
  readonly engine: QueryEngine;
  readonly lakeEngine: LakeEngine;
  readonly window: IngestWindow;
  readonly inputs?: Readonly<Record<string, InputValue>>;
  /** Decides and says what it would do; writes nothing. */
  readonly dryRun: boolean;
  readonly trigger: RunbookRun['trigger'];
  readonly requestedBy?: string;
  /** When it last ran; runs that find nothing write one event an hour, and this tells whether the hour is new. */
  readonly lastRunMs?: number;
  /** For the query; 30 s when absent. */
  readonly deadlineMs?: number;
};

export type RunReport = {
  readonly runbookId: string;
  readonly runId: string;
  readonly dryRun: boolean;
  readonly window: IngestWindow;
  readonly rows: number;
  /** The query returned more than a run looks at. */
  readonly truncated: boolean;
  readonly findings: readonly FindingReport[];
};

export type FindingReport = {
  readonly finding: Finding;
  /** False: an earlier run found it, and this one went on with its steps. */
  readonly isNew: boolean;
  readonly decisions: readonly Decision[];
  /** What this run did; empty in a dry run. */
  readonly steps: readonly { readonly step: number; readonly taken: ActionTaken }[];
};

const defaultDeadlineMs = 30_000;
const hourMs = 3_600_000;

/**
 * One run: query, findings, steps. Safe to run twice at once and to be cut off anywhere: findings and steps are claimed by
 * conditional writes, and what a run did not finish the next one does. Every finding is an event before anything is done about it.
 * @throws QueryError, RunbookError, JournalError; nothing more is done then.
 */
export async function runRunbook(options: RunOptions): Promise<RunReport> {
  const { runbook, dryRun, now } = options;
  if (!dryRun && (runbook.status === 'draft' || runbook.status === 'deprecated'))
    throw new RunbookError(
      'not-runnable',
      `${runbook.id} is ${runbook.status}; only a dry run of it is possible`,
    );
  const startedMs = now();
  const run = runOf(options, startedMs);
  const found = await query(options, run, startedMs);
  const planned = planFindings(runbook, found.rows, startedMs);
  const base = {
    runbookId: runbook.id,
    runId: run.runId,
    dryRun,
    window: options.window,
    rows: found.rows.length,
    truncated: found.truncated,
  };
  const counts = await actionCounts(options, startedMs);
  const candidates = await candidatesOf(options, planned, startedMs);
  if (dryRun) return { ...base, findings: await foresee(options, candidates, counts, startedMs) };
  if (candidates.length === 0) {
    if (isNewHour(options.lastRunMs, startedMs))
      await options.journal.record(
        completeRunbook(run, now(), summary([], startedMs, now(), found.truncated)),
      );
    return { ...base, findings: [] };
  }
  await options.journal.record(startRunbook(run, startedMs, options.window));
  const findings: FindingReport[] = [];
  for (const candidate of candidates) {
    const report = await handle(options, run, candidate, counts);
    if (report !== undefined) findings.push(report);
  }
  await options.journal.record(
    completeRunbook(run, now(), summary(findings, startedMs, now(), found.truncated)),
  );
  return { ...base, findings };
}

/** The same run has the same id, so a person can tell what belongs together. */
function runOf(options: RunOptions, startedMs: number): RunbookRun {
  const { runbook, window, trigger, requestedBy } = options;
  const seed = `${runbook.id}\n${startedMs}\n${window.fromMs}\n${window.toMs}\n${trigger}\n${requestedBy ?? ''}`;
  return {
    runbookId: runbook.id,
    runId: `r-${createHash('sha256').update(seed).digest('hex').slice(0, 16)}`,
    mode: options.dryRun ? 'dry-run' : 'live',
    trigger,
    requestedBy,
  };
}

/** A query that fails is an event too: a runbook that does not run protects nobody. */
async function query(options: RunOptions, run: RunbookRun, startedMs: number) {
  const { runbook, window, engine, lakeEngine, inputs } = options;
  const sql = compileRunbook(runbook, {
    engine: lakeEngine,
    fromMs: window.fromMs,
    toMs: window.toMs,
    ...(inputs === undefined ? {} : { inputs }),
  });
  try {
    return await collectRows(engine, sql, options.deadlineMs ?? defaultDeadlineMs);
  } catch (error) {
    if (!options.dryRun)
      await options.journal.record(
        completeRunbook(run, options.now(), {
          ...summary([], startedMs, options.now(), false),
          outcome: 'failed',
          detail: error instanceof Error ? error.message : String(error),
        }),
      );
    throw error;
  }
}

type Candidate = {
  readonly finding: Finding;
  readonly rows: readonly Row[];
  readonly expiresAtMs: number;
  /** Absent: not in the store yet. */
  readonly stored?: ControlItem<'finding'>;
};

/** New findings, and stored ones with steps left to take, each with the rows of this run where there are any. */
async function candidatesOf(
  options: RunOptions,
  planned: readonly PlannedFinding[],
  nowMs: number,
): Promise<readonly Candidate[]> {
  const { runbook, control } = options;
  const stored = new Map(
    (await control.list('finding'))
      .filter((item) => item.data.runbookId === runbook.id)
      .map((item) => [item.data.key, item]),
  );
  const rowsOf = new Map(planned.map((each) => [each.finding.key, each.rows]));
  const expiresAtMs = nowMs + runbook.finding.suppressMs;
  const fresh = planned
    .filter((each) => !stored.has(each.finding.key))
    .map(({ finding, rows }): Candidate => ({ finding, rows, expiresAtMs }));
  const unfinished: Candidate[] = [];
  for (const item of stored.values()) {
    const candidate: Candidate = {
      finding: item.data,
      rows: rowsOf.get(item.data.key) ?? [],
      expiresAtMs: item.expiresAtMs ?? expiresAtMs,
      stored: item,
    };
    if (await isUnfinished(options, candidate, nowMs)) unfinished.push(candidate);
  }
  return [...fresh, ...unfinished];
}

async function isUnfinished(options: RunOptions, candidate: Candidate, nowMs: number): Promise<boolean> {
  const { finding } = candidate;
  if (finding.state !== 'failed' && finding.state !== 'open') return false;
  // Whoever found it is still at it.
  if (finding.state === 'open' && nowMs - finding.foundAtMs < stepLeaseMs) return false;
  const taken = await stepsTaken(options.runbook, finding.key, options.control);
  const decisions = decideActions(finding, options.runbook.steps, noLimits(taken), nowMs);
  return decisions.some(({ kind }) => kind === 'take' || kind === 'ask');
}

function noLimits(taken: ReadonlyMap<number, ActionTaken>) {
  return { taken, takenThisRun: new Map<string, number>(), takenLastHour: new Map<string, number>() };
}

type ActionCounts = { readonly run: Map<string, number>; readonly hour: Map<string, number> };

async function actionCounts(options: RunOptions, nowMs: number): Promise<ActionCounts> {
  const hour = new Map<string, number>();
  for (const { data } of await options.control.list('action'))
    if (data.runbookId === options.runbook.id && data.outcome === 'done' && data.atMs > nowMs - hourMs)
      hour.set(data.action, (hour.get(data.action) ?? 0) + 1);
  return { run: new Map(), hour };
}

function countAction(counts: ActionCounts, action: string): void {
  counts.run.set(action, (counts.run.get(action) ?? 0) + 1);
  counts.hour.set(action, (counts.hour.get(action) ?? 0) + 1);
}

async function decide(
  options: RunOptions,
  finding: Finding,
  counts: ActionCounts,
): Promise<readonly Decision[]> {
  const taken = await stepsTaken(options.runbook, finding.key, options.control);
  const state = { taken, takenThisRun: counts.run, takenLastHour: counts.hour };
  const decisions = decideActions(finding, options.runbook.steps, state, options.now());
  if (options.runbook.status !== 'canary') return decisions;
  // A canary watches: what would change something is decided, said and not done.
  return decisions.map((decision): Decision => {
    const { step, action, kind } = decision;
    if (kind !== 'take' || !containingActions.includes(action)) return decision;
    return { step, action, kind: 'skip', reason: 'the runbook is a canary' };
  });
}

async function foresee(
  options: RunOptions,
  candidates: readonly Candidate[],
  counts: ActionCounts,
  nowMs: number,
): Promise<readonly FindingReport[]> {
  const reports: FindingReport[] = [];
  for (const { finding, stored } of candidates) {
    const decisions = await Promise.all(
      (await decide(options, finding, counts)).map((decision) => withLiveState(options, finding, decision)),
    );
    for (const { kind, action } of decisions) if (kind === 'take') countAction(counts, action);
    reports.push({
      finding: { ...finding, foundAtMs: nowMs },
      isNew: stored === undefined,
      decisions,
      steps: [],
    });
  }
  return reports;
}

/** So that a dry run does not promise to end what is no longer open. */
async function withLiveState(options: RunOptions, finding: Finding, decision: Decision): Promise<Decision> {
  const session = finding.columns['session_id'];
  if (decision.kind !== 'take' || decision.action !== 'session.revoke' || session === undefined)
    return decision;
  const open = await options.actions.sessionIsOpen(session).catch(() => undefined);
  if (open === undefined) return { ...decision, reason: 'automatic; whether it is open could not be read' };
  return open ? decision : { ...decision, kind: 'skip', reason: 'the session is not open any more' };
}

/** Undefined: another run found it at the same moment. */
async function handle(
  options: RunOptions,
  run: RunbookRun,
  candidate: Candidate,
  counts: ActionCounts,
): Promise<FindingReport | undefined> {
  const version = await announce(options, run, candidate);
  if (version === undefined) return undefined;
  const decisions = await decide(options, candidate.finding, counts);
  const work: FindingWork = { ...candidate, decisions };
  const steps: { step: number; taken: ActionTaken }[] = [];
  let interrupted = false;
  for (const decision of decisions) {
    if (decision.kind !== 'take' && decision.kind !== 'ask') continue;
    const perform = decision.kind === 'take' ? takeStep : askForStep;
    const taken = await perform(options.runbook, run, work, decision.step, options);
    if (taken === undefined) {
      interrupted = true;
      break;
    }
    steps.push({ step: decision.step, taken });
    if (taken.outcome === 'done') countAction(counts, decision.action);
    // Steps keep their order: what comes after a failure waits for the next run, so that evidence stays ahead of containment.
    if (taken.outcome === 'failed') break;
  }
  const finding = interrupted ? candidate.finding : await close(options, candidate, version);
  return { finding, isNew: candidate.stored === undefined, decisions, steps };
}

/** Stores a new finding and writes its event; the version of the stored item. */
async function announce(
  options: RunOptions,
  run: RunbookRun,
  candidate: Candidate,
): Promise<number | undefined> {
  const { control, journal } = options;
  const { finding } = candidate;
  const id = findingId(finding.runbookId, finding.key);
  const event = () =>
    journal.record(
      detectCondition(run, finding.foundAtMs, { ...finding, sessionId: finding.columns['session_id'] }),
    );
  if (candidate.stored !== undefined) {
    // Cut off before its first step: perhaps before its event, too.
    const taken = await stepsTaken(options.runbook, finding.key, control);
    if (taken.size === 0) await event();
    return candidate.stored.version;
  }
  const version = await control.put('finding', id, finding, { kind: 'absent' }, candidate.expiresAtMs);
  if (version !== undefined) await event();
  return version;
}

async function close(options: RunOptions, candidate: Candidate, version: number): Promise<Finding> {
  const { finding } = candidate;
  const taken = [...(await stepsTaken(options.runbook, finding.key, options.control)).values()];
  const has = (outcome: ActionTaken['outcome']) => taken.some((each) => each.outcome === outcome);
  const state: Finding['state'] = has('failed')
    ? 'failed'
    : has('waiting-approval')
      ? 'waiting-approval'
      : has('planned')
        ? 'open'
        : 'acted';
  const closed: Finding = { ...finding, state };
  await options.control.put(
    'finding',
    findingId(finding.runbookId, finding.key),
    closed,
    { kind: 'version', version },
    candidate.expiresAtMs,
  );
  return closed;
}

function isNewHour(lastRunMs: number | undefined, nowMs: number): boolean {
  return lastRunMs === undefined || Math.floor(lastRunMs / hourMs) !== Math.floor(nowMs / hourMs);
}

function summary(findings: readonly FindingReport[], startedMs: number, nowMs: number, truncated: boolean) {
  const outcomes = findings.flatMap(({ steps }) => steps.map(({ taken }) => taken.outcome));
  const count = (outcome: ActionTaken['outcome']) => outcomes.filter((each) => each === outcome).length;
  const failed = count('failed');
  return {
    outcome: failed === 0 ? ('succeeded' as const) : ('failed' as const),
    findings: findings.length,
    actionsDone: count('done'),
    actionsWaiting: count('waiting-approval'),
    actionsFailed: failed,
    seconds: Math.round((nowMs - startedMs) / 1_000),
    ...(truncated ? { detail: 'the query returned more rows than a run looks at; narrow it' } : {}),
  };
}
