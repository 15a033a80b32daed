import type { RunbookSetting } from '#core/configuration';
import type { Finding, Notifier, QueryEngine, RunbookRequest } from '#core/contract';
import { type CloudTrailRelation, QueryError } from '#core/lake';
import {
  createActionExecutor,
  matchesEvent,
  type Runbook,
  type RunOptions,
  type RunReport,
  runRunbook,
  runWindow,
} from '#core/runbook';
import {
  type Count,
  errorText,
  FunctionError,
  type Invocation,
  type Log,
  settingOf,
} from '../shared/index.ts';
import { clientToken } from './client-token.ts';
import { type Progress, readProgress, type Started, saveProgress } from './progress.ts';
import { parseRunRequest, type RunRequest } from './run-request.ts';

/** Where CloudTrail Lake can be asked, or why it cannot. */
export type LakeChoice =
  | { readonly kind: 'there'; readonly engine: QueryEngine; readonly eventDataStoreId: string }
  | { readonly kind: 'unavailable'; readonly reason: string };

/** One execution of a runbook's Automation document. */
export type AutomationStart = {
  readonly runbookId: string;
  readonly findingKey: string;
  readonly dryRun: boolean;
  /** A UUID; twice the same starts one execution. */
  readonly clientToken: string;
};

export type RunParts = {
  readonly invocation: Invocation;
  readonly runbooks: ReadonlyMap<string, Runbook>;
  readonly settings: () => Promise<Readonly<Record<string, RunbookSetting>>>;
  readonly athena: QueryEngine;
  readonly lake: () => Promise<LakeChoice>;
  /** Where the account's own trail is read. */
  readonly cloudtrail?: CloudTrailRelation;
  readonly startAutomation: (start: AutomationStart) => Promise<void>;
  readonly notifier: Notifier;
  readonly log: Log;
  readonly count: Count;
  readonly now: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** What the invocation may still take. */
  readonly remainingMs: () => number;
};

export type RunSummary = {
  readonly runbookId: string;
  /** Absent where nothing was run. */
  readonly engine?: RunbookRequest['engine'];
  readonly mode?: RunbookSetting['mode'];
  /** Why nothing was run. */
  readonly skipped?: string;
  readonly findings?: number;
  readonly handedOver?: number;
};

type Job = {
  readonly runbook: Runbook;
  readonly setting: RunbookSetting;
  readonly engine: RunbookRequest['engine'];
  readonly trigger: RunOptions['trigger'];
  readonly progress: Progress;
  /** End of the window. */
  readonly toMs: number;
};

/** Kept back of the invocation's time for steps, sealing and delivery. */
const reserveMs = 25_000;
const leastQueryMs = 5_000;
const longestQueryMs = 120_000;
const longestDelayMs = 60_000;
/** What the journal took is in the lake after this, but where that is in trouble; then the next run by the clock sees it. */
const sealedWithinMs = 30_000;

/**
 * Runs the runbook of a request, or all that wait for an event, and hands new findings over to their Automation documents. The
 * same request twice does nothing more: a scheduled time that was looked at is not looked at again, and findings are stored once.
 * @throws FunctionError; QueryError, RunbookError, JournalError and what the stores throw, after all that could be done was done.
 */
export async function runRunbooks(input: unknown, parts: RunParts): Promise<readonly RunSummary[]> {
  const request = parseRunRequest(input);
  const settings = await parts.settings();
  const wanted = wantedRunbooks(request, parts.runbooks);
  const summaries: RunSummary[] = [];
  const faults: unknown[] = [];
  for (const runbook of wanted) {
    try {
      const setting = settingOf(settings, runbook.id);
      const summary = await runWanted(request, runbook, setting, parts, faults);
      parts.log.info('a runbook was looked after', summary);
      summaries.push(summary);
    } catch (error) {
      parts.log.error('a runbook failed', error, { runbookId: runbook.id });
      parts.count('RunFailed', 1);
      faults.push(error);
    }
  }
  const [first] = faults;
  if (faults.length === 1 && wanted.length === 1) throw first;
  if (first !== undefined)
    throw new FunctionError(
      'incomplete',
      `${faults.length} things failed, the first: ${errorText(first)}; they are tried again`,
      { cause: first },
    );
  return summaries;
}

function wantedRunbooks(request: RunRequest, runbooks: ReadonlyMap<string, Runbook>): readonly Runbook[] {
  if (request.kind === 'event')
    return [...runbooks.values()].filter(({ trigger }) => matchesEvent(trigger, request.record));
  const runbook = runbooks.get(request.runbookId);
  if (runbook === undefined)
    throw new FunctionError(
      'runbooks',
      `this deployment has no runbook ${request.runbookId}; it has ${[...runbooks.keys()].join(', ')}`,
    );
  return [runbook];
}

async function runWanted(
  request: RunRequest,
  runbook: Runbook,
  setting: RunbookSetting,
  parts: RunParts,
  faults: unknown[],
): Promise<RunSummary> {
  const runbookId = runbook.id;
  const { control } = parts.invocation;
  if (setting.mode === 'off') return { runbookId, skipped: 'it is switched off' };
  if (runbook.status === 'deprecated') return { runbookId, skipped: 'it is deprecated' };
  const engine = request.kind === 'event' ? 'athena' : request.engine;
  if (request.kind === 'event') await waitForEvent(request, runbook, parts);
  const progress = await readProgress(control, runbookId, engine);
  const { schedule = 0, event = 0 } = progress;
  if (request.kind === 'schedule' && schedule >= request.scheduledMs)
    return { runbookId, skipped: 'its time was looked at already' };
  if (request.kind === 'event' && event >= seenMs(request, runbook))
    return { runbookId, skipped: 'another run has seen the event' };
  // Nothing after now has been looked at, whatever a request says.
  const toMs = request.kind === 'event' ? parts.now() : Math.min(request.scheduledMs, parts.now());
  const job: Job = { runbook, setting, engine, trigger: request.kind, progress, toMs };
  const { report, engine: used } = await runJob(job, parts);
  if (request.kind !== 'person') await keepProgress(job, request.kind, parts);
  const failed = report.findings.flatMap(({ handOverFault: fault }) => (fault === undefined ? [] : [fault]));
  faults.push(...failed);
  parts.count('Findings', report.findings.filter(({ isNew }) => isNew).length);
  if (failed.length > 0) {
    parts.log.error('findings could not be handed over', failed[0], { runbookId, findings: failed.length });
    parts.count('HandOverFailed', failed.length);
  }
  return {
    runbookId,
    engine: used,
    mode: setting.mode,
    findings: report.findings.length,
    handedOver: report.findings.filter(
      ({ finding, handOverFault }) => finding.handedOverMs !== undefined && handOverFault === undefined,
    ).length,
  };
}

async function keepProgress(
  { runbook, engine, toMs }: Job,
  started: Started,
  parts: RunParts,
): Promise<void> {
  const run = { runbookId: runbook.id, engine, lastRunMs: toMs };
  await saveProgress(parts.invocation.control, run, started);
}

type EventRequest = Extract<RunRequest, { kind: 'event' }>;

/** When a run for the event is due: the runbook's delay after the journal took it. */
function dueMs({ takenMs }: EventRequest, runbook: Runbook): number {
  return takenMs + runbook.trigger.delayMs;
}

/** A run that ended its window here or later has seen the event; one before may have come before it was sealed. */
function seenMs({ takenMs }: EventRequest, runbook: Runbook): number {
  return takenMs + Math.max(runbook.trigger.delayMs, sealedWithinMs);
}

async function waitForEvent(request: EventRequest, runbook: Runbook, parts: RunParts): Promise<void> {
  const waitMs = Math.min(dueMs(request, runbook) - parts.now(), longestDelayMs);
  if (waitMs > 0) await parts.sleep(waitMs);
}

type Ran = { readonly report: RunReport; readonly engine: RunbookRequest['engine'] };

/** On the engine that was asked for; where CloudTrail Lake is not there, on Athena, which has the same records. */
async function runJob(job: Job, parts: RunParts): Promise<Ran> {
  const runbookId = job.runbook.id;
  if (job.engine === 'athena') return { report: await runOn(job, athenaOf(parts), parts), engine: 'athena' };
  const lake = await parts.lake();
  let reason: string;
  if (lake.kind === 'there') {
    try {
      const options = { engine: lake.engine, lakeEngine: 'lake', records: lake.eventDataStoreId } as const;
      return { report: await runOn(job, options, parts), engine: 'lake' };
    } catch (error) {
      if (!(error instanceof QueryError) || error.code !== 'unavailable') throw error;
      reason = error.message;
    }
  } else reason = lake.reason;
  parts.log.error(
    'CloudTrail Lake cannot be asked; the run goes to Athena',
    new FunctionError('incomplete', reason),
    {
      runbookId,
    },
  );
  parts.count('LakeUnavailable', 1);
  return { report: await runOn(job, athenaOf(parts), parts), engine: 'athena' };
}

function athenaOf({ athena }: RunParts) {
  return { engine: athena, lakeEngine: 'athena' } as const;
}

async function runOn(
  { runbook, setting, trigger, progress, toMs }: Job,
  engine: Pick<RunOptions, 'engine' | 'lakeEngine' | 'records'>,
  parts: RunParts,
): Promise<RunReport> {
  const { invocation, cloudtrail, notifier, now } = parts;
  const runs = Object.values(progress);
  const lastRunMs = runs.length === 0 ? undefined : Math.max(...runs);
  const dryRun = setting.mode !== 'auto';
  const report = await runRunbook({
    runbook,
    ...engine,
    ...(cloudtrail === undefined ? {} : { cloudtrail }),
    control: invocation.control,
    journal: invocation.journal,
    notifier,
    actions: createActionExecutor({ blobs: invocation.evidence, control: invocation.control, now }),
    now,
    window: runWindow(runbook.trigger, lastRunMs, toMs),
    inputs: setting.inputs,
    // What a draft finds is for its author alone.
    dryRun: runbook.status === 'draft',
    trigger,
    ...(lastRunMs === undefined ? {} : { lastRunMs }),
    deadlineMs: Math.max(leastQueryMs, Math.min(longestQueryMs, parts.remainingMs() - reserveMs)),
    handOver: {
      mode: dryRun ? 'dry-run' : 'live',
      start: (finding) => start(finding, dryRun, parts),
    },
  });
  if (report.dryRun)
    for (const { finding, decisions } of report.findings)
      parts.log.info('a draft found something', {
        runbookId: runbook.id,
        findingKey: finding.key,
        would: decisions.map(({ action, kind }) => `${action}: ${kind}`).join(', '),
      });
  if (report.truncated)
    parts.log.warn('the query returned more rows than a run looks at; narrow it', { runbookId: runbook.id });
  return report;
}

async function start(finding: Finding, dryRun: boolean, parts: RunParts): Promise<void> {
  await parts.startAutomation({
    runbookId: finding.runbookId,
    findingKey: finding.key,
    dryRun,
    clientToken: clientToken(finding),
  });
}
