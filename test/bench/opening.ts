import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFolderBlobStore } from '#adapters/local';
import { sessionId } from '#core/contract';
import {
  createSegmentBuilder,
  loadManifest,
  openRecordingAt,
  type RecordingChunk,
  recordingPrefix,
  type SpoolHead,
  segmentedManifest,
  storeChunk,
  storeManifest,
} from '#core/recording';
import { createTerminalState } from '#core/replay';
import { percentile } from './statistics.ts';
import type { Family } from './workbench.ts';

const hours = 8;
const endMs = hours * 3_600_000;
/** As much as a person's day of work puts out, and a great deal more. */
const outputBytes = 96 * 1024 * 1024;
const openings = 40;

const head: SpoolHead = {
  sessionId: sessionId('s-0123456789abcdef0123456789abcdef'),
  channel: 'c1',
  kind: 'shell',
  startedAtMs: Date.UTC(2026, 10, 20),
  columns: 120,
  rows: 40,
  term: 'xterm-256color',
};

export const opening: Family = {
  name: 'opening',
  about: `a recording of ${hours} hours opened at any second, beside a replay from its start`,
  async measure(workbench) {
    const folder = mkdtempSync(join(tmpdir(), 'sshtrail-bench-'));
    try {
      const store = createFolderBlobStore(folder);
      const { key, segments, cpuSeconds } = await record(store);
      workbench.progress(`opening: ${segments} segments, built in ${cpuSeconds.toFixed(1)} s`);
      const opened: number[] = [];
      for (let index = 0; index < openings; index += 1)
        opened.push(await openingMs(store, key, ((index * 0.618) % 1) * (endMs / 1000)));
      const linearMs = await openingMs(store, key, endMs / 1000, 'from the start');
      const measured = {
        kind: 'percentiles',
        p50: percentile(opened, 0.5),
        p99: percentile(opened, 0.99),
      } as const;
      return [
        {
          name: 'opening-any-second',
          unit: 'ms',
          measured,
          against: { kind: 'promise', bound: { direction: 'at-most', limit: 1000 } },
        },
        {
          name: 'opening-beside-replay',
          unit: 'ms',
          measured,
          against: { kind: 'baseline', name: 'replay from the start', value: linearMs },
        },
      ];
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

async function record(store: ReturnType<typeof createFolderBlobStore>) {
  const terminal = createTerminalState(head.columns, head.rows);
  const builder = createSegmentBuilder(head, terminal);
  const prefix = recordingPrefix(head.startedAtMs, head.sessionId, head.channel);
  const chunks: RecordingChunk[] = [];
  const texts = new Map<number, string[]>();
  let elapsedMs = 0;
  const listing = Buffer.from(
    Array.from(
      { length: 200 },
      (_, row) =>
        `-rw-r--r-- 1 root root ${row * 7919} Nov 20 10:15 \u001b[01;3${row % 7}mfile-${row}\u001b[0m\r\n`,
    ).join(''),
  );
  const events = Math.floor(outputBytes / listing.length);
  for (let event = 0; event <= events; event += 1) {
    const started = performance.now();
    const atMs = Math.floor((event / events) * endMs);
    const steps =
      event < events
        ? builder.push(atMs, { code: 'o', stream: 'stdout', data: listing })
        : builder.end(endMs);
    elapsedMs += performance.now() - started;
    for (const step of steps)
      if (step.kind === 'text') texts.set(step.segment, [...(texts.get(step.segment) ?? []), step.text]);
      else {
        const text = Buffer.from((texts.get(step.segment.number) ?? []).join(''));
        texts.delete(step.segment.number);
        chunks.push(await storeChunk(store, prefix, text, step.segment));
      }
  }
  const { key } = await storeManifest(store, segmentedManifest(head, builder, chunks, endMs));
  return { key, segments: chunks.length, cpuSeconds: elapsedMs / 1000 };
}

/** From the manifest's bytes to the screen of that second. */
async function openingMs(
  store: ReturnType<typeof createFolderBlobStore>,
  key: string,
  seconds: number,
  how?: 'from the start',
): Promise<number> {
  const started = performance.now();
  const manifest = await loadManifest(store, key);
  const from = how === undefined ? seconds : 0;
  const { snapshot, events } = await openRecordingAt(store, key, manifest, from);
  const terminal = createTerminalState(snapshot.columns, snapshot.rows);
  terminal.write(Buffer.from(snapshot.screen));
  for await (const event of events) {
    if (event.time > seconds) break;
    if (event.code === 'o') terminal.write(Buffer.from(event.data));
  }
  terminal.snapshot();
  terminal.dispose();
  return performance.now() - started;
}
