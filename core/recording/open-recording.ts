import type { BlobKey, BlobStore } from '#core/contract';
import { terminalSize } from './cast-encoder.ts';
import { type CastEvent, castEvents } from './cast-events.ts';
import { parseCastLine } from './cast-line.ts';
import type { RecordingChunk, RecordingManifest } from './manifest.ts';
import { RecordingError } from './recording-error.ts';
import type { Snapshot } from './snapshot-line.ts';
import { chunkBytes } from './stored-recording.ts';

/** A recording from a segment on. */
export type OpenedRecording = {
  /** The screen before the first of `events`; the empty one where the recording is played from its start. */
  readonly snapshot: Snapshot;
  /** From the start of the segment, which is before the second that was asked for, to the end of the recording. */
  readonly events: AsyncGenerator<CastEvent, void, undefined>;
};

/** One segment, read and proved. */
export type RecordingSegment = {
  readonly chunk: RecordingChunk;
  readonly snapshot: Snapshot | undefined;
  readonly events: AsyncGenerator<CastEvent, void, undefined>;
};

/**
 * Opens a recording so that the screen of a second can be shown after one segment was read: the last one with a snapshot that begins
 * before it. Where there is none, as in recordings without snapshots, it is opened at its start.
 * @throws RecordingError `missing`, `mismatch`, `invalid-cast`
 */
export async function openRecordingAt(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  manifest: RecordingManifest,
  seconds: number,
): Promise<OpenedRecording> {
  const index = Math.max(
    0,
    manifest.chunks.findLastIndex(
      ({ firstSecond, snapshotBytes }) => firstSecond <= seconds && (snapshotBytes ?? 0) > 0,
    ),
  );
  const segment = await readSegment(store, key, manifest, index);
  const snapshot = segment?.snapshot ?? {
    baseMs: 0,
    screen: '',
    ...terminalSize(manifest.columns, manifest.rows),
  };
  return { snapshot, events: eventsFrom(store, key, manifest, index, segment) };
}

/**
 * The segments of a recording, one in memory at a time.
 * @throws RecordingError `missing`, `mismatch`, `invalid-cast`
 */
export async function* recordingSegments(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  manifest: RecordingManifest,
): AsyncGenerator<RecordingSegment, void, undefined> {
  let seconds = 0;
  for (const index of manifest.chunks.keys()) {
    const segment = await readSegment(store, key, manifest, index, seconds);
    if (segment === undefined) return;
    yield segment;
    seconds = segment.chunk.lastSecond;
  }
}

async function* eventsFrom(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  manifest: RecordingManifest,
  first: number,
  segment: RecordingSegment | undefined,
): AsyncGenerator<CastEvent, void, undefined> {
  if (segment !== undefined) yield* segment.events;
  for (let index = first + 1; index < manifest.chunks.length; index += 1) {
    const before = manifest.chunks[index - 1]?.lastSecond ?? 0;
    const next = await readSegment(store, key, manifest, index, before);
    if (next !== undefined) yield* next.events;
  }
}

/** `secondsBefore`: the time its first interval counts from, where it has no snapshot that says so. */
async function readSegment(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  manifest: RecordingManifest,
  index: number,
  secondsBefore = 0,
): Promise<RecordingSegment | undefined> {
  const chunk = manifest.chunks[index];
  if (chunk === undefined) return undefined;
  const bytes = await chunkBytes(store, key, chunk);
  const snapshot = (chunk.snapshotBytes ?? 0) > 0 ? snapshotIn(bytes, index) : undefined;
  const from = {
    seconds: snapshot === undefined ? secondsBefore : snapshot.baseMs / 1000,
    isFirst: index === 0,
  };
  return { chunk, snapshot, events: castEvents(once(bytes), {}, from) };
}

/** The first line of a segment, or the second, after the header. */
function snapshotIn(bytes: Buffer, index: number): Snapshot {
  const start = index === 0 ? bytes.indexOf(10) + 1 : 0;
  const end = bytes.indexOf(10, start);
  const line = parseCastLine(bytes.subarray(start, end < 0 ? bytes.length : end), 2);
  if (line.kind !== 'snapshot')
    throw new RecordingError(
      'invalid-cast',
      `segment ${index} of the recording has no snapshot, which its manifest says it has`,
    );
  return line.snapshot;
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield bytes;
}
