import type { BlobStore } from '#core/contract';
import {
  chunkName,
  createCastEncoder,
  gunzipChunk,
  manifestKey,
  parseCastLine,
  parseManifest,
  type RecordingChunk,
  RecordingError,
  type RecordingManifest,
  recordingId,
  recordingPrefix,
} from '#core/recording';
import { castHeader } from './channel-recorder.ts';
import type { PutOnRecord } from './recorder.ts';
import { RecorderError } from './recorder-error.ts';
import { recordingChunk, type StoredRecording, storeChunk, storedRecording, storeManifest } from './seal.ts';
import { openSpool, type Spool, type SpoolChannel, type SpoolHead } from './spool.ts';

export type RecoveryOptions = {
  readonly store: BlobStore;
  readonly spoolDirectory: string;
  /** The spool lets go of a recording only when this has resolved; a rejection ends the recovery. */
  readonly putOnRecord: PutOnRecord;
  /** A recording that could not be completed: its files stay in the spool, and the others go on. */
  readonly onFault: (error: RecorderError) => void;
};

/**
 * Completes the recordings a gateway left in its spool when it was killed: the rest of the chunks, then the manifest. Safe to be
 * killed itself, and to run again: what may not have been put on record is put there again. Call it before the recorder of the
 * same spool is used.
 */
export async function recoverRecordings(options: RecoveryOptions): Promise<readonly StoredRecording[]> {
  const spool = openSpool(options.spoolDirectory);
  const recovered: StoredRecording[] = [];
  for await (const channel of spool.unfinished()) {
    let stored: StoredRecording;
    try {
      stored = await recover(options.store, spool, channel);
    } catch (cause) {
      options.onFault(recoveryError(channel, cause));
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
  const bytes = await store.get(key);
  return bytes === undefined
    ? storeManifest(store, await completed(store, spool, head, prefix, spooled))
    : storedRecording(key, parseManifest(bytes), bytes);
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
  const scan = createScan();
  const chunks: RecordingChunk[] = [];
  const waiting = new Set(spooled);
  for (;;) {
    const number = chunks.length;
    const name = chunkName(number);
    const stored = await store.get(`${prefix}${name}`);
    if (stored !== undefined) {
      chunks.push(recordingChunk(name, stored, { number, ...scan(await gunzipChunk(stored)).times }));
    } else if (waiting.has(number) || (number === 0 && waiting.size === 0)) {
      const found = waiting.has(number) ? await spool.read(head, number) : Buffer.alloc(0);
      // Killed before its first line was written, chunk 0 is the header alone.
      const text = number === 0 && !found.includes(10) ? headerOf(head) : found;
      const { times, keptBytes } = scan(text);
      // Only the end of the last chunk can have been in the middle of a write.
      const torn = keptBytes < text.length;
      if (torn && (waiting.has(number + 1) || (number === 0 && keptBytes === 0))) throw damaged(head, number);
      waiting.delete(number);
      if (keptBytes === 0) break;
      chunks.push(await storeChunk(store, prefix, text.subarray(0, keptBytes), { number, ...times }, 'keep'));
    } else break;
    waiting.delete(number);
  }
  if (waiting.size > 0) throw damaged(head, chunks.length);
  const { lastMs, invalidBytes, truncated } = scan.result();
  return {
    version: 1,
    recordingId: recordingId(head.sessionId, head.channel),
    sessionId: head.sessionId,
    channel: head.channel,
    kind: head.kind,
    startedAtMs: head.startedAtMs,
    seconds: lastMs / 1000,
    columns: head.columns,
    rows: head.rows,
    truncated,
    recovered: true,
    invalidBytes,
    chunks,
    bytes: chunks.reduce((sum, chunk) => sum + chunk.bytes, 0),
  };
}

type Scan = {
  /** Reads on with the next chunk: the times of its events, and how many bytes are whole lines that can be read. */
  (text: Buffer): { readonly times: { firstMs: number; lastMs: number }; readonly keptBytes: number };
  result(): { readonly lastMs: number; readonly invalidBytes: number; readonly truncated: boolean };
};

function createScan(): Scan {
  let line = 0;
  let atMs = 0;
  let invalidBytes = 0;
  let truncated = false;
  const scan = (text: Buffer): ReturnType<Scan> => {
    let firstMs: number | undefined;
    let keptBytes = 0;
    // What follows the last line feed was being written when the gateway was killed.
    for (let end = text.indexOf(10); end >= 0; end = text.indexOf(10, keptBytes)) {
      line += 1;
      const parsed = readableLine(text.subarray(keptBytes, end), line);
      if (parsed === undefined) break;
      if (parsed.kind === 'invalid-bytes') invalidBytes += parsed.count;
      if (parsed.kind === 'truncated') truncated = true;
      if (parsed.kind === 'event') {
        atMs += Math.round(parsed.intervalSeconds * 1000);
        firstMs ??= atMs;
      }
      keptBytes = end + 1;
    }
    return { times: { firstMs: firstMs ?? atMs, lastMs: atMs }, keptBytes };
  };
  return Object.assign(scan, { result: () => ({ lastMs: atMs, invalidBytes, truncated }) });
}

function readableLine(bytes: Buffer, line: number): ReturnType<typeof parseCastLine> | undefined {
  try {
    return parseCastLine(bytes, line);
  } catch (error) {
    if (error instanceof RecordingError) return undefined;
    throw error;
  }
}

function damaged({ sessionId, channel }: SpoolChannel, chunk: number): RecorderError {
  return new RecorderError(
    'damaged',
    `the spooled recording ${sessionId}/${channel} is damaged at chunk ${chunk}; move its files out of the spool`,
  );
}

function headerOf(head: SpoolHead): Buffer {
  return Buffer.from(createCastEncoder(castHeader(head)).header, 'utf8');
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
