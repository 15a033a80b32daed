import { openDuckDbEngine, openSegmentFiles } from '#adapters/local';
import type { AuditRecord, Notifier, QueryEngine } from '#core/contract';
import {
  createActionExecutor,
  isDue,
  matchesEvent,
  type Runbook,
  type RunReport,
  runRunbook,
  runWindow,
} from '#core/runbook';
import type { DataDirectory } from './data-directory.ts';
import type { RunningGateway } from './gateway-run.ts';
import type { Installation } from './installation.ts';
import { configuredNotifier } from './notifier.ts';
import { configuredRunbooks, requireRunbooks, settingOf } from './runbook-files.ts';

export type RunbookScheduler = {
  /** Stops the clock and waits for the runs under way. */
  close(): Promise<void>;
};

export type RunbookSchedulerOptions = {
  readonly data: DataDirectory;
  readonly installation: Installation;
  readonly running: RunningGateway;
  readonly now: () => number;
  readonly report: (line: string) => void;
};

/** How often the clock is looked at. */
const tickMs = 5_000;
/** Events this close to each other are looked at by one run. */
const togetherMs = 500;
const maxTold = 1000;

/** One runbook's place in the schedule. Its runs never overlap; an event during a run asks for another one after it. */
type Entry = {
  readonly runbook: Runbook;
  lastRunMs: number | undefined;
  underWay: Promise<void> | undefined;
  again: boolean;
  /** When the newest run asked for by an event is due. */
  lastDueMs: number;
  readonly timers: Set<NodeJS.Timeout>;
  /** Findings of dry runs that were told already; those are found again at each run. */
  readonly told: Set<string>;
};

/** Runs the runbooks: by the clock, and soon after the events they name. */
export async function startRunbookScheduler(options: RunbookSchedulerOptions): Promise<RunbookScheduler> {
  const { data, installation, running, now, report } = options;
  const entries: Entry[] = runbooksInUse(data, installation).map((runbook) => ({
    runbook,
    lastRunMs: undefined,
    underWay: undefined,
    again: false,
    lastDueMs: 0,
    timers: new Set(),
    told: new Set(),
  }));
  const engine = await openDuckDbEngine({
    dataDirectory: data.root,
    openSegmentFiles,
  });
  const notifier = configuredNotifier(installation.configuration, report);
  let closed = false;

  function ask(entry: Entry, trigger: 'schedule' | 'event'): void {
    if (closed) return;
    if (entry.underWay !== undefined) {
      entry.again = true;
      return;
    }
    entry.underWay = runOnce(entry, trigger, options, engine, notifier).finally(() => {
      entry.underWay = undefined;
      if (!entry.again) return;
      entry.again = false;
      ask(entry, trigger);
    });
  }

  const unsubscribe = running.journal.subscribe((record: AuditRecord) => {
    for (const entry of entries) {
      if (!matchesEvent(entry.runbook.trigger, record)) continue;
      // One run serves the events that come together; one that comes later gets a run of its own, that far behind it.
      const dueMs = now() + entry.runbook.trigger.delayMs;
      if (dueMs - entry.lastDueMs < togetherMs) continue;
      entry.lastDueMs = dueMs;
      const timer = setTimeout(() => {
        entry.timers.delete(timer);
        ask(entry, 'event');
      }, entry.runbook.trigger.delayMs + togetherMs);
      entry.timers.add(timer);
    }
  });
  const clock = setInterval(() => {
    for (const entry of entries)
      if (isDue(entry.runbook.trigger, entry.lastRunMs, now())) ask(entry, 'schedule');
  }, tickMs);

  return {
    async close() {
      closed = true;
      unsubscribe();
      clearInterval(clock);
      for (const entry of entries) for (const timer of entry.timers) clearTimeout(timer);
      for (const { underWay } of entries) await underWay;
      await engine.close();
    },
  };
}

/** Names of the events that some runbook in use is triggered by. */
export function triggerEvents(data: DataDirectory, installation: Installation): readonly string[] {
  const triggers = runbooksInUse(data, installation).map(({ trigger }) => trigger.events);
  return [...new Set(triggers.flat())];
}

function runbooksInUse(data: DataDirectory, { configuration }: Installation): readonly Runbook[] {
  return requireRunbooks(configuredRunbooks(data, configuration)).filter(
    (runbook) =>
      settingOf(configuration.runbooks.settings, runbook).mode !== 'off' && runbook.status !== 'deprecated',
  );
}

async function runOnce(
  entry: Entry,
  trigger: 'schedule' | 'event',
  options: RunbookSchedulerOptions,
  engine: QueryEngine,
  notifier: Notifier,
): Promise<void> {
  const { installation, running, now, report } = options;
  const { runbook, lastRunMs } = entry;
  const setting = settingOf(installation.configuration.runbooks.settings, runbook);
  const startedMs = now();
  try {
    const dryRun = setting.mode === 'dry-run' || runbook.status === 'draft';
    const ran = await runRunbook({
      runbook,
      engine,
      lakeEngine: 'duckdb',
      control: running.control,
      journal: running.journal,
      notifier,
      actions: createActionExecutor({ blobs: running.blobs, control: running.control, now }),
      now,
      window: runWindow(runbook.trigger, lastRunMs, startedMs),
      inputs: setting.inputs,
      dryRun,
      trigger,
      ...(lastRunMs === undefined ? {} : { lastRunMs }),
    });
    entry.lastRunMs = startedMs;
    if (dryRun) tellWhatWouldBeDone(entry, ran, report);
  } catch (error) {
    // The run wrote its own CompleteRunbook with the failure; the next tick tries again.
    report(`runbook ${runbook.id} failed: ${error instanceof Error ? error.message : 'unknown fault'}`);
  }
}

function tellWhatWouldBeDone(entry: Entry, ran: RunReport, report: (line: string) => void): void {
  for (const { finding, decisions } of ran.findings) {
    if (entry.told.has(finding.key)) continue;
    if (entry.told.size >= maxTold) entry.told.clear();
    entry.told.add(finding.key);
    const would = decisions
      .filter(({ kind }) => kind === 'take' || kind === 'ask')
      .map(({ action }) => action);
    report(
      `runbook ${entry.runbook.id} (dry run) found ${finding.title}; it would do ${would.join(', ') || 'nothing'}`,
    );
  }
}
