import { describe, expect, it } from 'vitest';
import {
  loadManifest,
  openRecordingAt,
  recordingPrefix,
  recoverSpooledRecordings,
  type Spool,
  type SpoolChannel,
  storeChunk,
} from '../../../core/recording/index.ts';
import { createMemoryBlobStore } from '../../support/memory-blob-store.ts';
import { recorded, recordedHead, type Timed } from '../../support/segmented-recording.ts';

/** What a killed gateway left: some segments in the spool, and an end that was being written. */
function spoolOf(chunks: Map<number, Buffer>): Spool {
  return {
    begin: async () => {},
    append: async () => {},
    read: async (_channel, chunk) => chunks.get(chunk) ?? Promise.reject(new Error('no such chunk')),
    remove: async (_channel, chunk) => void chunks.delete(chunk),
    end: async () => {},
    head: async () => recordedHead,
    chunks: async () => [...chunks.keys()].sort((a, b) => a - b),
  };
}

async function* only(): AsyncGenerator<SpoolChannel> {
  yield recordedHead;
}

const events: readonly Timed[] = [
  [0, 'first\r\n'],
  [5000, { code: 'm', label: 'uptime' }],
  [12_000, 'second\r\n'],
  [13_000, { code: 'omitted', reason: 'summarised', fromMs: 12_500, bytes: 10 }],
  [24_000, 'third\r\n'],
  [25_000, 'fourth\r\n'],
];

describe('recovering a segmented recording', () => {
  it('names the parts of the original that were stored, and no other object', async () => {
    const whole = await recorded(events);
    const store = createMemoryBlobStore();
    const prefix = recordingPrefix(recordedHead.startedAtMs, recordedHead.sessionId, 'c1');
    for (const name of ['original.000000.sealed', 'original.000002.sealed', 'original.x.sealed'])
      await store.putIfAbsent(`${prefix}${name}`, Buffer.from(name));

    const [stored] = await recoverSpooledRecordings({
      store,
      spool: spoolOf(new Map(whole.texts.map((text, number) => [number, Buffer.from(text)]))),
      unfinished: only(),
      putOnRecord: async () => {},
      onFault: (error) => {
        throw error;
      },
    });

    const { originals } = await loadManifest(store, stored?.key ?? '');
    expect(originals?.map(({ name }) => name)).toEqual(['original.000000.sealed', 'original.000002.sealed']);
  });

  it('gives the manifest the gateway would have written, but for being recovered', async () => {
    const whole = await recorded(events);
    const store = createMemoryBlobStore();
    const texts = whole.texts.map((text) => Buffer.from(text));
    const prefix = recordingPrefix(recordedHead.startedAtMs, recordedHead.sessionId, 'c1');
    // The first was stored, and the gateway killed before it could remove it from the spool.
    await storeChunk(store, prefix, texts[0] ?? Buffer.alloc(0), { number: 0, firstMs: 0, lastMs: 5000 });
    const spool = spoolOf(new Map(texts.map((text, number) => [number, text])));

    const [stored] = await recoverSpooledRecordings({
      store,
      spool,
      unfinished: only(),
      putOnRecord: async () => {},
      onFault: (error) => {
        throw error;
      },
    });

    expect(await loadManifest(store, stored?.key ?? '')).toEqual({ ...whole.manifest, recovered: true });
  });

  it('opens in what was being written when the gateway was killed', async () => {
    const whole = await recorded(events);
    const store = createMemoryBlobStore();
    const chunks = new Map(whole.texts.map((text, number) => [number, Buffer.from(text)]));
    const last = chunks.get(2) ?? Buffer.alloc(0);
    chunks.set(2, last.subarray(0, last.length - 5));

    const [stored] = await recoverSpooledRecordings({
      store,
      spool: spoolOf(chunks),
      unfinished: only(),
      putOnRecord: async () => {},
      onFault: (error) => {
        throw error;
      },
    });

    const key = stored?.key ?? '';
    const opened = await openRecordingAt(store, key, await loadManifest(store, key), 24);
    const played = await Array.fromAsync(opened.events);
    expect(opened.snapshot.screen).toContain('second');
    expect(played.map(({ data }) => data)).toEqual(['third\r\n']);
  });
});
