import { type CastInput, createCastEncoder, markerLabel, terminalSize } from './cast-encoder.ts';
import { createSummaryCollector, type RecordingSummary } from './recording-summary.ts';
import { encodeSnapshotLine } from './snapshot-line.ts';
import { castHeader, type SpoolHead } from './spool.ts';
import type { ChunkTimes } from './store-recording.ts';
import type { TerminalState } from './terminal-state.ts';
import { createSequenceTracker } from './unfinished-sequence.ts';

export type SegmentLimits = {
  /** A segment ends when it has this much output, ... */
  readonly outputBytes: number;
  /** ... is this old, in recorded time, ... */
  readonly ageMs: number;
  /** ... or has this much text, whatever it is. */
  readonly textBytes: number;
};

/** In order. Text belongs on the end of the spool's chunk with the segment's number; a sealed segment gets no more. */
export type SegmentStep =
  | { readonly kind: 'text'; readonly segment: number; readonly text: string }
  | { readonly kind: 'sealed'; readonly segment: ChunkTimes };

/**
 * Cuts a recording into segments that each begin with the screen as it was, so that it can be opened anywhere. A segment is text as
 * the spool has it: lines of asciicast v3, the snapshot a comment among them. The segments of a recording, joined, are one
 * asciicast v3 file. Nothing is held back but the output that is not a whole character yet, so what is lost with the process is what
 * the spool had not written.
 */
export type SegmentBuilder = {
  /** Milliseconds since the start. Every event costs `terminal` its output, so this is no work for a relay's thread. */
  push(atMs: number, event: CastInput): readonly SegmentStep[];
  /** Seals a segment that is old enough; call it every second or so. */
  tick(atMs: number): readonly SegmentStep[];
  /** Once, at the end. */
  end(atMs: number): readonly SegmentStep[];
  readonly summary: RecordingSummary;
  readonly invalidBytes: number;
  readonly lastTimeMs: number;
};

const defaultSegmentLimits: SegmentLimits = {
  outputBytes: 256 * 1024,
  ageMs: 10_000,
  textBytes: 1024 * 1024,
};

/** Output in one event at most. Escaped for JSON it is six times as much, under half of the longest line that is read. */
const maxEventBytes = 64 * 1024;
/** Drawing a larger screen takes longer than what a snapshot saves. */
const maxSnapshotCells = 100_000;

type OpenSegment = {
  readonly number: number;
  readonly firstMs: number;
  readonly snapshotBytes: number;
  outputBytes: number;
  textBytes: number;
};

export function createSegmentBuilder(
  head: SpoolHead,
  terminal: TerminalState,
  limits: SegmentLimits = defaultSegmentLimits,
): SegmentBuilder {
  const summary = createSummaryCollector();
  const tracker = createSequenceTracker();
  let size = terminalSize(head.columns, head.rows);
  let shown = '';
  const encoder = createCastEncoder(castHeader(head), (text) => {
    shown += text;
  });
  let open: OpenSegment | undefined;
  let next = 0;

  const seal = (): readonly SegmentStep[] => {
    if (open === undefined) return [];
    const { number, firstMs, snapshotBytes } = open;
    open = undefined;
    return [{ kind: 'sealed', segment: { number, firstMs, lastMs: encoder.lastTimeMs, snapshotBytes } }];
  };
  const isFull = (): boolean =>
    open !== undefined && (open.outputBytes >= limits.outputBytes || open.textBytes >= limits.textBytes);
  const isOld = (atMs: number): boolean => open !== undefined && atMs - open.firstMs >= limits.ageMs;
  const snapshotLine = (baseMs: number): string => {
    if (size.columns * size.rows > maxSnapshotCells && next > 0) return '';
    const drawn = next === 0 ? '' : terminal.snapshot();
    if (drawn === undefined) return '';
    return encodeSnapshotLine({ baseMs, ...size, screen: drawn + tracker.unfinished() }) ?? '';
  };
  /** The screen is drawn before the first event of a segment changes it. */
  const begin = (baseMs: number): { readonly text: string; readonly segment: OpenSegment } => {
    const snapshot = snapshotLine(baseMs);
    const segment = {
      number: next,
      firstMs: next === 0 ? 0 : encoder.lastTimeMs,
      snapshotBytes: Buffer.byteLength(snapshot),
      outputBytes: 0,
      textBytes: 0,
    };
    const text = next === 0 ? encoder.header + snapshot : snapshot;
    next += 1;
    return { text, segment };
  };
  /** Lines the encoder made of an event, after `baseMs`. */
  const keep = (baseMs: number, lines: string): SegmentStep => {
    let text = lines;
    if (open === undefined) {
      const begun = begin(baseMs);
      open = begun.segment;
      text = begun.text + lines;
    }
    open.outputBytes += shown.length;
    open.textBytes += text.length;
    if (shown !== '') {
      terminal.write(Buffer.from(shown, 'utf8'));
      tracker.write(shown);
      shown = '';
    }
    return { kind: 'text', segment: open.number, text };
  };
  const note = (event: CastInput): void => {
    const atMs = encoder.lastTimeMs;
    if (event.code === 'truncated') summary.truncated(atMs);
    if (event.code === 'omitted') summary.omitted(atMs, event);
    if (event.code === 'm' || event.code === 'omitted' || event.code === 'truncated')
      summary.marker(atMs, markerLabel(event));
    if (event.code === 'r' && event.columns > 0 && event.rows > 0) {
      size = terminalSize(event.columns, event.rows);
      terminal.resize(size.columns, size.rows);
    }
  };
  const pushOne = (atMs: number, event: CastInput): readonly SegmentStep[] => {
    const baseMs = encoder.lastTimeMs;
    // A segment begins later than the one before ends, or a player could not tell them apart; so time that stands still is moved on.
    const steps = isFull() || isOld(atMs) ? seal() : [];
    const begins = open === undefined && next > 0;
    const lines = encoder.encode(begins ? Math.max(atMs, baseMs + 1) : atMs, event);
    if (lines === '') return steps;
    const step = keep(baseMs, lines);
    note(event);
    return [...steps, step];
  };
  return {
    push: (atMs, event) => slices(event).flatMap((slice) => pushOne(atMs, slice)),
    tick: (atMs) => (isOld(atMs) ? seal() : []),
    end(atMs) {
      const baseMs = encoder.lastTimeMs;
      const begins = open === undefined && next > 0;
      const lines = encoder.end(begins ? Math.max(atMs, baseMs + 1) : atMs);
      // A recording in which nothing happened is a header.
      const steps = lines !== '' || next === 0 ? [keep(baseMs, lines)] : [];
      return [...steps, ...seal()];
    },
    get summary() {
      return summary.summary;
    },
    get invalidBytes() {
      return encoder.invalidBytes;
    },
    get lastTimeMs() {
      return encoder.lastTimeMs;
    },
  };
}

function slices(event: CastInput): readonly CastInput[] {
  if (event.code !== 'o' || event.data.length <= maxEventBytes) return [event];
  return Array.from({ length: Math.ceil(event.data.length / maxEventBytes) }, (_, index) => ({
    ...event,
    data: event.data.subarray(index * maxEventBytes, (index + 1) * maxEventBytes),
  }));
}
