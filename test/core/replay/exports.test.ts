import { describe, expect, it } from 'vitest';
import { castEvents, openRecordingAt } from '../../../core/recording/index.ts';
import {
  type CastExport,
  exportCast,
  playerSource,
  type ScreenSegment,
  screenSegments,
} from '../../../core/replay/index.ts';
import { recorded, type SegmentedRecording, type Timed } from '../../support/segmented-recording.ts';

const session: readonly Timed[] = [
  [500, 'one\r\n'],
  [1000, { code: 'm', label: 'uptime' }],
  [1000, { code: 'o', stream: 'stderr', data: Buffer.from('two\r\n') }],
  [400_000, 'three\r\n'],
  [400_500, { code: 'r', columns: 60, rows: 10 }],
  [401_000, { code: 'x', status: 3 }],
];

async function cast(recording: SegmentedRecording, options: CastExport): Promise<readonly string[]> {
  const { store, key, manifest } = recording;
  const opened = await openRecordingAt(store, key, manifest, options.fromSeconds ?? 0);
  const text = (await Array.fromAsync(exportCast(manifest, opened, options))).join('');
  return text.trimEnd().split('\n');
}

describe('an exported asciicast', () => {
  it('of version 3 has what was recorded', async () => {
    expect(await cast(await recorded(session), { version: 3, title: 'web1' })).toEqual([
      '{"version":3,"term":{"cols":40,"rows":8},"timestamp":1795169700,"title":"web1"}',
      '[0.500, "o", "one\\r\\n"]',
      '[0.500, "m", "uptime"]',
      '# stderr',
      '[0.000, "o", "two\\r\\n"]',
      '[399.000, "o", "three\\r\\n"]',
      '[0.500, "r", "60x10"]',
      '[0.500, "x", "3"]',
    ]);
  });

  it('of version 2 has times from the start, and no exit status', async () => {
    expect(await cast(await recorded(session), { version: 2 })).toEqual([
      '{"version":2,"width":40,"height":8,"timestamp":1795169700}',
      '[0.500, "o", "one\\r\\n"]',
      '[1.000, "m", "uptime"]',
      '[1.000, "o", "two\\r\\n"]',
      '[400.000, "o", "three\\r\\n"]',
      '[400.500, "r", "60x10"]',
    ]);
  });

  it('waits no longer than the idle limit', async () => {
    const lines = await cast(await recorded(session), { version: 2, idleLimitSeconds: 2 });

    expect(lines.at(-2)).toBe('[3.000, "o", "three\\r\\n"]');
  });

  it('from a second on begins with the screen there', async () => {
    const lines = await cast(await recorded(session), { version: 3, fromSeconds: 400.2 });

    expect(lines[0]).toContain('"timestamp":1795170100');
    expect(lines[1]).toMatch(/^\[0\.000, "o", ".*one.*two/);
    expect(lines.slice(2)).toEqual([
      '[0.000, "o", "three\\r\\n"]',
      '[0.300, "r", "60x10"]',
      '[0.500, "x", "3"]',
    ]);
  });

  it('can be read again', async () => {
    async function* file(): AsyncGenerator<Buffer> {
      yield Buffer.from((await cast(await recorded(session), { version: 3 })).join('\n'));
    }

    const events = await Array.fromAsync(castEvents(file()));

    expect(events.map(({ time }) => time)).toEqual([0.5, 1, 1, 400, 400.5, 401]);
  });
});

/** The rules asciinema-player 3.17 checks, as its source has them. */
async function checked(segments: AsyncIterable<ScreenSegment>, seconds: number, idleLimitSeconds?: number) {
  const source = playerSource(segments, { seconds, idleLimitSeconds });
  const read = await Array.fromAsync(source.segments);
  const index = source.index((number) => `s:${number}`);
  expect(index.segments).toHaveLength(read.length);
  expect(index.segments[0]?.start).toBe(0);
  for (const [number, { start, payload }] of read.entries()) {
    const end = read[number + 1]?.start ?? index.duration;
    const times = payload.events.map(([time]) => time);
    expect(start).toBe(index.segments[number]?.start);
    expect(start).toBeLessThan(index.duration);
    expect(times.length).toBeGreaterThan(0);
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    if (number > 0) expect(times[0]).toBe(start);
    if (number < read.length - 1) expect(times.at(-1)).toBeLessThan(end);
    else expect(times.at(-1)).toBe(index.duration);
  }
  return { source, index, read };
}

describe("the player's source", () => {
  const long: readonly Timed[] = Array.from({ length: 300 }, (_, n) => [n * 1000, `line ${n}\r\n`] as const);

  it('keeps the rules of the player', async () => {
    const { store, key, manifest } = await recorded(long, { endMs: 400_000 });

    const { index, read } = await checked(screenSegments(store, key, manifest), manifest.seconds);

    expect(index.duration).toBe(400);
    expect(read.length).toBe(30);
    expect(read[7]?.payload.snapshot.init).toContain('line 69');
  });

  it('keeps them for a recording without snapshots, which it makes', async () => {
    const { store, key, manifest } = await recorded(long);
    const old = { ...manifest, chunks: manifest.chunks.map((chunk) => ({ ...chunk, snapshotBytes: 0 })) };

    const { read } = await checked(screenSegments(store, key, old), manifest.seconds);

    expect(read.length).toBe(5);
    expect(read[3]?.payload.snapshot.init).toContain('line 179');
  });

  it('keeps them for a recording of nothing, and for one of a single moment', async () => {
    const nothing = await recorded([]);
    const moment = await recorded([[0, 'x']]);

    await checked(screenSegments(nothing.store, nothing.key, nothing.manifest), 0);
    await checked(screenSegments(moment.store, moment.key, moment.manifest), 0);
  });

  it('applies the idle limit, and knows where a second has come to', async () => {
    const { store, key, manifest } = await recorded(session);

    const { index, source } = await checked(screenSegments(store, key, manifest), manifest.seconds, 2);

    expect(index.duration).toBe(4);
    expect(index.markers).toEqual([[1, 'uptime']]);
    expect(source.played(400)).toBe(3);
    expect(source.played(400.5)).toBe(3.5);
  });
});
