import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  encodeManifest,
  loadManifest,
  manifestKey,
  type RecordingManifest,
  recordingBytes,
  recordingPrefix,
} from '../../../core/recording/index.ts';
import { exampleManifest } from './example-manifest.ts';

const prefix = recordingPrefix(
  exampleManifest.startedAtMs,
  exampleManifest.sessionId,
  exampleManifest.channel,
);
const key = manifestKey(prefix);

function stored(texts: readonly (string | Buffer)[]): {
  objects: Map<string, Buffer>;
  manifest: RecordingManifest;
  store: { get(key: string): Promise<Buffer | undefined> };
} {
  const gzipped = texts.map((text) => (typeof text === 'string' ? gzipSync(text) : text));
  const chunks = exampleManifest.chunks.map((chunk, index) => ({
    ...chunk,
    sha256: createHash('sha256')
      .update(gzipped[index] ?? '')
      .digest('hex'),
  }));
  const manifest = { ...exampleManifest, chunks };
  const objects = new Map(gzipped.map((bytes, index) => [`${prefix}00000${index}.cast.gz`, bytes]));
  objects.set(key, encodeManifest(manifest));
  return { objects, manifest, store: { get: async (wanted) => objects.get(wanted) } };
}

describe('a stored recording', () => {
  it('lies under the UTC day on which it began', () => {
    expect(key).toBe('recordings/dt=2023-11-14/s-0123456789abcdef0123456789abcdef/c1/manifest.json');
  });

  it('is read chunk by chunk in order', async () => {
    const { store, manifest } = stored(['one', 'two']);

    expect(await loadManifest(store, key)).toEqual(manifest);
    expect((await Array.fromAsync(recordingBytes(store, key, manifest))).join('|')).toBe('one|two');
  });

  it('gives out nothing of a chunk that was exchanged', async () => {
    const { store, manifest, objects } = stored(['one', 'two']);
    objects.set(`${prefix}000001.cast.gz`, gzipSync('forged'));
    const given: string[] = [];

    const reading = (async () => {
      for await (const bytes of recordingBytes(store, key, manifest)) given.push(bytes.toString());
    })();

    await expect(reading).rejects.toMatchObject({ code: 'mismatch' });
    expect(given).toEqual(['one']);
  });

  it('names what is missing', async () => {
    const { store, manifest, objects } = stored(['one', 'two']);
    objects.delete(`${prefix}000000.cast.gz`);

    await expect(Array.fromAsync(recordingBytes(store, key, manifest))).rejects.toThrow(
      /000000.cast.gz" .* missing/,
    );
    await expect(loadManifest(store, 'recordings/none/manifest.json')).rejects.toMatchObject({
      code: 'missing',
    });
  });

  it('is not expanded beyond the limit by a chunk that is a compression bomb', async () => {
    const { store, manifest } = stored([gzipSync(Buffer.alloc(9 * 1024 * 1024)), 'two']);

    await expect(Array.fromAsync(recordingBytes(store, key, manifest))).rejects.toMatchObject({
      code: 'invalid-cast',
    });
  });
});
