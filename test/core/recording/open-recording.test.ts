import { describe, expect, it } from 'vitest';
import { openRecordingAt, type RecordingManifest, recordingSegments } from '../../../core/recording/index.ts';
import { createTerminalState } from '../../../core/replay/index.ts';
import { recorded, type SegmentedRecording, type Timed } from '../../support/segmented-recording.ts';

/** A shell that scrolls, an editor in the middle, a resize. Two minutes. */
function session(): readonly Timed[] {
  const events: Timed[] = [];
  for (let second = 0; second < 120; second += 1) {
    const atMs = second * 1000;
    if (second === 50) events.push([atMs, '\u001b[?1049h\u001b[2J\u001b[Hediting']);
    if (second === 70) events.push([atMs, '\u001b[?1049l']);
    if (second === 90) events.push([atMs, { code: 'r', columns: 60, rows: 10 }]);
    events.push(
      [atMs + 1, `\u001b[3${second % 8}msecond ${second}\u001b[0m\r\n\u001b[4`],
      [atMs + 500, 'mx\u001b[0m'],
    );
  }
  return events;
}

function screenAfter(
  columns: number,
  rows: number,
  drawn: Iterable<string | { readonly columns: number; readonly rows: number }>,
): readonly string[] {
  const { terminal, write, resize } = createTerminalState(columns, rows);
  for (const step of drawn)
    if (typeof step === 'string') write(Buffer.from(step));
    else resize(step.columns, step.rows);
  const { active } = terminal.buffer;
  const text = Array.from(
    { length: terminal.rows },
    (_, y) => active.getLine(active.baseY + y)?.translateToString(true) ?? '',
  );
  return [...text, `${active.type} ${active.cursorX},${active.cursorY}`];
}

function linearScreen(seconds: number): readonly string[] {
  const steps = session().flatMap<string | { columns: number; rows: number }>(([atMs, event]) => {
    if (atMs > seconds * 1000) return [];
    if (typeof event === 'string') return [event];
    return event.code === 'r' ? [event] : [];
  });
  return screenAfter(40, 8, steps);
}

async function openedScreen({ store, key, manifest }: SegmentedRecording, seconds: number) {
  const { snapshot, events } = await openRecordingAt(store, key, manifest, seconds);
  const steps: (string | { columns: number; rows: number })[] = [snapshot.screen];
  for await (const event of events) {
    if (event.time > seconds) break;
    if (event.code === 'o') steps.push(event.data);
    if (event.code === 'r') {
      const [columns = 0, rows = 0] = event.data.split('x').map(Number);
      steps.push({ columns, rows });
    }
  }
  return screenAfter(snapshot.columns, snapshot.rows, steps);
}

describe('opening a recording', () => {
  it.each([0, 0.2, 9.9, 10, 33.3, 51, 69.9, 70.6, 89, 95.5, 119, 500])(
    'at second %s shows the screen a replay from the start has then',
    async (seconds) => {
      const recording = await recorded(session());

      expect(await openedScreen(recording, seconds)).toEqual(linearScreen(seconds));
    },
  );

  it('reads one segment', async () => {
    const { store, key, manifest } = await recorded(session());
    store.reads.length = 0;

    const { events } = await openRecordingAt(store, key, manifest, 75);
    await events.next();

    expect(store.reads).toHaveLength(1);
  });

  it('goes on to the end', async () => {
    const { store, key, manifest } = await recorded(session());

    const { events } = await openRecordingAt(store, key, manifest, 75);
    const all = await Array.fromAsync(events);

    expect(all.at(-1)?.time).toBe(119.5);
    expect(all[0]?.time).toBeLessThan(75);
  });

  it('begins at the start where the recording has no snapshots', async () => {
    const { store, key, manifest } = await recorded(session());
    const chunks = manifest.chunks.map((chunk) => ({ ...chunk, snapshotBytes: 0 }));
    const old: RecordingManifest = { ...manifest, chunks };

    const { snapshot, events } = await openRecordingAt(store, key, old, 75);
    const all = await Array.fromAsync(events);

    expect(snapshot).toMatchObject({ screen: '', columns: 40, rows: 8 });
    expect(all[0]?.time).toBe(0.001);
    expect(all.at(-1)?.time).toBe(119.5);
  });

  it('says which segment is missing, was changed, or is damaged', async () => {
    const { store, key, manifest } = await recorded(session());
    const name = manifest.chunks[3]?.name ?? '';
    const chunkKey = key.replace('manifest.json', name);
    const original = store.blobs.get(chunkKey) ?? Buffer.alloc(0);

    store.blobs.set(chunkKey, Buffer.concat([original, Buffer.from('x')]));
    await expect(openRecordingAt(store, key, manifest, 35)).rejects.toThrow(
      expect.objectContaining({ code: 'mismatch', message: expect.stringContaining(name) }),
    );
    store.blobs.delete(chunkKey);
    await expect(openRecordingAt(store, key, manifest, 35)).rejects.toThrow(
      expect.objectContaining({ code: 'missing', message: expect.stringContaining(name) }),
    );
    const lying = {
      ...manifest,
      chunks: manifest.chunks.map((chunk, i) => ({
        ...chunk,
        ...(i === 3 ? { sha256: manifest.chunks[2]?.sha256 ?? '' } : {}),
      })),
    };
    store.blobs.set(chunkKey, original);
    await expect(openRecordingAt(store, key, lying, 35)).rejects.toThrow(
      expect.objectContaining({ code: 'mismatch' }),
    );
  });

  it('gives the segments one by one, each with its snapshot and events', async () => {
    const { store, key, manifest } = await recorded(session());

    const starts: number[] = [];
    for await (const { snapshot, events } of recordingSegments(store, key, manifest)) {
      const [first] = await Array.fromAsync(events);
      starts.push(first?.time ?? -1);
      expect(snapshot).toBeDefined();
    }

    expect(starts.slice(1)).toEqual(manifest.chunks.slice(1).map(({ firstSecond }) => firstSecond));
  });
});
