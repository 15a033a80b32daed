import type { CastEvent, RecordingMarker } from '#core/recording';
import { createIdleClock } from './idle-clock.ts';
import type { ScreenSegment } from './screen-segments.ts';

/** A segment as asciinema-player 3.17 takes it (its source format `segmented`, which no document describes). */
export type PlayerSegment = {
  /** Seconds. */
  readonly start: number;
  readonly payload: {
    readonly snapshot: { readonly cols: number; readonly rows: number; readonly init: string };
    readonly events: readonly (readonly [seconds: number, code: 'o' | 'r' | 'm', data: string])[];
  };
};

export type PlayerIndex = {
  readonly version: 1;
  readonly duration: number;
  readonly term: { readonly cols: number; readonly rows: number };
  readonly markers: readonly (readonly [seconds: number, label: string])[];
  readonly segments: readonly { readonly start: number; readonly url: string }[];
};

export type PlayerSource = {
  /** Of all of them, the last read: in the player's order. */
  readonly segments: AsyncGenerator<PlayerSegment, void, undefined>;
  /** Once all segments were read. */
  index(url: (segment: number) => string): PlayerIndex;
  /** Where a second of the recording is in the playback. Once all segments were read. */
  played(seconds: number): number;
};

export type PlayerOptions = {
  /** Of the recording. */
  readonly seconds: number;
  readonly idleLimitSeconds?: number | undefined;
};

const maxMarkers = 10_000;

/**
 * Keeps the player's rules: the first segment starts at 0, starts increase, the first event of a later segment has its start, no
 * segment is empty, and the last event has the duration. The player takes no idle limit with segments, so it is applied here.
 */
export function playerSource(
  recorded: AsyncIterable<ScreenSegment>,
  { seconds, idleLimitSeconds }: PlayerOptions,
): PlayerSource {
  const clock = createIdleClock(0, idleLimitSeconds);
  const markers: RecordingMarker[] = [];
  const starts: number[] = [];
  const marks: { readonly recorded: number; readonly played: number }[] = [];
  let term = { cols: 80, rows: 24 };
  let duration = 0;
  const timed = (events: readonly CastEvent[]): PlayerSegment['payload']['events'] =>
    events.flatMap((event) => {
      const at = clock(event.time);
      if (event.code === 'x') return [];
      if (event.code === 'm' && markers.length < maxMarkers) markers.push({ second: at, label: event.data });
      return [[at, event.code, event.data] as const];
    });
  async function* segments(): AsyncGenerator<PlayerSegment, void, undefined> {
    let held: PlayerSegment | undefined;
    for await (const { snapshot, events } of recorded) {
      const playable = timed(events);
      const first = playable[0];
      if (held === undefined) term = { cols: snapshot.columns, rows: snapshot.rows };
      else if (first === undefined) continue;
      else yield held;
      const start = held === undefined ? 0 : (first?.[0] ?? 0);
      starts.push(start);
      marks.push({ recorded: held === undefined ? 0 : (events[0]?.time ?? 0), played: start });
      const { columns: cols, rows, screen: init } = snapshot;
      held = { start, payload: { snapshot: { cols, rows, init }, events: playable } };
    }
    if (held === undefined) return;
    const { payload, start } = held;
    duration = Math.max(clock(seconds), start + 0.001);
    yield { start, payload: { ...payload, events: [...payload.events, [duration, 'o', '']] } };
  }
  return {
    segments: segments(),
    index: (url) => ({
      version: 1,
      duration,
      term,
      markers: markers.map(({ second, label }) => [second, label] as const),
      segments: starts.map((start, number) => ({ start, url: url(number) })),
    }),
    played(second) {
      const mark = marks.findLast(({ recorded: at }) => at <= second) ?? { recorded: 0, played: 0 };
      return Math.min(duration, mark.played + Math.max(0, second - mark.recorded));
    },
  };
}
