import type { BlobKey, BlobStore } from '#core/contract';
import { createCastEncoder } from './cast-encoder.ts';
import { parseManifest, type RecordingChunk, type RecordingManifest } from './manifest.ts';
import { RecorderError } from './recorder-error.ts';
import { RecordingError } from './recording-error.ts';
import { chunkName, manifestKey, recordingId, recordingPrefix } from './recording-key.ts';
import { nothingScanned, type Scan, scanChunk } from './scan-chunk.ts';
import { castHeader, type Spool, type SpoolChannel, type SpoolHead } from './spool.ts';
import {
  type PutOnRecord,
  recordingChunk,
  type StoredRecording,
  storeChunk,
  storedRecording,
  storeManifest,
} from './store-recording.ts';
import { storedOriginals } from './stored-original.ts';
import { gunzipChunk } from './stored-recording.ts';

export type SpoolRecovery = {
  readonly store: BlobStore;
  readonly spool: Spool;
  /** Channels that were begun and not ended. */
  readonly unfinished: AsyncIterable<SpoolChannel>;
  /** The spool lets go of a recording only when this has resolved; a rejection ends the recovery. */
  readonly putOnRecord: PutOnRecord;
  /** A recording that could not be completed: what the spool has of it stays there, and the others go on. */
  readonly onFault: (error: RecorderError, channel: SpoolChannel) => void;
};

/**
 * Completes the recordings a gateway left in its spool when it was killed: the rest of the chunks, then the manifest. Safe to be
 * killed itself, to run again, and to run twice at once: what may not have been put on record is put there again.
 */
export async function recoverSpooledRecordings(options: SpoolRecovery): Promise<readonly StoredRecording[]> {
  const { store, spool } = options;
  const recovered: StoredRecording[] = [];
  for await (const channel of options.unfinished) {
    let stored: StoredRecording;
    try {
      stored = await recover(store, spool, channel);
    } catch (cause) {
      options.onFault(recoveryError(channel, cause), channel);
      continue;
    }
    await options.putOnRecord(stored);
    await letGo(spool, channel);
    recovered.push(stored);
  }
  return recovered;
}

async function recover(store: BlobStore, spool: Spool, channel: SpoolChannel): Promise<StoredRecording> {
  const head = await spool.head(channel);
  const prefix = recordingPrefix(head.startedAtMs, head.sessionId, head.channel);
  const spooled = await spool.chunks(channel);
  const key = manifestKey(prefix);
  const found = await storedAt(store, key);
  if (found !== undefined) return found;
  const manifest = await completed(store, spool, head, prefix, spooled);
  try {
    return await storeManifest(store, manifest);
  } catch (error) {
    // Another recovery was faster.
    const faster = isConflict(error) ? await storedAt(store, key) : undefined;
    if (faster === undefined) throw error;
    return faster;
  }
}

async function storedAt(store: BlobStore, key: BlobKey): Promise<StoredRecording | undefined> {
  const bytes = await store.get(key);
  return bytes === undefined ? undefined : storedRecording(key, parseManifest(bytes), bytes);
}

async function letGo(spool: Spool, channel: SpoolChannel): Promise<void> {
  for (const number of await spool.chunks(channel)) await spool.remove(channel, number);
  await spool.end(channel);
}

async function completed(
  store: BlobStore,
  spool: Spool,
  head: SpoolHead,
  prefix: string,
  spooled: readonly number[],
): Promise<RecordingManifest> {
  const chunks: RecordingChunk[] = [];
  const waiting = new Set(spooled);
  let scan = nothingScanned;
  for (;;) {
    const number = chunks.length;
    const next = await nextChunk(store, prefix, number, scan, {
      read: async () => {
        if (waiting.has(number)) return spool.read(head, number);
        // Killed before its first line was written, chunk 0 is the header alone.
        return number === 0 && waiting.size === 0 ? Buffer.alloc(0) : undefined;
      },
      header: () => headerOf(head),
      isLast: !waiting.has(number + 1),
    });
    if (next === 'damaged') throw damaged(head, number);
    waiting.delete(number);
    if (next === 'nothing') break;
    chunks.push(next.chunk);
    scan = next.scan;
  }
  if (waiting.size > 0) throw damaged(head, chunks.length);
  const originals = await storedOriginals(store, prefix);
  return {
    version: 1,
    recordingId: recordingId(head.sessionId, head.channel),
    sessionId: head.sessionId,
    channel: head.channel,
    kind: head.kind,
    startedAtMs: head.startedAtMs,
    seconds: scan.atMs / 1000,
    columns: head.columns,
    rows: head.rows,
    truncated: scan.truncated,
    recovered: true,
    invalidBytes: scan.invalidBytes,
    ...(scan.isSegmented ? scan.summary : {}),
    ...(originals.length === 0 ? {} : { originals }),
    chunks,
    bytes: chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
  };
}

type NextChunk = { readonly chunk: RecordingChunk; readonly scan: Scan };

/** What the spool has of a chunk. */
type SpooledChunk = {
  /** Undefined where there is none. */
  readonly read: () => Promise<Buffer | undefined>;
  readonly header: () => Buffer;
  readonly isLast: boolean;
};

/** The chunk as the store has it, from now on where it had none. */
async function nextChunk(
  store: BlobStore,
  prefix: string,
  number: number,
  before: Scan,
  spooled: SpooledChunk,
): Promise<NextChunk | 'nothing' | 'damaged'> {
  const key = `${prefix}${chunkName(number)}`;
  const stored = await store.get(key);
  if (stored !== undefined) return storedChunk(stored, number, before);
  let found: Buffer | undefined;
  try {
    found = await spooled.read();
  } catch (error) {
    // A gateway that was taken for dead may store it, and remove it from the spool, in between.
    const meanwhile = await store.get(key);
    if (meanwhile === undefined) throw error;
    return storedChunk(meanwhile, number, before);
  }
  if (found === undefined) return 'nothing';
  const text = number === 0 && spooled.isLast ? wholeHeader(found, spooled.header()) : found;
  const { keptBytes } = scanChunk(text, before);
  // Only the end of the last chunk can have been in the middle of a write.
  if (keptBytes < text.length && (!spooled.isLast || (number === 0 && keptBytes === 0))) return 'damaged';
  return keptBytes === 0 ? 'nothing' : keep(store, prefix, text.subarray(0, keptBytes), number, before);
}

/** Killed in the middle of its first write, chunk 0 is a part of the header. */
function wholeHeader(found: Buffer, header: Buffer): Buffer {
  return found.length < header.length && header.subarray(0, found.length).equals(found) ? header : found;
}

async function keep(
  store: BlobStore,
  prefix: string,
  text: Buffer,
  number: number,
  before: Scan,
): Promise<NextChunk> {
  const { scan, times } = scanChunk(text, before);
  try {
    return { chunk: await storeChunk(store, prefix, text, { number, ...times }), scan };
  } catch (error) {
    const faster = isConflict(error) ? await store.get(`${prefix}${chunkName(number)}`) : undefined;
    if (faster === undefined) throw error;
    return storedChunk(faster, number, before);
  }
}

async function storedChunk(bytes: Buffer, number: number, before: Scan): Promise<NextChunk> {
  const { scan, times } = scanChunk(await gunzipChunk(bytes), before);
  return { chunk: recordingChunk(chunkName(number), bytes, { number, ...times }), scan };
}

function headerOf(head: SpoolHead): Buffer {
  return Buffer.from(createCastEncoder(castHeader(head)).header, 'utf8');
}

function isConflict(error: unknown): boolean {
  return error instanceof RecorderError && error.code === 'conflict';
}

function damaged({ sessionId, channel }: SpoolChannel, chunk: number): RecorderError {
  return new RecorderError(
    'damaged',
    `the spooled recording ${sessionId}/${channel} is damaged at chunk ${chunk}; move its files out of the spool`,
  );
}

function recoveryError({ sessionId, channel }: SpoolChannel, cause: unknown): RecorderError {
  if (cause instanceof RecorderError) return cause;
  if (cause instanceof RecordingError)
    return new RecorderError(
      'damaged',
      `the recording ${sessionId}/${channel} in the store cannot be read; compare it with its files in the spool`,
      { cause },
    );
  return new RecorderError(
    'store',
    `the recording ${sessionId}/${channel} could not be recovered; check the store and the spool, then start again`,
    { cause },
  );
}
