import { createHash, type KeyObject } from 'node:crypto';
import type { BlobKey, BlobStore } from '#core/contract';
import { openOriginal } from '#core/sealing';
import type { OriginalFile, RecordingManifest } from './manifest.ts';
import { type OriginalPart, originalContext } from './original-parts.ts';
import { RecordingError } from './recording-error.ts';
import { putOrFail } from './store-recording.ts';

/** Numbers count from 0. */
function originalName(number: number): string {
  return `original.${String(number).padStart(6, '0')}.sealed`;
}

/**
 * Stores a part beside the chunks.
 * @throws RecorderError `conflict` where its key is taken, `store`
 */
export async function storeOriginal(
  store: BlobStore,
  prefix: string,
  { number, bytes }: OriginalPart,
): Promise<OriginalFile> {
  const name = originalName(number);
  await putOrFail(store, `${prefix}${name}`, bytes);
  return originalFile(name, bytes);
}

/** Those of a recording whose gateway was killed. */
export async function storedOriginals(store: BlobStore, prefix: string): Promise<readonly OriginalFile[]> {
  const files: OriginalFile[] = [];
  for await (const { key } of store.list(`${prefix}original.`)) {
    const name = key.slice(prefix.length);
    const bytes = /^original\.[0-9]{6,7}\.sealed$/.test(name) ? await store.get(key) : undefined;
    if (bytes !== undefined) files.push(originalFile(name, bytes));
  }
  return files;
}

/**
 * What the channel showed before secrets were hidden: an asciicast v3 file, part by part, each proved against the manifest.
 * @throws RecordingError `missing`, `mismatch`; SealingError where the key is another
 */
export async function* openedOriginal(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  manifest: RecordingManifest,
  privateKey: KeyObject,
): AsyncGenerator<Buffer, void, undefined> {
  const prefix = key.slice(0, key.lastIndexOf('/') + 1);
  for (const { name, sha256 } of manifest.originals ?? []) {
    const bytes = await store.get(`${prefix}${name}`);
    if (bytes === undefined)
      throw new RecordingError('missing', `${JSON.stringify(prefix + name)} of the recording is missing`);
    if (createHash('sha256').update(bytes).digest('hex') !== sha256)
      throw new RecordingError(
        'mismatch',
        `${JSON.stringify(prefix + name)} is not what was stored: its SHA-256 differs from the manifest`,
      );
    const number = Number(name.split('.')[1]);
    const opener = openOriginal({ privateKey, context: originalContext(manifest.recordingId, number) });
    yield Buffer.concat([opener.update(bytes), opener.final()]);
  }
}

function originalFile(name: string, bytes: Uint8Array): OriginalFile {
  return { name, bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}
