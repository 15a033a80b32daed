import { describe, expect, it } from 'vitest';
import {
  castEvents,
  createSegmentBuilder,
  parseManifest,
  recordingBytes,
  type SegmentLimits,
  type TerminalState,
} from '../../../core/recording/index.ts';
import { recorded, recordedHead, type Timed } from '../../support/segmented-recording.ts';

const small: SegmentLimits = { outputBytes: 100, ageMs: 10_000, textBytes: 1024 * 1024 };

/** A line every 100 ms. */
function lines(count: number): readonly Timed[] {
  return Array.from({ length: count }, (_, i) => [i * 100, `line ${i} of a session\r\n`] as const);
}

describe('a segmented recording', () => {
  it('is one asciicast when its segments are joined', async () => {
    const { store, key, manifest } = await recorded(lines(50), { limits: small });

    const events = await Array.fromAsync(castEvents(recordingBytes(store, key, manifest)));

    expect(manifest.chunks.length).toBeGreaterThan(5);
    expect(events.map(({ time }) => time)).toEqual(lines(50).map(([atMs]) => atMs / 1000));
    expect(events.map(({ data }) => data)).toEqual(lines(50).map(([, text]) => text));
  });

  it('has a snapshot in each segment, and says in its manifest how large it is', async () => {
    const { manifest, texts } = await recorded(lines(50), { limits: small });

    expect(manifest.chunks.map(({ snapshotBytes }) => snapshotBytes)).toEqual(
      texts.map((text) => Buffer.byteLength(`${/^# snapshot .*$/m.exec(text)?.[0] ?? ''}\n`)),
    );
    expect(texts[3]).toMatch(/^# snapshot \{"baseMs":/);
    expect(parseManifest(Buffer.from(JSON.stringify(manifest)))).toEqual(manifest);
  });

  it('begins a segment ten seconds after the last', async () => {
    const { manifest } = await recorded([
      [0, 'a'],
      [9_000, 'b'],
      [10_000, 'c'],
      [25_000, 'd'],
    ]);

    expect(manifest.chunks.map(({ firstSecond }) => firstSecond)).toEqual([0, 10, 25]);
  });

  it('begins a segment after 256 KiB of output', async () => {
    const { manifest } = await recorded([
      [0, 'x'.repeat(300 * 1024)],
      [1, 'y'],
    ]);

    expect(manifest.chunks.map(({ firstSecond }) => firstSecond)).toEqual([0, 0.001]);
  });

  it('goes on a millisecond later where the clock stands still, so that no segment grows without bound', async () => {
    const still = Array.from({ length: 40 }, () => [5, 'twenty five characters...'] as const);

    const { manifest } = await recorded(still, { limits: small });

    expect(manifest.chunks.map(({ firstSecond }) => firstSecond)).toEqual([
      0, 0.006, 0.007, 0.008, 0.009, 0.01, 0.011, 0.012, 0.013, 0.014,
    ]);
  });

  it('cuts one large output so that every line can be read again', async () => {
    const { store, key, manifest } = await recorded([[0, '\u0001'.repeat(1_500_000)]]);

    const events = await Array.fromAsync(castEvents(recordingBytes(store, key, manifest)));

    expect(events.reduce((sum, { data }) => sum + data.length, 0)).toBe(1_500_000);
    expect(manifest.chunks.length).toBeGreaterThan(4);
  });

  it('puts a character together that came in two parts, on either side of a segment', async () => {
    const text = Buffer.from('caf\u00e9');

    const { store, key, manifest } = await recorded([
      [0, { code: 'o', stream: 'stdout', data: text.subarray(0, 4) }],
      [11_000, { code: 'o', stream: 'stdout', data: text.subarray(4) }],
    ]);

    const events = await Array.fromAsync(castEvents(recordingBytes(store, key, manifest)));
    expect(events.map(({ data }) => data)).toEqual(['caf', '\u00e9']);
    expect(manifest.invalidBytes).toBe(0);
  });

  it('names its markers, and what is left out', async () => {
    const { manifest } = await recorded([
      [1000, { code: 'm', label: 'uptime' }],
      [9000, { code: 'omitted', reason: 'summarised', fromMs: 2000, bytes: 5_000_000 }],
      [12_000, { code: 'truncated', afterBytes: 100 }],
    ]);

    expect(manifest.markers).toEqual([
      { second: 1, label: 'uptime' },
      { second: 9, label: '5000000 bytes are not recorded (summarised)' },
      { second: 12, label: 'recording stopped after 100 bytes' },
    ]);
    expect(manifest.omissions).toEqual([
      { reason: 'summarised', fromSecond: 2, toSecond: 9, bytes: 5_000_000 },
      { reason: 'capped', fromSecond: 12 },
    ]);
    expect(manifest.truncated).toBe(true);
  });

  it('of a channel that showed nothing is a header', async () => {
    const { manifest, texts } = await recorded([], { endMs: 2500 });

    expect(texts).toHaveLength(1);
    expect(texts[0]).toMatch(/^\{"version":3/);
    expect(manifest.seconds).toBe(2.5);
  });

  it('seals what is old at a tick, and begins the next with what comes', () => {
    const screen: TerminalState = { write: () => {}, resize: () => {}, snapshot: () => 'screen' };
    const builder = createSegmentBuilder(recordedHead, screen);
    const output = { code: 'o', stream: 'stdout', data: Buffer.from('x') } as const;

    const first = builder.push(100, output);
    const early = builder.tick(9_000);
    const late = builder.tick(10_000);
    const again = builder.tick(30_000);
    const next = builder.push(31_000, output);

    expect(first.map(({ kind }) => kind)).toEqual(['text']);
    expect(early).toEqual([]);
    expect(late).toMatchObject([{ kind: 'sealed', segment: { number: 0, firstMs: 0, lastMs: 100 } }]);
    expect(again).toEqual([]);
    expect(next).toEqual([
      {
        kind: 'text',
        segment: 1,
        text: '# snapshot {"baseMs":100,"columns":40,"rows":8,"screen":"screen"}\n[30.900, "o", "x"]\n',
      },
    ]);
  });

  it('leaves out a snapshot that would be larger than what it saves', async () => {
    const { manifest } = await recorded(
      [
        [0, { code: 'r', columns: 1000, rows: 1000 }],
        [1, 'a'],
        [11_000, 'b'],
      ],
      { limits: small },
    );

    expect(manifest.chunks.at(-1)?.snapshotBytes).toBe(0);
  });

  it('goes on without a snapshot where the screen is not known', () => {
    const screen: TerminalState = { write: () => {}, resize: () => {}, snapshot: () => undefined };
    const builder = createSegmentBuilder(recordedHead, screen);
    const output = { code: 'o', stream: 'stdout', data: Buffer.from('x') } as const;
    builder.push(0, output);

    const steps = builder.push(10_000, output);

    expect(steps.at(-1)).toEqual({ kind: 'text', segment: 1, text: '[10.000, "o", "x"]\n' });
  });
});
