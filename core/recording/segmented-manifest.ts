import type { OriginalFile, RecordingChunk, RecordingManifest } from './manifest.ts';
import { recordingId } from './recording-key.ts';
import type { SegmentBuilder } from './segment-builder.ts';
import type { SpoolHead } from './spool.ts';

/** The manifest of a recording that was built to its end; `chunks` are its segments as `storeChunk` said. */
export function segmentedManifest(
  head: SpoolHead,
  built: Pick<SegmentBuilder, 'summary' | 'invalidBytes' | 'lastTimeMs'> & {
    readonly redactions?: Readonly<Record<string, number>>;
  },
  chunks: readonly RecordingChunk[],
  endMs: number,
  originals?: readonly OriginalFile[],
): RecordingManifest {
  const { sessionId, channel, kind, startedAtMs, columns, rows } = head;
  const { markers, omissions } = built.summary;
  return {
    version: 1,
    recordingId: recordingId(sessionId, channel),
    sessionId,
    channel,
    kind,
    startedAtMs,
    seconds: Math.max(Math.round(endMs), built.lastTimeMs) / 1000,
    columns,
    rows,
    truncated: omissions.some(({ reason }) => reason === 'capped'),
    recovered: false,
    invalidBytes: built.invalidBytes,
    markers,
    omissions,
    ...(built.redactions === undefined ? {} : { redactions: built.redactions }),
    ...(originals === undefined ? {} : { originals }),
    chunks,
    bytes: chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
  };
}
