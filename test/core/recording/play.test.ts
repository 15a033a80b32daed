import { describe, expect, it } from 'vitest';
import { type CastEvent, type PlayOptions, play } from '../../../core/recording/index.ts';

const events: readonly CastEvent[] = [
  { time: 1, code: 'o', data: 'one', stream: 'stdout' },
  { time: 2, code: 'm', data: 'uptime' },
  { time: 62, code: 'o', data: '\u001b[6ntwo', stream: 'stderr' },
  { time: 62, code: 'o', data: 'three', stream: 'stdout' },
];

async function* recorded(list: readonly CastEvent[] = events): AsyncGenerator<CastEvent> {
  yield* list;
}

async function played(options: Partial<PlayOptions>): Promise<readonly (string | number)[]> {
  const seen: (string | number)[] = [];
  await play(recorded(), {
    speed: 1,
    sleep: async (ms) => void seen.push(Math.round(ms)),
    write: (text) => void seen.push(text),
    ...options,
  });
  return seen.slice(0, -1);
}

describe('play', () => {
  it('writes output at its times and nothing else', async () => {
    expect(await played({})).toEqual([1000, 'one', 1000, 60_000, 'two', 'three']);
  });

  it('plays faster, and shortens what is idle', async () => {
    expect(await played({ speed: 2, idleLimitSeconds: 3 })).toEqual([500, 'one', 500, 1500, 'two', 'three']);
  });

  it('shows everything before the start at once', async () => {
    expect(await played({ startAtSeconds: 61.5 })).toEqual(['one', 500, 'two', 'three']);
  });

  it('does not wait at all at infinite speed', async () => {
    expect(await played({ speed: Infinity })).toEqual(['one', 'two', 'three']);
  });

  it('shows the screen it begins with first, filtered', async () => {
    const seen = await played({ screen: '\u001b[31mscreen\u001b[6n', startAtSeconds: 62 });

    expect(seen).toEqual(['\u001b[31mscreen', 'one', 'two', 'three']);
  });

  it('puts no terminal back where the output goes to none', async () => {
    const written: string[] = [];

    await play(recorded(), {
      speed: Infinity,
      isPiped: true,
      sleep: async () => {},
      write: (text) => void written.push(text),
    });

    expect(written).toEqual(['one', 'two', 'three']);
  });

  it('puts the terminal back also where playing is broken off', async () => {
    const written: string[] = [];
    const playing = play(recorded(), {
      speed: 1,
      sleep: () => Promise.reject(new Error('interrupted')),
      write: (text) => void written.push(text),
    });

    await expect(playing).rejects.toThrow('interrupted');
    expect(written.at(-1)).toContain('\u001b[0m');
  });

  it.each([0, -1, Number.NaN])('refuses the speed %s', async (speed) => {
    await expect(played({ speed })).rejects.toThrow(RangeError);
  });
});
