import { createHash } from 'node:crypto';
import type { ActionTaken, ControlItem, Finding, QueryEngine, Row } from '#core/contract';
import { completeRunbook, detectCondition, type RunbookRun, startRunbook } from '#core/event';
import type { CloudTrailRelation, IngestWindow, LakeEngine } from '#core/lake';
import { compileRunbook } from './compile-runbook.ts';
import { type Decision, decideActions, stepLeaseMs } from './decide-actions.ts';
import {
  type ActionCounts,
  closeFinding,
  decide,
  foreseeSteps,
  outcomeCounts,
  refuseUnlessRunnable,
  type StepReport,
  takenLastHour,
  takeSteps,
} from './finding-steps.ts';
import { type PlannedFinding, planFindings } from './plan-findings.ts';
import { printable } from './printable-text.ts';
import { collectRows } from './query-rows.ts';
import type { InputValue, Runbook } from './runbook.ts';
import { findingId, type StepTools, stepsTaken } from './take-step.ts';

export type RunOptions = StepTools & {
  readonly runbook: Runbook;
  readonly engine: QueryEngine;
  readonly lakeEngine: LakeEngine;
  /** Relation of the raw records where it is not the engine's usual one: the id of the event data store. */
  readonly records?: string;
  /** Where `${cloudtrail}` is read. */
  readonly cloudtrail?: CloudTrailRelation;
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
  /** Where somebody else takes the steps. The run then finds, puts on record and freezes, and hands over. */
  readonly handOver?: HandOver;
};

export type HandOver = {
  /** `dry-run`: no step will be taken, so a finding is handed over once, and the events of the run say so. */
  readonly mode: 'live' | 'dry-run';
  /**
   * Resolves when somebody has the finding; where it rejects, a later run hands it over again. Twice the same `handedOverMs`
   * (absent at first) is twice the same try.
   */
  readonly start: (finding: Finding) => Promise<void>;
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
  readonly steps: readonly StepReport[];
  /** Why nobody took it over, where it was to be handed over. */
  readonly handOverFault?: unknown;
};

const defaultDeadlineMs = 30_000;
const hourMs = 3_600_000;
/** Whoever has a finding may take this long to begin. */
const handOverPatienceMs = 5 * 60_000;

/**
 * One run: query, findings, steps. Safe to run twice at once and to be cut off anywhere: findings and steps are claimed by
 * conditional writes, and what a run did not finish the next one does. Every finding is an event before anything is done about it.
 * @throws QueryError, RunbookError, JournalError; nothing more is done then.
 */
export async function runRunbook(options: RunOptions): Promise<RunReport> {
  const { runbook, dryRun, now } = options;
  refuseUnlessRunnable(runbook, dryRun);
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
  const counts: ActionCounts = {
    run: new Map(),
    hour: await takenLastHour(runbook, options.control, startedMs),
  };
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
    mode: options.dryRun ? 'dry-run' : (options.handOver?.mode ?? 'live'),
    trigger,
    requestedBy,
  };
}

/** A query that fails is an event too: a runbook that does not run protects nobody. */
async function query(options: RunOptions, run: RunbookRun, startedMs: number) {
  const { runbook, window, engine, lakeEngine, inputs, records, cloudtrail } = options;
  const sql = compileRunbook(runbook, {
    engine: lakeEngine,
    fromMs: window.fromMs,
    toMs: window.toMs,
    ...(inputs === undefined ? {} : { inputs }),
    ...(records === undefined ? {} : { records }),
    ...(cloudtrail === undefined ? {} : { cloudtrail }),
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
  if (options.handOver !== undefined && isWithSomebody(finding, options.handOver, nowMs)) return false;
  const taken = await stepsTaken(options.runbook, finding.key, options.control);
  const decisions = decideActions(finding, options.runbook.steps, noLimits(taken), nowMs);
  return decisions.some(({ kind }) => kind === 'take' || kind === 'ask');
}

function isWithSomebody({ state, handedOverMs }: Finding, { mode }: HandOver, nowMs: number): boolean {
  if (handedOverMs === undefined) return false;
  if (mode === 'dry-run') return true;
  return nowMs - handedOverMs < (state === 'failed' ? stepLeaseMs : handOverPatienceMs);
}

function noLimits(taken: ReadonlyMap<number, ActionTaken>) {
  return { taken, takenThisRun: new Map<string, number>(), takenLastHour: new Map<string, number>() };
}

async function foresee(
  options: RunOptions,
  candidates: readonly Candidate[],
  counts: ActionCounts,
  nowMs: number,
): Promise<readonly FindingReport[]> {
  const reports: FindingReport[] = [];
  for (const { finding, stored } of candidates)
    reports.push({
      finding: { ...finding, foundAtMs: nowMs },
      isNew: stored === undefined,
      decisions: await foreseeSteps(options, finding, counts),
      steps: [],
    });
  return reports;
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
  const { handOver } = options;
  const { finding, expiresAtMs } = candidate;
  const base = { finding, isNew: candidate.stored === undefined };
  if (handOver !== undefined && (await isBeingFrozen(options, finding, counts)))
    return { ...base, decisions: [], steps: [] };
  const only = handOver === undefined ? undefined : isFreezing;
  const { decisions, steps, interrupted } = await takeSteps(options, run, candidate, counts, only);
  const report = { ...base, decisions, steps };
  if (interrupted) return report;
  const frozen = steps.every(({ taken }) => taken.outcome !== 'failed');
  if (handOver !== undefined && frozen)
    return { ...report, ...(await passOn(options, handOver, candidate, version)) };
  return { ...report, finding: await closeFinding(options, finding, { version, expiresAtMs }) };
}

/** Evidence is frozen by the run, which has the rows. */
function isFreezing(action: string): boolean {
  return action === 'evidence.snapshot';
}

async function isBeingFrozen(options: RunOptions, finding: Finding, counts: ActionCounts): Promise<boolean> {
  const decisions = await decide(options, finding, counts);
  return decisions.some(({ action, kind }) => isFreezing(action) && kind === 'wait');
}

async function passOn(
  options: RunOptions,
  handOver: HandOver,
  { finding, expiresAtMs }: Candidate,
  version: number,
): Promise<Pick<FindingReport, 'finding' | 'handOverFault'>> {
  try {
    await handOver.start(finding);
  } catch (error) {
    return { finding, handOverFault: error };
  }
  const passed: Finding = { ...finding, handedOverMs: options.now() };
  const id = findingId(finding.runbookId, finding.key);
  // Whoever has it may be done with it by now, and has then changed it.
  await options.control.put('finding', id, passed, { kind: 'version', version }, expiresAtMs);
  return { finding: passed };
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
    if (taken.size === 0 && finding.handedOverMs === undefined) await event();
    return candidate.stored.version;
  }
  const version = await control.put('finding', id, finding, { kind: 'absent' }, candidate.expiresAtMs);
  if (version !== undefined) await event();
  return version;
}

function isNewHour(lastRunMs: number | undefined, nowMs: number): boolean {
  return lastRunMs === undefined || Math.floor(lastRunMs / hourMs) !== Math.floor(nowMs / hourMs);
}

function summary(findings: readonly FindingReport[], startedMs: number, nowMs: number, truncated: boolean) {
  const outcomes = outcomeCounts(findings.flatMap(({ steps }) => steps));
  const faults = findings.flatMap(({ handOverFault: fault }) => (fault === undefined ? [] : [fault]));
  const details = [
    ...(truncated ? ['the query returned more rows than a run looks at; narrow it'] : []),
    ...(faults.length > 0
      ? [`${faults.length} findings could not be handed over: ${faultText(faults[0])}`]
      : []),
  ];
  return {
    outcome: outcomes.actionsFailed + faults.length === 0 ? ('succeeded' as const) : ('failed' as const),
    findings: findings.length,
    ...outcomes,
    seconds: Math.round((nowMs - startedMs) / 1_000),
    ...(details.length === 0 ? {} : { detail: details.join('; ') }),
  };
}

function faultText(error: unknown): string {
  return printable(error instanceof Error ? error.message : String(error), 500);
}
