import { z } from 'zod';
import { type SealReport, sealDeadWriter } from '#adapters/aws';
import {
  type AuditWriter,
  type BlobKey,
  type EventSink,
  type Finding,
  type Notifier,
  type Signer,
  streamName,
} from '#core/contract';
import { reportAuditLoss } from '#core/event';
import { JournalError } from '#core/journal';
import {
  type Count,
  claimFinding,
  FunctionError,
  type Invocation,
  type Log,
  settleFinding,
} from '../shared/index.ts';
import { type BrokenStream, checkChain } from './check-chain.ts';

export type SealParts = {
  readonly invocation: Pick<Invocation, 'control' | 'journal' | 'evidence' | 'origin' | 'stores'>;
  readonly notifier: Notifier;
  /** The evidence key. */
  readonly signer: () => Promise<Signer>;
  readonly version: string;
  /** Names this invocation in what it appends. */
  readonly sealerId: string;
  readonly log: Log;
  readonly count: Count;
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** What the invocation may still take. */
  readonly remainingMs: () => number;
  /** How long sinks are waited for, of each stream; 10 s when absent. */
  readonly deliverWithinMs?: number;
};

export type SealSummary = {
  /** Streams that were completed. */
  readonly sealed: number;
  readonly lostSessions: number;
  /** Dead writers for whom there was no time; the next sweep sees to them. */
  readonly leftForNext: number;
  /** Segments whose chain was verified; absent where it was not looked at. */
  readonly verified?: number;
  /** Digests that were signed. */
  readonly digests?: number;
};

/** A writer says every 10 s that it lives, and stops by itself after 60 s in which it could not. */
const silentMs = 90_000;
/** Kept for the end: what was recorded is sealed and delivered. */
const reserveMs = 30_000;
/** Of a stream with much to deliver. */
const sealNeedsMs = 60_000;
/** At most, of the verification. */
const checkMs = 120_000;
const leaseMs = 600_000;
const lifetimeMs = 7 * 86_400_000;
const chainRunbook = 'SSH-016';

const stoppedTask = z.object({
  'detail-type': z.literal('ECS Task State Change'),
  detail: z.object({
    lastStatus: z.string().max(64),
    taskArn: z.string().regex(/^arn:[a-z-]{3,20}:ecs:[a-z0-9-]{1,32}:[0-9]{12}:task\/[\w/-]{1,300}$/),
  }),
});
const sweep = z.object({ kind: z.literal('sweep') });

/**
 * Completes what dead writers left: of the task that ECS says has stopped, or of everybody who fell silent; a sweep also verifies the chain of what
 * was sealed since, and signs it. One writer's failure does not stop the others. May run twice at once: nothing is on record twice.
 *
 * @throws FunctionError `bad-request`; `incomplete` where a stream could not be completed or the chain is broken, so that the alarm rings
 */
export async function seal(event: unknown, parts: SealParts): Promise<SealSummary> {
  const wanted = readRequest(event);
  const { invocation, log, count } = parts;
  const writers = (await invocation.control.list('writer')).map(({ data }) => data);
  const dead = writers.filter((writer) => isDead(writer, wanted, parts.now()));
  const faults: string[] = [];
  let sealed = 0;
  let lostSessions = 0;
  let leftForNext = 0;
  let opening: Promise<readonly EventSink[]> | undefined;
  const sinks = () => (opening ??= invocation.stores.sinks());
  for (const writer of dead) {
    if (parts.remainingMs() < reserveMs + sealNeedsMs) {
      leftForNext += 1;
      continue;
    }
    const { report, fault } = await sealWriter(writer, wanted, sinks, parts);
    if (fault !== undefined) faults.push(`${writer.stream}: ${fault}`);
    if (report?.outcome === 'sealed') sealed += 1;
    lostSessions += report?.lostSessions ?? 0;
  }
  if (leftForNext > 0) log.warn('dead writers are left for the next sweep', { leftForNext });
  const verified = wanted.kind === 'sweep' ? await checkSealed(writers, parts, faults) : undefined;
  const summary = { sealed, lostSessions, leftForNext, ...verified };
  log.info('streams were looked after', { ...summary, faults: faults.length });
  if (faults.length === 0) return summary;
  count('SealFailures', faults.length);
  throw new FunctionError(
    'incomplete',
    `${faults.length} streams have a fault: ${faults.slice(0, 5).join('; ')}; see "Events are not sealed" in docs/guide-platform.md`,
  );
}

type Wanted =
  | { readonly kind: 'sweep' }
  | { readonly kind: 'task'; readonly taskArn: string }
  /** A task that is not over. */
  | { readonly kind: 'nothing' };

function readRequest(event: unknown): Wanted {
  if (sweep.safeParse(event).success) return { kind: 'sweep' };
  const parsed = stoppedTask.safeParse(event);
  if (!parsed.success)
    throw new FunctionError(
      'bad-request',
      'this is neither the end of a task nor {"kind": "sweep"}; deploy the stacks again, whose rules send these',
    );
  const { lastStatus, taskArn } = parsed.data.detail;
  return lastStatus === 'STOPPED' ? { kind: 'task', taskArn } : { kind: 'nothing' };
}

function isDead(writer: AuditWriter, wanted: Wanted, nowMs: number): boolean {
  switch (wanted.kind) {
    case 'sweep':
      return nowMs - writer.heardAtMs > silentMs;
    case 'task':
      return writer.task === wanted.taskArn;
    case 'nothing':
      return false;
  }
}

/** What its screens said can be searched then. It can be played without, so a fault of this is told and no more. */
async function indexRecording(key: BlobKey, { invocation, log }: SealParts): Promise<void> {
  try {
    // With the terminal emulator, which most invocations do not need.
    const { storeScreenText } = await import('#core/replay');
    await storeScreenText(invocation.stores.evidence, key);
  } catch (error) {
    log.error('what a recording showed cannot be searched', error, { key });
  }
}

async function sealWriter(
  writer: AuditWriter,
  wanted: Wanted,
  sinks: () => Promise<readonly EventSink[]>,
  parts: SealParts,
): Promise<{ readonly report?: SealReport; readonly fault?: string }> {
  const { invocation, log, now, randomBytes, version, sealerId: proxyId } = parts;
  const { stores, origin } = invocation;
  const { stream } = writer;
  try {
    const report = await sealDeadWriter({
      journal: stores.journal,
      remover: stores.remover,
      evidence: stores.evidence,
      control: stores.control,
      stream: streamName(stream),
      origin,
      proxyId,
      now,
      randomBytes,
      sinks: await sinks(),
      version,
      index: (key) => indexRecording(key, parts),
      ...(parts.deliverWithinMs === undefined ? {} : { closeWithinMs: parts.deliverWithinMs }),
      onFault: (error) => log.error('a stream that is being completed has a fault', error, { stream }),
    });
    const { outcome, lostSessions, recordings, losses, undelivered } = report;
    log.info('a stream was completed', { stream, outcome, lostSessions, recordings, losses });
    return outcome === 'undelivered'
      ? { report, fault: `not delivered: ${undelivered.join(', ')}` }
      : { report };
  } catch (error) {
    if (
      error instanceof JournalError &&
      error.code === 'fenced' &&
      !(await isStillDead(writer, wanted, parts))
    ) {
      log.info('a stream goes on, or somebody else has completed it', { stream });
      return {};
    }
    log.error('a stream could not be completed', error, { stream });
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

async function isStillDead(
  { stream }: AuditWriter,
  wanted: Wanted,
  { invocation, now }: SealParts,
): Promise<boolean> {
  const there = await invocation.control.get('writer', stream);
  return there !== undefined && isDead(there.data, wanted, now());
}

/** What was verified and signed, undefined where there was no time. Adds what is broken to the faults. */
async function checkSealed(
  writers: readonly AuditWriter[],
  parts: SealParts,
  faults: string[],
): Promise<Pick<SealSummary, 'verified' | 'digests'> | undefined> {
  const { invocation, log, now, remainingMs } = parts;
  const budgetMs = Math.min(checkMs, remainingMs() - reserveMs);
  if (budgetMs <= 0) return undefined;
  const startMs = remainingMs();
  const report = await checkChain({
    evidence: invocation.evidence,
    control: invocation.control,
    signer: await parts.signer(),
    writing: new Map(writers.map((writer) => [writer.stream, writer])),
    now,
    remainingMs: () => budgetMs - (startMs - remainingMs()),
  });
  if (report.unfinished > 0) log.warn('the next sweep goes on verifying', { unfinished: report.unfinished });
  for (const broken of report.broken) {
    faults.push(`${broken.first.file}: ${broken.first.message}`);
    await tellBroken(broken, parts).catch((error: unknown) => {
      log.error('people could not be told that the chain is broken', error, { stream: broken.stream });
      faults.push(`people could not be told of ${broken.stream}`);
    });
  }
  for (const { stream, error } of report.unsigned) {
    log.error('a stream could not be signed', error, { stream });
    faults.push(`${stream} is not signed: ${error instanceof Error ? error.message : String(error)}`);
  }
  return { verified: report.segments, digests: report.digests };
}

/** Once: on record, and to people. */
async function tellBroken({ stream, first, problems }: BrokenStream, parts: SealParts): Promise<void> {
  const { invocation, notifier, now, version, sealerId: proxyId } = parts;
  const { control, journal } = invocation;
  const foundAtMs = now();
  const finding: Finding = {
    runbookId: chainRunbook,
    key: `${first.code}:${first.file}:${first.record ?? 0}`,
    title: `the chain of ${stream} is broken`,
    severity: 'critical',
    foundAtMs,
    columns: { stream, code: first.code, file: first.file, record: String(first.record ?? '') },
    state: 'open',
  };
  const expiresAtMs = foundAtMs + lifetimeMs;
  const claim = await claimFinding(control, finding, {
    nowMs: foundAtMs,
    leaseMs,
    expiresAtMs,
    again: () => false,
  });
  if (claim === undefined) return;
  let state: Finding['state'] = 'failed';
  try {
    if (claim.before !== 'failed')
      await journal.record(
        reportAuditLoss({ proxyId, version }, now(), {
          subject: first.file,
          reason: `${first.code}: ${first.message}`,
        }),
      );
    await notifier.notify({
      severity: 'critical',
      title: `${chainRunbook} ${finding.title}`,
      text: `${problems} problems, the first in ${first.file}: ${first.message}.\nChange nothing in the evidence bucket: it is evidence of what happened to the evidence. What to do next: "Events are not sealed" in docs/guide-platform.md`,
      runbookId: chainRunbook,
      findingKey: finding.key,
    });
    state = 'acted';
  } finally {
    await settleFinding(control, { ...claim, finding: { ...claim.finding, state } }, expiresAtMs);
  }
}
