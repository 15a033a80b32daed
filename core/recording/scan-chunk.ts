import { type CastLine, parseCastLine } from './cast-line.ts';
import { RecordingError } from './recording-error.ts';
import { createSummaryCollector, type RecordingSummary } from './recording-summary.ts';
import type { ChunkTimes } from './store-recording.ts';

/** What the lines said so far. */
export type Scan = {
  readonly lines: number;
  readonly atMs: number;
  readonly invalidBytes: number;
  readonly truncated: boolean;
  /** A segment began with a snapshot. */
  readonly isSegmented: boolean;
  readonly summary: RecordingSummary;
};

export const nothingScanned: Scan = {
  lines: 0,
  atMs: 0,
  invalidBytes: 0,
  truncated: false,
  isSegmented: false,
  summary: { markers: [], omissions: [] },
};

/** Reads on with the next chunk: the times of its events, and how many bytes are whole lines that can be read. */
export function scanChunk(
  text: Buffer,
  before: Scan,
): {
  readonly scan: Scan;
  readonly times: Omit<ChunkTimes, 'number'>;
  readonly keptBytes: number;
} {
  let { lines, atMs, invalidBytes, truncated } = before;
  const collector = createSummaryCollector(before.summary);
  let snapshotBytes = 0;
  let firstMs: number | undefined;
  let omitted: CastLine | undefined;
  let keptBytes = 0;
  // What follows the last line feed was being written when the gateway was killed.
  for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, keptBytes)) {
    const parsed = readableLine(text.subarray(keptBytes, end), lines + 1);
    if (parsed === undefined) break;
    lines += 1;
    if (parsed.kind === 'invalid-bytes') invalidBytes += parsed.count;
    if (parsed.kind === 'snapshot') snapshotBytes += end + 1 - keptBytes;
    if (parsed.kind === 'truncated') {
      truncated = true;
      omitted = parsed;
    }
    if (parsed.kind === 'omitted') omitted = parsed;
    if (parsed.kind === 'event') {
      atMs += Math.round(parsed.intervalSeconds * 1000);
      firstMs ??= atMs;
      // Its comment stands before the marker that has its time.
      if (omitted?.kind === 'omitted') collector.omitted(atMs, omitted);
      if (omitted?.kind === 'truncated') collector.truncated(atMs);
      omitted = undefined;
      if (parsed.code === 'm') collector.marker(atMs, parsed.data);
    }
    keptBytes = end + 1;
  }
  const isSegmented = before.isSegmented || snapshotBytes > 0;
  const times = { firstMs: firstMs ?? atMs, lastMs: atMs, ...(isSegmented ? { snapshotBytes } : {}) };
  const { summary } = collector;
  return { scan: { lines, atMs, invalidBytes, truncated, isSegmented, summary }, times, keptBytes };
}

function readableLine(bytes: Buffer, line: number): ReturnType<typeof parseCastLine> | undefined {
  try {
    return parseCastLine(bytes, line);
  } catch (error) {
    if (error instanceof RecordingError) return undefined;
    throw error;
  }
}
