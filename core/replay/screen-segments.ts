import type { BlobKey, BlobStore } from '#core/contract';
import {
  type CastEvent,
  castEvents,
  createSequenceTracker,
  type RecordingManifest,
  recordingBytes,
  recordingSegments,
  type Snapshot,
} from '#core/recording';
import { ReplayError } from './replay-error.ts';
import { createTerminalState } from './terminal-state.ts';

/** A stretch of a recording with the screen before it. */
export type ScreenSegment = {
  readonly snapshot: Pick<Snapshot, 'columns' | 'rows' | 'screen'>;
  readonly events: readonly CastEvent[];
};

const maxSegmentOutput = 256 * 1024;
const maxSegmentSeconds = 60;
/** Characters of stretches without a snapshot that are taken together. */
const maxJoinedOutput = 32 * 1024 * 1024;

/**
 * The segments of a recording in order, the first from its start. One without a snapshot belongs to the one before; a recording without
 * any, as they were made before there were segments, is emulated to have them.
 * @throws RecordingError, ReplayError `too-large`
 */
export function screenSegments(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  manifest: RecordingManifest,
): AsyncGenerator<ScreenSegment, void, undefined> {
  return manifest.chunks.some(({ snapshotBytes }) => (snapshotBytes ?? 0) > 0)
    ? storedSegments(store, key, manifest)
    : emulatedSegments(castEvents(recordingBytes(store, key, manifest)), manifest);
}

async function* storedSegments(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  manifest: RecordingManifest,
): AsyncGenerator<ScreenSegment, void, undefined> {
  let open: { readonly snapshot: ScreenSegment['snapshot']; readonly events: CastEvent[] } | undefined;
  let joined = 0;
  for await (const { snapshot, events } of recordingSegments(store, key, manifest)) {
    if (snapshot !== undefined) {
      if (open !== undefined) yield open;
      open = { snapshot, events: [] };
      joined = 0;
    }
    open ??= { snapshot: emptyScreen(manifest), events: [] };
    for await (const event of events) {
      joined += event.data.length;
      if (joined > maxJoinedOutput) throw tooLong();
      open.events.push(event);
    }
  }
  if (open !== undefined) yield open;
}

/** Cuts where the screen can be drawn: between events, in segments of at most a minute and 256 KiB where events allow it. */
async function* emulatedSegments(
  events: AsyncIterable<CastEvent>,
  manifest: RecordingManifest,
): AsyncGenerator<ScreenSegment, void, undefined> {
  const state = createTerminalState(manifest.columns, manifest.rows);
  const tracker = createSequenceTracker();
  let snapshot: ScreenSegment['snapshot'] = emptyScreen(manifest);
  let held: CastEvent[] = [];
  let output = 0;
  for await (const event of events) {
    const last = held.at(-1);
    const first = held[0];
    const isDue =
      first !== undefined && (output >= maxSegmentOutput || event.time - first.time >= maxSegmentSeconds);
    if (isDue && last !== undefined && event.time > last.time) {
      yield { snapshot, events: held };
      const { cols: columns, rows } = state.terminal;
      snapshot = { columns, rows, screen: state.snapshot() + tracker.unfinished() };
      held = [];
      output = 0;
    }
    held.push(event);
    if (event.code === 'o') {
      output += event.data.length;
      if (output > maxJoinedOutput) throw tooLong();
      state.write(Buffer.from(event.data, 'utf8'));
      tracker.write(event.data);
    } else if (event.code === 'r') resizeTo(state, event.data);
  }
  yield { snapshot, events: held };
  state.dispose();
}

function resizeTo(state: { resize(columns: number, rows: number): void }, size: string): void {
  const [columns = 0, rows = 0] = size.split('x').map(Number);
  state.resize(columns, rows);
}

function emptyScreen({ columns, rows }: RecordingManifest): ScreenSegment['snapshot'] {
  return { columns, rows, screen: '' };
}

function tooLong(): ReplayError {
  return new ReplayError(
    'too-large',
    'the recording has a stretch that cannot be cut and is too long to be played in a page; export it with --format cast',
  );
}
