import { type BlobKey, type StreamName, streamName } from '#core/contract';

/** A segment in the lake. */
export type SealedSegment = {
  readonly stream: StreamName;
  /** UTC day of its records' ingestion, YYYY-MM-DD. */
  readonly date: string;
  readonly firstSeq: number;
};

const sealedKeyPattern = /^events\/dt=(\d{4}-\d{2}-\d{2})\/([a-z0-9][a-z0-9.-]{0,62})\/(\d{12})\.ndjson\.gz$/;

/** Sorts as the number does. */
export function segmentNumber(firstSeq: number): string {
  return String(firstSeq).padStart(12, '0');
}

/** Where the lake has the sealed segments of a stream of one day, in order of their keys. */
export function sealedSegmentPrefix(date: string, stream: string): string {
  return `events/dt=${date}/${stream}/`;
}

export function sealedSegmentKey({ date, stream, firstSeq }: SealedSegment): BlobKey {
  return `${sealedSegmentPrefix(date, stream)}${segmentNumber(firstSeq)}.ndjson.gz`;
}

export function parseSealedSegmentKey(key: BlobKey): SealedSegment | undefined {
  const [, date, stream, digits] = sealedKeyPattern.exec(key) ?? [];
  if (date === undefined || stream === undefined || digits === undefined) return undefined;
  return { date, stream: streamName(stream), firstSeq: Number(digits) };
}

/** UTC day, YYYY-MM-DD. */
export function dayOf(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}
