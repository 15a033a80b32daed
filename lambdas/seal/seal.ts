import { z } from 'zod';
import type { SealReport } from '#adapters/aws';
import type { AuditWriter, ControlStore, Journal, Notifier } from '#core/contract';
import { reportAuditLoss } from '#core/event';
import type { Verification } from '#core/verify';
import { type Count, FunctionError, type Log } from '../shared/index.ts';

export type SealParts = {
  readonly control: ControlStore;
  readonly journal: Journal;
  /** Completes the stream of a dead writer; may be repeated. */
  readonly seal: (writer: AuditWriter) => Promise<SealReport>;
  /** Verifies what was ingested on these UTC days. */
  readonly verify: (days: readonly string[]) => Promise<Verification>;
  readonly notifier: Notifier;
  readonly version: string;
  readonly log: Log;
  readonly count: Count;
  readonly now: () => number;
  /** What the invocation may still take. */
  readonly remainingMs: () => number;
};

export type SealSummary = {
  readonly sealed: number;
  readonly lostSessions: number;
  readonly failed: readonly string[];
  /** Absent where the chain was not looked at. */
  readonly problems?: number;
};

/** A writer says every 10 s that it lives, and stops by itself after 60 s in which it could not. */
const silentMs = 90_000;
/** Verification of a day needs some of the time; what is left undone is done by the next sweep. */
const verifyNeedsMs = 120_000;

const taskChange = z.looseObject({
  'detail-type': z.literal('ECS Task State Change'),
  detail: z.looseObject({ lastStatus: z.string(), taskArn: z.string().min(1).max(2048) }),
});
const sweep = z.looseObject({ kind: z.literal('sweep') });

/**
 * Completes what dead writers left: of the task that ECS says has stopped, or of everybody who fell silent; a sweep also checks the chain. One
 * writer's failure does not stop the others.
 * @throws FunctionError `bad-request`; `incomplete` where a stream could not be sealed, or the chain has a problem
 */
export async function seal(event: unknown, parts: SealParts): Promise<SealSummary> {
  const change = taskChange.safeParse(event);
  const isSweep = sweep.safeParse(event).success;
  if (!isSweep && !change.success)
    throw new FunctionError('bad-request', 'this is neither the end of a task nor {"kind": "sweep"}');
  const stopped = change.success ? taskOf(change.data.detail) : undefined;
  if (!isSweep && stopped === undefined) return { sealed: 0, lostSessions: 0, failed: [] };

  const dead = (await parts.control.list('writer'))
    .map(({ data }) => data)
    .filter((writer) => isDead(writer, stopped, parts.now()));
  const summary = await sealAll(dead, parts);
  const problems = isSweep && parts.remainingMs() > verifyNeedsMs ? await verifyDay(parts) : undefined;
  if (summary.failed.length > 0 || (problems ?? 0) > 0) {
    parts.count('SealFailures', summary.failed.length + (problems ?? 0));
    throw new FunctionError(
      'incomplete',
      `${summary.failed.length} streams could not be sealed (${summary.failed.join('; ') || 'none'}), and the chain has ${problems ?? 0} problems; see "Events are not sealed" in docs/guide-platform.md`,
    );
  }
  return { ...summary, ...(problems === undefined ? {} : { problems }) };
}

function taskOf({ lastStatus, taskArn }: { readonly lastStatus: string; readonly taskArn: string }) {
  return lastStatus === 'STOPPED' ? taskArn : undefined;
}

function isDead(writer: AuditWriter, stoppedTask: string | undefined, nowMs: number): boolean {
  return stoppedTask === undefined ? nowMs - writer.heardAtMs > silentMs : writer.task === stoppedTask;
}

async function sealAll(dead: readonly AuditWriter[], parts: SealParts): Promise<SealSummary> {
  const failed: string[] = [];
  let sealed = 0;
  let lostSessions = 0;
  for (const writer of dead) {
    const { stream } = writer;
    try {
      const report = await parts.seal(writer);
      parts.log.info('a stream was sealed', {
        stream,
        outcome: report.outcome,
        lostSessions: report.lostSessions,
        recordings: report.recordings,
      });
      sealed += 1;
      lostSessions += report.lostSessions;
      if (report.outcome === 'undelivered') failed.push(`${stream}: ${report.undelivered.join(', ')}`);
    } catch (error) {
      parts.log.error('a stream could not be sealed', error, { stream });
      failed.push(`${stream}: ${error instanceof Error ? error.message : 'unknown fault'}`);
    }
  }
  return { sealed, lostSessions, failed };
}

/** Problems found in what was ingested yesterday and today; each is told once a sweep. */
async function verifyDay(parts: SealParts): Promise<number> {
  const { now, log, notifier, journal, version } = parts;
  const days = [now() - 86_400_000, now()].map((ms) => new Date(ms).toISOString().slice(0, 10));
  const verification = await parts.verify(days);
  const [first] = verification.problems;
  if (first === undefined) {
    log.info('the chain was verified', { streams: verification.streams.length });
    return 0;
  }
  const what = `${first.file}: ${first.message}`;
  log.warn('the chain has problems', { problems: verification.problemsFound, first: what });
  await journal.record(
    reportAuditLoss({ proxyId: 'seal', version }, now(), { subject: first.file, reason: first.message }),
  );
  await notifier.notify({
    severity: 'critical',
    title: `the audit trail has ${verification.problemsFound} problems`,
    text: `The first: ${what}. Change nothing in the evidence bucket; run verification over it, and see "Events are not sealed" in docs/guide-platform.md.`,
  });
  return verification.problemsFound;
}
