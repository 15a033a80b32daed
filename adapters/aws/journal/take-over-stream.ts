import type { AuditRecord, ControlStore, EventSink, Journal, StreamName } from '#core/contract';
import { findLostSessions } from '#core/event';
import { batchKey, fenced, putBatch } from './batch-store.ts';
import { type AppendOptions, type StreamStores, startObjectJournal } from './object-journal.ts';
import { newestFirst, positionOf, readStream, type StreamState } from './read-stream.ts';
import { type RecordingTraces, traceRecordings } from './recording-traces.ts';
import { type Days, listSealedSegments } from './sealed-segments.ts';
import { deliveryId } from './sink-courier.ts';

export type TakeOverOptions = AppendOptions & {
  /** When the writer registered: no record of the stream is older. */
  readonly startedAtMs: number;
  /** No session that began before the record of this number is open; 0 unless told, which is always right. */
  readonly openSinceSeq?: number;
};

/** A stream that goes on under another writer. */
export type TakenStream = {
  /**
   * Its next record follows on the last one of the dead writer. `fenced` where somebody else goes on with the stream. Closing
   * it leaves the stream as it is, to be taken over again.
   */
  readonly journal: Journal;
  /** StartSession records of sessions without an end, oldest first. */
  readonly lostSessions: readonly AuditRecord[];
  /** What is on record of their recordings. */
  readonly recordings: RecordingTraces;
  /**
   * Ends the stream for good: seals it whole, delivers it, and removes its `writer` item. Gives what the sinks say that have
   * not had everything; then the item stays, so that it is tried again.
   */
  finish(): Promise<readonly string[]>;
};

/**
 * Goes on with the stream of a dead writer, under the writer's own rule: whoever puts the next batch is the writer, and the
 * other, should it still live, finds its key taken. Several may do so at once; all but one are fenced and may start over.
 *
 * @throws JournalError `damaged` where the chain is broken; then nothing was changed.
 */
export async function takeOverStream(options: TakeOverOptions): Promise<TakenStream> {
  const { stream, control, sinks, startedAtMs, now } = options;
  const days = { firstMs: startedAtMs, lastMs: now() };
  const state = await readStream(options, stream, days);
  const records = newestFirst(options, stream, state, options.openSinceSeq ?? 0);
  const { recordings, passing } = traceRecordings(records);
  const lostSessions = await findLostSessions(passing);
  const put = takingPut(options, stream, days, state);
  const journal = await startObjectJournal(options, {
    position: state.position,
    startedAtMs,
    unsealed: state.unsealed,
    delivered: await deliveredTo(sinks, stream, control),
    put,
    // All that is there stays until it expires, and bars the way of whoever still believes to be the writer.
    keeps: () => true,
    end: async ({ seq }) => {
      if (!state.ended) await put(seq, Buffer.alloc(0));
    },
  });
  return {
    journal: {
      record: (draft) => journal.record(draft),
      subscribe: (listener) => journal.subscribe(listener),
      close: async () => journal.leave(),
    },
    lostSessions,
    recordings,
    finish: () => journal.finish(),
  };
}

/**
 * A writer that lives removes what is sealed, so a free key alone does not say that the stream ends there: the first put
 * counts only if the lake does not reach beyond it.
 */
function takingPut(stores: StreamStores, stream: StreamName, days: Days, state: StreamState) {
  let taken = false;
  return async (firstSeq: number, content: Buffer): Promise<void> => {
    await putBatch(stores.journal, stream, firstSeq, content);
    if (taken) return;
    const last = (await listSealedSegments(stores.evidence, stream, days)).at(-1);
    const moved = last !== undefined && last.firstSeq > (state.sealed.at(-1)?.firstSeq ?? 0);
    if (moved && (await positionOf(stores.evidence, stream, last)).seq > firstSeq) {
      await stores.remover.remove([batchKey(stream, firstSeq)]);
      throw fenced(stream, firstSeq);
    }
    taken = true;
  };
}

async function deliveredTo(
  sinks: readonly EventSink[],
  stream: StreamName,
  control: ControlStore,
): Promise<ReadonlyMap<string, number>> {
  const delivered = new Map<string, number>();
  for (const { name } of sinks)
    delivered.set(name, (await control.get('delivery', deliveryId(name, stream)))?.data.seq ?? 0);
  return delivered;
}
