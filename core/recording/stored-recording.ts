import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import type { BlobKey, BlobStore } from '#core/contract';
import { parseManifest, type RecordingChunk, type RecordingManifest } from './manifest.ts';
import { RecordingError } from './recording-error.ts';

const gunzipAsync = promisify(gunzip);

/** Decompressed bytes of the largest chunk read; the recorder stays under 5 MiB. */
const maxChunkBytes = 8 * 1024 * 1024;

/** @throws RecordingError `missing`, `invalid-manifest` */
export async function loadManifest(store: Pick<BlobStore, 'get'>, key: BlobKey): Promise<RecordingManifest> {
  const bytes = await store.get(key);
  if (bytes === undefined)
    throw new RecordingError('missing', `there is no recording at ${JSON.stringify(key)}`);
  return parseManifest(bytes);
}

/**
 * The recording's asciicast v3 file, chunk by chunk, each proved against the manifest before any of it is given out.
 * @throws RecordingError `missing`, `mismatch`, `invalid-cast`
 */
export async function* recordingBytes(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  manifest: RecordingManifest,
): AsyncGenerator<Buffer, void, undefined> {
  for (const chunk of manifest.chunks) yield await chunkBytes(store, key, chunk);
}

/**
 * The text of one chunk, proved. `key` is that of the manifest.
 * @throws RecordingError `missing`, `mismatch`, `invalid-cast`
 */
export async function chunkBytes(
  store: Pick<BlobStore, 'get'>,
  key: BlobKey,
  chunk: RecordingChunk,
): Promise<Buffer> {
  const chunkKey = `${key.slice(0, key.lastIndexOf('/') + 1)}${chunk.name}`;
  const bytes = await store.get(chunkKey);
  if (bytes === undefined)
    throw new RecordingError('missing', `chunk ${JSON.stringify(chunkKey)} of the recording is missing`);
  if (createHash('sha256').update(bytes).digest('hex') !== chunk.sha256)
    throw new RecordingError(
      'mismatch',
      `chunk ${JSON.stringify(chunkKey)} is not the one that was recorded: its SHA-256 differs from the manifest`,
    );
  return gunzipChunk(bytes);
}

/** @throws RecordingError `invalid-cast` */
export async function gunzipChunk(bytes: Uint8Array): Promise<Buffer> {
  try {
    return await gunzipAsync(bytes, { maxOutputLength: maxChunkBytes });
  } catch (cause) {
    throw new RecordingError(
      'invalid-cast',
      `a chunk of the recording is not gzip of at most ${maxChunkBytes} bytes`,
      { cause },
    );
  }
}
