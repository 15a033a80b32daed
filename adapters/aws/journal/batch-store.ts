import { type BlobKey, type BlobStore, type StreamName, streamName } from '#core/contract';
import { JournalError, segmentNumber } from '#core/journal';

/** A batch of a stream in the journal bucket. */
export type BatchRef = { readonly firstSeq: number; readonly bytes: number };

const keyPattern = /^journal\/([a-z0-9][a-z0-9.-]{0,62})\/(\d{12})\.ndjson$/;

export function batchKey(stream: string, firstSeq: number): BlobKey {
  return `journal/${stream}/${segmentNumber(firstSeq)}.ndjson`;
}

/** Undefined for whatever the journal did not put there. */
export function parseBatchKey(
  key: BlobKey,
): { readonly stream: StreamName; readonly firstSeq: number } | undefined {
  const [, stream, digits] = keyPattern.exec(key) ?? [];
  return stream === undefined ? undefined : { stream: streamName(stream), firstSeq: Number(digits) };
}

/** In order of their numbers. */
export async function listBatches(journal: BlobStore, stream: string): Promise<readonly BatchRef[]> {
  const found: BatchRef[] = [];
  for await (const { key, size } of journal.list(`journal/${stream}/`)) {
    const firstSeq = parseBatchKey(key)?.firstSeq;
    if (firstSeq !== undefined) found.push({ firstSeq, bytes: size });
  }
  return found;
}

/**
 * Puts the next batch of a stream. That its key is free is what makes the caller the stream's writer.
 * @throws JournalError `fenced` where another has put a batch there
 */
export async function putBatch(
  journal: BlobStore,
  stream: string,
  firstSeq: number,
  content: Buffer,
): Promise<void> {
  const key = batchKey(stream, firstSeq);
  if ((await journal.putIfAbsent(key, content)) === 'stored') return;
  // Event ids are random, so equal bytes are our own: the answer to an earlier attempt was lost.
  const there = await journal.get(key);
  if (there?.equals(content) !== true) throw fenced(stream, firstSeq);
}

export function fenced(stream: string, seq: number): JournalError {
  return new JournalError(
    'fenced',
    `the stream ${stream} is written by another since number ${seq}; this process is not its writer any more and must start anew under another name`,
  );
}
