import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { BlobKey, BlobStore } from '#core/contract';
import { loadManifest, openRecordingAt, type RecordingManifest } from '#core/recording';
import type { RenderLimits } from './rendered-text.ts';
import { searchRows } from './search-rows.ts';

export type ScreenTextLimits = RenderLimits & {
  /** Characters of all rows together. */
  readonly maxLength: number;
};

const defaultLimits: ScreenTextLimits = {
  maxLines: 200_000,
  maxLineLength: 4096,
  maxLength: 16 * 1024 * 1024,
};
const gzipAsync = promisify(gzip);

/** `screen-text/dt=YYYY-MM-DD/<session>/<channel>.ndjson.gz`, of the same day as the recording. */
export function screenTextKey({ startedAtMs, sessionId, channel }: RecordingManifest): BlobKey {
  const day = new Date(startedAtMs).toISOString().slice(0, 10);
  return `screen-text/dt=${day}/${sessionId}/${channel}.ndjson.gz`;
}

/**
 * What the screens of a recording said, a JSON line for each line of text, as the table `screen_text` has it. The last row has no text: it
 * says whether the rows are all there is. Derived from the stored recording, so it can be made again and is no evidence itself.
 * @throws RecordingError
 */
export async function screenTextFile(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  manifest: RecordingManifest,
  limits: ScreenTextLimits = defaultLimits,
): Promise<Buffer> {
  const recording = await openRecordingAt(store, key, manifest, 0);
  const rows = searchRows(manifest, recording, limits);
  const lines: string[] = [];
  let length = 0;
  let outcome: 'complete' | 'cut' = 'cut';
  for (;;) {
    const next = await rows.next();
    if (next.done === true) {
      outcome = next.value;
      break;
    }
    const line = rowLine(manifest, next.value.seconds, { text: next.value.text.toWellFormed() });
    length += line.length;
    if (length > limits.maxLength) break;
    lines.push(line);
  }
  await rows.return('cut');
  lines.push(rowLine(manifest, manifest.seconds, { outcome }));
  return gzipAsync(lines.join(''));
}

/** Puts the rows of a stored recording where queries find them. `key` is that of its manifest. */
export async function storeScreenText(
  store: Pick<BlobStore, 'get' | 'putIfAbsent'>,
  key: BlobKey,
): Promise<void> {
  const manifest = await loadManifest(store, key);
  // Those that are there were made of the same recording.
  await store.putIfAbsent(screenTextKey(manifest), await screenTextFile(store, key, manifest));
}

function rowLine(
  { sessionId, recordingId, startedAtMs }: RecordingManifest,
  seconds: number,
  said: { readonly text: string } | { readonly outcome: 'complete' | 'cut' },
): string {
  const row = {
    session_id: sessionId,
    recording_id: recordingId,
    said_at: new Date(startedAtMs + Math.round(seconds * 1000)).toISOString(),
    seconds,
    ...said,
  };
  return `${JSON.stringify(row)}\n`;
}
