import { createPrivateKey, generateKeyPairSync, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CastInput,
  castEvents,
  createOriginalParts,
  type OriginalPart,
  openedOriginal,
  type RecordingManifest,
  recordingId,
  storeOriginal,
} from '../../../core/recording/index.ts';
import { sealingKeyOf } from '../../../core/sealing/index.ts';
import { createMemoryBlobStore } from '../../support/memory-blob-store.ts';
import { recordedHead } from '../../support/segmented-recording.ts';
import { exampleManifest } from './example-manifest.ts';

const { privateKey } = generateKeyPairSync('x25519');
const sealing = { recipient: sealingKeyOf(privateKey), randomBytes };
const id = recordingId(recordedHead.sessionId, 'c1');
const head = { ...recordedHead, command: 'sh', recordingId: id };
const prefix = 'recordings/dt=2026-11-20/x/c1/';

function output(text: string, stream: 'stdout' | 'stderr' = 'stdout'): CastInput {
  return { code: 'o', stream, data: Buffer.from(text) };
}

async function stored(parts: readonly OriginalPart[]) {
  const store = createMemoryBlobStore();
  const originals = [];
  for (const part of parts) originals.push(await storeOriginal(store, prefix, part));
  const manifest: RecordingManifest = { ...exampleManifest, recordingId: id, originals };
  return { store, manifest };
}

async function opened(
  { store, manifest }: Awaited<ReturnType<typeof stored>>,
  key = privateKey,
): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(openedOriginal(store, `${prefix}manifest.json`, manifest, key)));
}

describe('the original of a recording', () => {
  it('is what was shown, as an asciicast, to who has the key', async () => {
    const parts = createOriginalParts(head, sealing, { textBytes: 100_000, ageMs: 5000 });
    const made = [
      ...parts.push(1000, output('password: hunter2\r\n')),
      ...parts.push(2000, output('oh no', 'stderr')),
      ...parts.tick(6500),
      ...parts.push(7000, { code: 'r', columns: 100, rows: 30 }),
      ...parts.push(7500, { code: 'x', status: 1 }),
      ...parts.end(8000),
    ];

    const place = await stored(made);
    const cast = await opened(place);

    expect(place.manifest.originals?.map(({ name }) => name)).toEqual([
      'original.000000.sealed',
      'original.000001.sealed',
    ]);
    const events = await Array.fromAsync(
      castEvents(
        (async function* () {
          yield cast;
        })(),
      ),
    );
    expect(events).toEqual([
      { time: 1, code: 'o', data: 'password: hunter2\r\n', stream: 'stdout' },
      { time: 2, code: 'o', data: 'oh no', stream: 'stderr' },
      { time: 7, code: 'r', data: '100x30' },
      { time: 7.5, code: 'x', data: '1' },
    ]);
    for (const bytes of place.store.blobs.values()) expect(bytes.includes('hunter2')).toBe(false);
  });

  it('has no part where nothing was shown', () => {
    const parts = createOriginalParts(head, sealing, { textBytes: 100, ageMs: 5000 });

    expect([...parts.tick(10_000), ...parts.end(20_000)]).toEqual([]);
  });

  it('is whole however much comes at once, in parts that are bounded', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat({ max: 3000 }), fc.string({ unit: 'grapheme', maxLength: 300 })), {
          minLength: 1,
          maxLength: 30,
        }),
        async (steps) => {
          const parts = createOriginalParts(head, sealing, { textBytes: 500, ageMs: 5000 });
          let atMs = 0;
          const made = steps.flatMap(([ms, text]) => {
            atMs += ms;
            return parts.push(atMs, output(text));
          });
          made.push(...parts.end(atMs));

          const cast = await opened(await stored(made));

          const shown = cast
            .toString('utf8')
            .split('\n')
            .slice(1, -1)
            .map((line): unknown => JSON.parse(line))
            .map((event) => (Array.isArray(event) ? String(event[2]) : ''));
          expect(shown.join('')).toBe(steps.map(([, text]) => text).join(''));
          for (const { bytes } of made) expect(bytes.length).toBeLessThan(500 + 2000 + 300);
        },
      ),
      { numRuns: 40 },
    );
  });

  it('does not open to another key, in the place of another part, or changed', async () => {
    const parts = createOriginalParts(head, sealing, { textBytes: 1, ageMs: 5000 });
    const made = [...parts.push(1, output('a')), ...parts.push(2, output('b'))];
    const place = await stored(made);
    const [first, second] = made;
    const swapped = await stored([
      { number: 0, bytes: second?.bytes ?? Buffer.alloc(0) },
      { number: 1, bytes: first?.bytes ?? Buffer.alloc(0) },
    ]);
    const other = createPrivateKey(
      generateKeyPairSync('x25519').privateKey.export({ type: 'pkcs8', format: 'pem' }),
    );

    await expect(opened(place, other)).rejects.toMatchObject({ code: 'damaged' });
    await expect(opened(swapped)).rejects.toMatchObject({ code: 'damaged' });
    place.store.blobs.set(`${prefix}original.000001.sealed`, Buffer.from('x'));
    await expect(opened(place)).rejects.toMatchObject({ code: 'mismatch' });
    place.store.blobs.delete(`${prefix}original.000001.sealed`);
    await expect(opened(place)).rejects.toMatchObject({ code: 'missing' });
  });
});
