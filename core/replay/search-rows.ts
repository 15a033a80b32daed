import type { RecordingId, SessionId } from '#core/contract';
import type { OpenedRecording, RecordingManifest } from '#core/recording';
import { type RenderLimits, renderedText } from './rendered-text.ts';

/** A line for an index over what screens said; a player opened at `seconds` shows it, or is about to. */
export type SearchRow = {
  readonly sessionId: SessionId;
  readonly recordingId: RecordingId;
  readonly seconds: number;
  readonly text: string;
};

/** Lines with text. Of a full-screen program only those are given that its screen before had not. Returns as `renderedText` does. */
export async function* searchRows(
  { sessionId, recordingId }: RecordingManifest,
  recording: OpenedRecording,
  limits?: RenderLimits,
): AsyncGenerator<SearchRow, 'complete' | 'cut', undefined> {
  let screen: ReadonlySet<string> = new Set();
  const texts = renderedText(recording, limits);
  for (;;) {
    const next = await texts.next();
    if (next.done === true) return next.value;
    const { value } = next;
    const lines = value.kind === 'line' ? [value.text] : value.lines.filter((line) => !screen.has(line));
    for (const line of lines)
      if (line.trim() !== '') yield { sessionId, recordingId, seconds: value.seconds, text: line.trim() };
    if (value.kind === 'screen') screen = new Set(value.lines);
  }
}
