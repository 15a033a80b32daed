import type { CastEvent, OpenedRecording, RecordingManifest } from '#core/recording';
import { createIdleClock } from './idle-clock.ts';

export type CastExport = {
  readonly version: 2 | 3;
  /** What comes before is shown at once. */
  readonly fromSeconds?: number | undefined;
  readonly idleLimitSeconds?: number | undefined;
  readonly title?: string | undefined;
};

/**
 * An asciicast file, line by line (docs.asciinema.org/manual/asciicast/v2 and v3). Version 2 knows no exit status. Neither knows
 * standard error: version 3 keeps it as a comment.
 */
export async function* exportCast(
  manifest: RecordingManifest,
  { snapshot, events }: OpenedRecording,
  options: CastExport,
): AsyncGenerator<string, void, undefined> {
  const from = options.fromSeconds ?? 0;
  const clock = createIdleClock(from, options.idleLimitSeconds);
  yield headerLine(manifest, snapshot, options);
  let last = 0;
  const line = (event: CastEvent): string => {
    const at = clock(Math.max(from, event.time));
    const time = options.version === 2 ? at : at - last;
    last = at;
    if (options.version === 2 && event.code === 'x') return '';
    const comment =
      options.version === 3 && event.code === 'o' && event.stream === 'stderr' ? '# stderr\n' : '';
    return `${comment}[${time.toFixed(3)}, "${event.code}", ${JSON.stringify(event.data)}]\n`;
  };
  if (snapshot.screen !== '') yield line({ time: from, code: 'o', data: snapshot.screen, stream: 'stdout' });
  for await (const event of events) yield line(event);
}

function headerLine(
  manifest: RecordingManifest,
  { columns, rows }: OpenedRecording['snapshot'],
  { version, fromSeconds, title }: CastExport,
): string {
  const timestamp = Math.floor(manifest.startedAtMs / 1000 + (fromSeconds ?? 0));
  const size = version === 2 ? { width: columns, height: rows } : { term: { cols: columns, rows } };
  return `${JSON.stringify({ version, ...size, timestamp, ...(title === undefined ? {} : { title }) })}\n`;
}
