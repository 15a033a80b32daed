import { type SessionId, sessionId } from '../../core/contract/index.ts';
import {
  type CastInput,
  createSegmentBuilder,
  type RecordingChunk,
  type RecordingManifest,
  recordingPrefix,
  type SegmentLimits,
  type SegmentStep,
  type SpoolHead,
  segmentedManifest,
  storeChunk,
  storeManifest,
} from '../../core/recording/index.ts';
import { createTerminalState } from '../../core/replay/index.ts';
import { createMemoryBlobStore, type MemoryBlobStore } from './memory-blob-store.ts';

const recordedSession: SessionId = sessionId('s-0123456789abcdef0123456789abcdef');

export const recordedHead: SpoolHead = {
  sessionId: recordedSession,
  channel: 'c1',
  kind: 'shell',
  startedAtMs: Date.UTC(2026, 10, 20, 10, 15),
  columns: 40,
  rows: 8,
  term: 'xterm-256color',
};

export type Timed = readonly [atMs: number, event: CastInput | string];

export type SegmentedRecording = {
  readonly store: MemoryBlobStore;
  readonly key: string;
  readonly manifest: RecordingManifest;
  /** As a spool would have had them. */
  readonly texts: readonly string[];
};

/** Records as a gateway does, into memory. A text is output. */
export async function recorded(
  events: Iterable<Timed>,
  options: {
    readonly head?: Partial<SpoolHead>;
    readonly limits?: SegmentLimits;
    readonly endMs?: number;
  } = {},
): Promise<SegmentedRecording> {
  const head = { ...recordedHead, ...options.head };
  const terminal = createTerminalState(head.columns, head.rows);
  const builder = createSegmentBuilder(head, terminal, options.limits);
  const store = createMemoryBlobStore();
  const prefix = recordingPrefix(head.startedAtMs, head.sessionId, head.channel);
  const texts: string[] = [];
  const chunks: RecordingChunk[] = [];
  const take = async (steps: readonly SegmentStep[]): Promise<void> => {
    for (const step of steps)
      if (step.kind === 'text') texts[step.segment] = (texts[step.segment] ?? '') + step.text;
      else
        chunks.push(
          await storeChunk(store, prefix, Buffer.from(texts[step.segment.number] ?? ''), step.segment),
        );
  };
  for (const [atMs, event] of events)
    await take(
      builder.push(
        atMs,
        typeof event === 'string' ? { code: 'o', stream: 'stdout', data: Buffer.from(event) } : event,
      ),
    );
  const endMs = options.endMs ?? builder.lastTimeMs;
  await take(builder.end(endMs));
  const manifest = segmentedManifest(head, builder, chunks, endMs);
  const { key } = await storeManifest(store, manifest);
  return { store, key, manifest, texts };
}
