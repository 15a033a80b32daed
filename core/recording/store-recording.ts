import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { BlobKey, BlobStore, RecordingId, SessionId } from '#core/contract';
import { encodeManifest, type RecordingChunk, type RecordingManifest } from './manifest.ts';
import { RecorderError } from './recorder-error.ts';
import { type ChannelName, chunkName, manifestKey, recordingPrefix } from './recording-key.ts';

/** A recording with its manifest in the store. */
export type StoredRecording = {
  /** Of the manifest. */
  readonly key: BlobKey;
  readonly recordingId: RecordingId;
  readonly sessionId: SessionId;
  readonly channel: ChannelName;
  /** Lower-case hex, of the manifest's bytes. */
  readonly manifestSha256: string;
  readonly seconds: number;
  /** Of all chunks, as stored. */
  readonly bytes: number;
  readonly chunks: number;
  readonly truncated: boolean;
};

/** Makes the event that names a stored recording durable. */
export type PutOnRecord = (stored: StoredRecording) => Promise<void>;

/** Times in milliseconds since the start. */
export type ChunkTimes = {
  readonly number: number;
  readonly firstMs: number;
  readonly lastMs: number;
  readonly snapshotBytes?: number;
};

const gzipAsync = promisify(gzip);

/** A quarter of the time of level 6, for chunks a tenth larger where they are not small anyway. */
const gzipLevel = 2;

/**
 * Compresses and stores a chunk.
 * @throws RecorderError `conflict` where its key is taken, `store`
 */
export async function storeChunk(
  store: BlobStore,
  prefix: string,
  text: Uint8Array,
  times: ChunkTimes,
): Promise<RecordingChunk> {
  const name = chunkName(times.number);
  const bytes = await gzipAsync(text, { level: gzipLevel });
  await putOrFail(store, `${prefix}${name}`, bytes);
  return recordingChunk(name, bytes, times);
}

/** `bytes` are the chunk's as stored. */
export function recordingChunk(name: string, bytes: Uint8Array, times: ChunkTimes): RecordingChunk {
  return {
    name,
    bytes: bytes.byteLength,
    sha256: sha256(bytes),
    firstSecond: times.firstMs / 1000,
    lastSecond: times.lastMs / 1000,
    ...(times.snapshotBytes === undefined ? {} : { snapshotBytes: times.snapshotBytes }),
  };
}

/** @throws RecorderError `conflict` where there is a manifest, `store` */
export async function storeManifest(store: BlobStore, manifest: RecordingManifest): Promise<StoredRecording> {
  const key = manifestKey(recordingPrefix(manifest.startedAtMs, manifest.sessionId, manifest.channel));
  const bytes = encodeManifest(manifest);
  await putOrFail(store, key, bytes);
  return storedRecording(key, manifest, bytes);
}

/** `bytes` are the manifest's as stored. */
export function storedRecording(
  key: BlobKey,
  manifest: RecordingManifest,
  bytes: Uint8Array,
): StoredRecording {
  return {
    key,
    recordingId: manifest.recordingId,
    sessionId: manifest.sessionId,
    channel: manifest.channel,
    manifestSha256: sha256(bytes),
    seconds: manifest.seconds,
    bytes: manifest.bytes,
    chunks: manifest.chunks.length,
    truncated: manifest.truncated,
  };
}

/** @throws RecorderError `conflict`, `store` */
export async function putOrFail(store: BlobStore, key: BlobKey, bytes: Uint8Array): Promise<void> {
  let outcome: 'stored' | 'exists';
  try {
    outcome = await store.putIfAbsent(key, bytes);
    // Over a network the answer to an earlier attempt of our own may have been lost.
    if (outcome === 'exists' && (await store.get(key))?.equals(bytes) === true) outcome = 'stored';
  } catch (cause) {
    throw new RecorderError(
      'store',
      `the recording could not be stored at ${key}; it stays in the spool and is stored at the next start`,
      { cause },
    );
  }
  if (outcome === 'exists')
    throw new RecorderError(
      'conflict',
      `there is another recording at ${key}; check that each gateway has a spool of its own`,
    );
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
