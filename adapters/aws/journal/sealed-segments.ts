import type { AuditRecord, BlobKey, BlobStore, StreamName } from '#core/contract';
import { parseAuditRecord } from '#core/event';
import {
  dayOf,
  gunzipMember,
  gzipMember,
  JournalError,
  memberOf,
  parseSealedSegmentKey,
  refuseUnfinished,
  type SealedSegment,
  sealedSegmentKey,
  sealedSegmentPrefix,
  splitLines,
} from '#core/journal';

/** UTC days from first to last, both included. */
export type Days = { readonly firstMs: number; readonly lastMs: number };

const dayMs = 86_400_000;
/** What a segment unpacks to at most; far more than one has. */
const maxContentBytes = 64 << 20;

/** The sealed segments of a stream, in order of their numbers. Clocks may be off by a day at both ends. */
export async function listSealedSegments(
  evidence: BlobStore,
  stream: StreamName,
  { firstMs, lastMs }: Days,
): Promise<readonly SealedSegment[]> {
  const found: SealedSegment[] = [];
  const last = dayOf(lastMs + dayMs);
  for (let atMs = firstMs - dayMs, date = dayOf(atMs); date <= last; atMs += dayMs, date = dayOf(atMs))
    for await (const { key } of evidence.list(sealedSegmentPrefix(date, stream))) {
      const segment = parseSealedSegmentKey(key);
      if (segment !== undefined) found.push(segment);
    }
  return found.sort((a, b) => a.firstSeq - b.firstSeq);
}

/** The lines of a sealed segment, without their line feeds. Throws where it is not there or not whole. */
export async function* sealedLines(evidence: BlobStore, segment: SealedSegment): AsyncGenerator<Buffer> {
  yield* linesOfMember(await evidence.get(sealedSegmentKey(segment)));
}

export async function* linesOfMember(bytes: Buffer | undefined): AsyncGenerator<Buffer> {
  if (bytes === undefined) throw new Error('it is missing');
  yield* splitLines(gunzipMember(memberOf(bytes)), refuseUnfinished);
}

/** The records of a sealed segment; `unreadable` is how many a later version wrote that this one cannot read. */
export async function sealedRecords(
  evidence: BlobStore,
  segment: SealedSegment,
): Promise<{ readonly records: readonly AuditRecord[]; readonly lines: number }> {
  const records: AuditRecord[] = [];
  let lines = 0;
  for await (const line of sealedLines(evidence, segment)) {
    lines += 1;
    const record = parseAuditRecord(line);
    if (record !== undefined) records.push(record);
  }
  return { records, lines };
}

/**
 * Puts a segment into the lake. Gives how many bytes of the content the segment there holds: all, or only the beginning
 * where another sealed before the rest was written.
 * @throws JournalError `fenced` where another sealed more, `damaged` where it holds something else
 */
export async function putSegment(
  evidence: BlobStore,
  segment: SealedSegment,
  content: Buffer,
): Promise<number> {
  const key = sealedSegmentKey(segment);
  if ((await evidence.putIfAbsent(key, await gzipMember(content))) === 'stored') return content.length;
  const bytes = await evidence.get(key);
  if (bytes === undefined) throw new Error(`${key} is said to exist, and cannot be read`);
  const there = await contentOf(bytes, key);
  const common = Math.min(there.length, content.length);
  if (common === 0 || there.at(-1) !== 0x0a || !there.subarray(0, common).equals(content.subarray(0, common)))
    throw otherContent(key);
  if (there.length > content.length)
    throw new JournalError(
      'fenced',
      `${key} holds more than this process has written; it is not the writer of ${segment.stream} any more and must start anew under another name`,
    );
  return common;
}

async function contentOf(bytes: Buffer, key: BlobKey): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  try {
    for await (const chunk of gunzipMember(memberOf(bytes))) {
      length += chunk.length;
      if (length > maxContentBytes) throw new Error('it is larger than any segment');
      chunks.push(chunk);
    }
  } catch (cause) {
    throw otherContent(key, cause);
  }
  return Buffer.concat(chunks);
}

function otherContent(key: BlobKey, cause?: unknown): JournalError {
  return new JournalError(
    'damaged',
    `${key} is sealed but does not hold what the journal holds; keep both as evidence, and start under a new stream name`,
    cause === undefined ? undefined : { cause },
  );
}
