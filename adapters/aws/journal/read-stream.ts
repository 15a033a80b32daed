import type { ChainPosition } from '#core/chain';
import type { AuditRecord, BlobStore, StreamName } from '#core/contract';
import {
  followChain,
  JournalError,
  positionAfter,
  positionAfterSegment,
  type SealedSegment,
  sealedSegmentKey,
  sessionRecord,
  streamStart,
} from '#core/journal';
import { ahead } from './ahead.ts';
import { type BatchRef, batchKey, fenced, listBatches } from './batch-store.ts';
import { type Days, linesOfMember, listSealedSegments, sealedLines } from './sealed-segments.ts';
import type { SealableBatch } from './segment-sealer.ts';

/** What the stores have of a stream. */
export type StreamState = {
  /** Where the next record goes. */
  readonly position: ChainPosition;
  /** Nobody appends any more: whoever took the stream over said so in place of a next batch. */
  readonly ended: boolean;
  /** In order of their numbers. */
  readonly sealed: readonly SealedSegment[];
  /** Batches that no sealed segment holds, in order. */
  readonly unsealed: readonly SealableBatch[];
};

type Stores = { readonly journal: BlobStore; readonly evidence: BlobStore };

/** A batch has at most 1 MiB, or one record. */
const maxBatchBytes = 4 << 20;
const maxRestarts = 8;
const readAhead = 16;

/**
 * Follows the chain from the last sealed segment through the batches, and checks every record on the way. What is sealed
 * meanwhile is noticed.
 * @throws JournalError `damaged` where something was changed or is missing
 */
export async function readStream(stores: Stores, stream: StreamName, days: Days): Promise<StreamState> {
  let sealedSeq = -1;
  for (let restart = 0; restart < maxRestarts; restart += 1) {
    // In this order: what leaves the journal in between is in the lake.
    const batches = await listBatches(stores.journal, stream);
    const sealed = await listSealedSegments(stores.evidence, stream, days);
    const state = await follow(stores, stream, batches, sealed);
    if (typeof state !== 'string') return state;
    const reachedSeq = sealed.at(-1)?.firstSeq ?? 0;
    // Twice the same: nobody is sealing, so it is missing.
    if (reachedSeq === sealedSeq) throw damaged(`journal/${stream}`, state);
    sealedSeq = reachedSeq;
  }
  throw fenced(stream, sealedSeq);
}

/** A sentence where a batch is missing, which may have been sealed meanwhile. */
async function follow(
  { journal, evidence }: Stores,
  stream: StreamName,
  batches: readonly BatchRef[],
  sealed: readonly SealedSegment[],
): Promise<StreamState | string> {
  let position = await positionOf(evidence, stream, sealed.at(-1));
  const unsealed: SealableBatch[] = [];
  let ended = false;
  // Those before are sealed and not removed yet, or stay to keep their keys taken.
  for (const { firstSeq, bytes } of batches.filter((batch) => batch.firstSeq >= position.seq)) {
    const key = batchKey(stream, firstSeq);
    if (ended) throw damaged(key, 'it comes after the end of the stream');
    if (firstSeq !== position.seq) return `number ${position.seq} is missing before ${key}`;
    if (bytes > maxBatchBytes) throw damaged(key, `it has ${bytes} bytes, more than any batch`);
    const content = await journal.get(key);
    if (content === undefined) return `${key} is missing`;
    if (content.length === 0) {
      ended = true;
      continue;
    }
    let date: string | undefined;
    for (const record of followChain(content, position, (what) => damaged(key, what))) {
      date ??= record.date;
      if (record.date !== date) throw damaged(key, `it has records of ${date} and ${record.date}`);
      position = positionAfter(record);
    }
    unsealed.push({ firstSeq, lastSeq: position.seq - 1, date: date ?? '', bytes: content.length });
  }
  return { position, ended, sealed, unsealed };
}

/** Where the record after a sealed segment goes. @throws JournalError `damaged` */
export async function positionOf(
  evidence: BlobStore,
  stream: StreamName,
  last: SealedSegment | undefined,
): Promise<ChainPosition> {
  if (last === undefined) return streamStart(stream);
  const key = sealedSegmentKey(last);
  const bytes = await evidence.get(key);
  try {
    return await positionAfterSegment(linesOfMember(bytes), last, (what) => damaged(key, what));
  } catch (cause) {
    throw cause instanceof JournalError ? cause : damaged(key, reasonOf(cause), cause);
  }
}

/**
 * Records of the stream, newest first, back to the segment that holds `sinceSeq`. Of records that a later version wrote
 * only those are given that say nothing of sessions.
 */
export async function* newestFirst(
  { journal, evidence }: Stores,
  stream: StreamName,
  { sealed, unsealed }: StreamState,
  sinceSeq: number,
): AsyncGenerator<AuditRecord> {
  for (const { firstSeq } of unsealed.toReversed()) {
    const content = await journal.get(batchKey(stream, firstSeq));
    if (content === undefined) throw fenced(stream, firstSeq);
    const lines = content.toString('utf8').split('\n').slice(0, -1);
    yield* recordsOf(
      lines.map((line) => Buffer.from(line)),
      batchKey(stream, firstSeq),
    );
  }
  const firstWanted = sealed.findLastIndex(({ firstSeq }) => firstSeq <= sinceSeq);
  const wanted = sealed.slice(Math.max(0, firstWanted)).toReversed();
  const segments = ahead(wanted, readAhead, async (segment) => ({
    key: sealedSegmentKey(segment),
    lines: await Array.fromAsync(sealedLines(evidence, segment)),
  }));
  for await (const { key, lines } of segments) yield* recordsOf(lines, key);
}

function* recordsOf(lines: readonly Buffer[], key: string): Generator<AuditRecord> {
  for (const line of lines.toReversed()) {
    const record = sessionRecord(line, (what) => damaged(key, what));
    if (record !== undefined) yield record;
  }
}

function damaged(key: string, what: string, cause?: unknown): JournalError {
  return new JournalError(
    'damaged',
    `${key}: ${what}; verify the lake, and keep what is there as evidence: nothing was removed`,
    cause === undefined ? undefined : { cause },
  );
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
