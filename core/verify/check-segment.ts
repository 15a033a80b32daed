import { type ChainedRecord, verifyLine } from '#core/chain';
import { recordingOf } from '#core/digest';
import { type EnteredRecord, enteredRecord } from './entered-record.ts';
import type { SegmentFacts } from './verify-segment.ts';

/** A segment in which nothing is wrong, and what the rest of the verification must know of it. */
export type SoundSegment = {
  readonly facts: SegmentFacts;
  /** chainPrev of its first record. */
  readonly previousHash: string;
  readonly records: number;
  /** Records of sessions that start, end or have a recording, with their lines from 1. */
  readonly entered: readonly { readonly record: EnteredRecord; readonly line: number }[];
};

/** What a segment's key says it holds. */
export type SegmentPlace = {
  readonly stream: string;
  readonly firstSeq: number;
  readonly date?: string | undefined;
};

/**
 * Verifies a segment by itself, anywhere: in a thread of its own too. Undefined where anything is wrong; then it is verified again, line by
 * line, so that it can be said what.
 */
export function checkSegment(
  content: Buffer,
  { stream, firstSeq, date }: SegmentPlace,
): SoundSegment | undefined {
  const entered: { record: EnteredRecord; line: number }[] = [];
  const recordings: SegmentFacts['recordings'] = [];
  let first: ChainedRecord | undefined;
  let last: ChainedRecord | undefined;
  let line = 0;
  for (let from = 0; from < content.length; line += 1) {
    const end = content.indexOf(0x0a, from);
    const verified = end === -1 ? undefined : verifyLine(content.subarray(from, end));
    if (verified?.ok !== true) return undefined;
    const { record } = verified;
    const follows =
      record.chain.stream === stream &&
      record.chain.seq === firstSeq + line &&
      (last === undefined || record.chain.previousHash === last.chain.hash) &&
      (date === undefined || record.additionalEventData['ingestTime']?.slice(0, 10) === date);
    if (!follows) return undefined;
    const kept = enteredRecord(record);
    if (kept !== undefined) entered.push({ record: kept, line: line + 1 });
    const recording = recordingOf(record);
    if (recording !== undefined) recordings.push(recording);
    first ??= record;
    last = record;
    from = end + 1;
  }
  if (first === undefined || last === undefined) return undefined;
  const ingestMs = Date.parse(first.additionalEventData['ingestTime'] ?? '');
  return {
    facts: {
      firstSeq: first.chain.seq,
      lastSeq: last.chain.seq,
      firstHash: first.chain.hash,
      lastHash: last.chain.hash,
      firstIngestMs: Number.isNaN(ingestMs) ? undefined : ingestMs,
      recordings,
    },
    previousHash: first.chain.previousHash,
    records: line,
    entered,
  };
}
