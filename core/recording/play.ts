import type { CastEvent } from './cast-events.ts';
import { createPlaybackFilter } from './playback-filter.ts';

export type PlayOptions = {
  /** 2 is twice as fast; Infinity does not wait at all. */
  readonly speed: number;
  /** Longest wait between two events, in recorded seconds. */
  readonly idleLimitSeconds?: number;
  /** Everything before is shown at once. */
  readonly startAtSeconds?: number;
  /** The screen before the first event, as output that draws it. */
  readonly screen?: string;
  /** The output goes to no terminal, so there is none to put back. */
  readonly isPiped?: boolean;
  /** A rejection ends the playback, after the terminal was put back. */
  readonly sleep: (ms: number) => Promise<void>;
  readonly write: (text: string) => void | Promise<void>;
};

/** Shows the output at the pace at which it was recorded, filtered for the reader's terminal. */
export async function play(events: AsyncIterable<CastEvent>, options: PlayOptions): Promise<void> {
  if (!(options.speed > 0)) throw new RangeError(`playback speed must be above 0, not ${options.speed}`);
  const filter = createPlaybackFilter();
  const startAt = options.startAtSeconds ?? 0;
  let reached = startAt;
  try {
    const screen = filter.write(options.screen ?? '');
    if (screen !== '') await options.write(screen);
    for await (const event of events) {
      const gap = Math.min(Math.max(0, event.time - reached), options.idleLimitSeconds ?? Infinity);
      reached = Math.max(reached, event.time);
      const waitMs = (gap / options.speed) * 1000;
      if (waitMs > 0) await options.sleep(waitMs);
      if (event.code !== 'o') continue;
      const shown = filter.write(event.data);
      if (shown !== '') await options.write(shown);
    }
  } finally {
    if (options.isPiped !== true) await options.write(filter.end());
  }
}
