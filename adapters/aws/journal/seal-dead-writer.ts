import type { AuditRecord, BlobKey, ControlStore, SessionId } from '#core/contract';
import { type AuditWriter, sessionId } from '#core/contract';
import { closeLostSessions, reportAuditLoss, storeLostRecording } from '#core/event';
import { JournalError } from '#core/journal';
import { isChannelName, type RecorderError, recordingId, recoverSpooledRecordings } from '#core/recording';
import type { AppendOptions } from './object-journal.ts';
import { createObjectSpool } from './object-spool.ts';
import { type TakenStream, takeOverStream } from './take-over-stream.ts';

export type SealOptions = AppendOptions & {
  /** Of the program, for the events that the sealing itself writes. */
  readonly version: string;
  /** Makes what is searched of a recording that was completed, by the key of its manifest. Its faults are its own: it does not reject. */
  readonly index?: (key: BlobKey) => Promise<void>;
};

export type SealReport = {
  readonly stream: string;
  /**
   * `gone`: there was no writer any more. `undelivered`: everything is in the lake, but sinks have not had all of it; the
   * writer stays registered, so that it is tried again.
   */
  readonly outcome: 'sealed' | 'undelivered' | 'gone';
  /** Sessions that got their end. */
  readonly lostSessions: number;
  /** Recordings of them that were completed and put on record. */
  readonly recordings: number;
  /** Sessions of which a recording is lost. */
  readonly losses: number;
  /** What sinks say that have not had everything. */
  readonly undelivered: readonly string[];
};

/** Another who seals the same stream, or a writer that still lives, may win so often. */
const maxTries = 8;

/**
 * Completes the stream of a dead writer: its sessions end, what the spool has of their recordings is stored, everything is
 * sealed and delivered. May run twice at once, be cut off anywhere, and be repeated: nothing is on record twice.
 *
 * @throws JournalError `damaged`, `unsealed`, `fenced` (the writer lives, or others seal it); what the stores throw
 */
export async function sealDeadWriter(options: SealOptions): Promise<SealReport> {
  const { control, stream } = options;
  for (let tries = 1; ; tries += 1) {
    const item = await control.get('writer', stream);
    if (item === undefined) return report(options, 'gone', {});
    try {
      return await sealOnce(options, item.data);
    } catch (error) {
      if (!(error instanceof JournalError) || error.code !== 'fenced' || tries === maxTries) throw error;
    }
  }
}

async function sealOnce(options: SealOptions, writer: AuditWriter): Promise<SealReport> {
  const { now } = options;
  const { startedAtMs, openSinceSeq = 0 } = writer;
  const taken = await takeOverStream({ ...options, startedAtMs, openSinceSeq, onFault: () => undefined });
  const { journal, lostSessions } = taken;
  try {
    const { recordings, keys, lostChannels } = await recoverRecordings(options, taken);
    for (const [session, reason] of lostChannels)
      await journal.record(
        reportAuditLoss({ proxyId: writer.proxyId, version: options.version }, now(), {
          subject: 'recording',
          sessionId: session,
          reason,
        }),
      );
    await Promise.all(closeLostSessions(lostSessions, now()).map((draft) => journal.record(draft)));
    await deleteSessions(options.control, writer.proxyId);
    const undelivered = await taken.finish();
    // After all that is evidence, which must not wait for it.
    for (const key of keys) await options.index?.(key);
    return report(options, undelivered.length === 0 ? 'sealed' : 'undelivered', {
      lostSessions: lostSessions.length,
      recordings,
      losses: lostChannels.size,
      undelivered,
    });
  } finally {
    await journal.close();
  }
}

/** Stores what the spool has, and says by session what is certainly lost and was not said before. */
async function recoverRecordings(
  options: SealOptions,
  { journal, lostSessions, recordings: traces }: TakenStream,
): Promise<{
  readonly recordings: number;
  readonly keys: readonly BlobKey[];
  readonly lostChannels: ReadonlyMap<string, string>;
}> {
  const { evidence, now } = options;
  const starts = new Map<SessionId, AuditRecord>();
  for (const start of lostSessions)
    starts.set(sessionId(start.additionalEventData['sessionId'] ?? ''), start);
  const onRecord = new Set(traces.stored);
  const spool = createObjectSpool(options);
  const damaged = new Map<string, string>();
  let passing: RecorderError | undefined;
  let recordings = 0;
  const recovered = await recoverSpooledRecordings({
    store: evidence,
    spool,
    unfinished: spool.unfinishedOf(starts.keys()),
    async putOnRecord(stored) {
      const start = starts.get(stored.sessionId);
      if (start === undefined || onRecord.has(stored.recordingId)) return;
      await journal.record(storeLostRecording(start, now(), stored));
      onRecord.add(stored.recordingId);
      recordings += 1;
    },
    onFault(error, { sessionId: session, channel }) {
      if (error.code === 'damaged') damaged.set(recordingId(session, channel), error.message);
      else passing = error;
    },
  });
  // Of what may succeed at the next try nothing is said to be lost.
  if (passing !== undefined) throw passing;
  const keys = recovered.map(({ key }) => key);
  return { recordings, keys, lostChannels: lossesOf(starts.keys(), traces, onRecord, damaged) };
}

function lossesOf(
  sessions: Iterable<SessionId>,
  { begun, reported }: TakenStream['recordings'],
  onRecord: ReadonlySet<string>,
  damaged: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  const losses = new Map<string, string>();
  for (const session of sessions) {
    if (reported.has(session)) continue;
    const channels = [...new Set([...begun, ...damaged.keys()])]
      .filter((id) => id.startsWith(`${session}/`) && !onRecord.has(id))
      .map((id) => id.slice(session.length + 1))
      .filter(isChannelName)
      .sort();
    const [why] = channels.flatMap((channel) => damaged.get(recordingId(session, channel)) ?? []);
    if (channels.length > 0)
      losses.set(
        session,
        `the gateway was lost before anything of the recording of ${channels.join(', ')} was kept${why === undefined ? '' : `, or what was kept cannot be read: ${why}`}`,
      );
  }
  return losses;
}

async function deleteSessions(control: ControlStore, proxyId: string): Promise<void> {
  for (const { id, data } of await control.list('session'))
    if (data.proxyId === proxyId) await control.delete('session', id);
}

function report(
  { stream }: SealOptions,
  outcome: SealReport['outcome'],
  counts: Partial<SealReport>,
): SealReport {
  return { stream, lostSessions: 0, recordings: 0, losses: 0, undelivered: [], ...counts, outcome };
}
