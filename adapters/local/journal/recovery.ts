import { join } from 'node:path';
import type { ChainPosition } from '#core/chain';
import type { AuditRecord } from '#core/contract';
import { findLostSessions } from '#core/event';
import {
  followChain,
  JournalError,
  positionAfter,
  positionAfterSegment,
  refuseUnfinished,
  sessionRecord,
  splitLines,
  streamStart,
} from '#core/journal';
import { hasCode, openForCutting, openForReading } from './confined-files.ts';
import { gunzipFile } from './gzip-member.ts';
import { readOldestOpenSession } from './oldest-open-session.ts';
import { readWhole, removeOpenSegment, requireTwin, sealSegment } from './seal-segment.ts';
import {
  allOpenSegments,
  journalFolder,
  type OpenSegmentFile,
  type SealedSegmentFile,
  sealedSegmentFiles,
} from './segment-files.ts';

export type Recovery = {
  /** Where the next record goes. */
  readonly position: ChainPosition;
  /** Bytes of a last line that was never finished and so never acknowledged; they were cut off. */
  readonly tornBytes: number;
  /** How many segments the last run left open; they are in the lake now. */
  readonly sealedSegments: number;
  /** StartSession records of sessions without an end, oldest first. */
  readonly lostSessions: readonly AuditRecord[];
};

/** Brings the folders of a stream into order after whatever ended its last writer. */
export async function recoverStream(directory: string, stream: string): Promise<Recovery> {
  const sealed = await sealedSegmentFiles(directory, stream);
  const open = await allOpenSegments(directory, stream);
  let position = await headOf(stream, sealed.at(-1));
  let tornBytes = 0;
  let sealedSegments = 0;
  for (const [index, segment] of open.entries()) {
    const twin = sealed.find(({ firstSeq }) => firstSeq === segment.firstSeq);
    if (twin !== undefined) {
      await requireTwin(segment.path, await readWhole(segment.path), twin.path);
      await removeOpenSegment(segment.path);
      continue;
    }
    const content = await readWhole(segment.path);
    const end = content.lastIndexOf(0x0a) + 1;
    if (end < content.length) {
      if (index < open.length - 1)
        throw damaged(segment.path, 'it ends in the middle of a record, though later ones exist');
      tornBytes = content.length - end;
      await cut(segment.path, end);
    }
    if (end === 0) {
      await removeOpenSegment(segment.path);
      continue;
    }
    const followed = followSegment(segment, content.subarray(0, end), position);
    await sealSegment(directory, { ...segment, date: followed.date });
    position = followed.position;
    sealedSegments += 1;
  }
  return { position, tornBytes, sealedSegments, lostSessions: await lostSessions(directory, stream) };
}

/** Checks every record of an open segment: it was not sealed, so this is the first look at it since it was written. */
function followSegment(
  segment: OpenSegmentFile,
  content: Buffer,
  start: ChainPosition,
): { readonly position: ChainPosition; readonly date: string } {
  let position = start;
  let date: string | undefined;
  for (const record of followChain(content, start, (what) => damaged(segment.path, what))) {
    position = positionAfter(record);
    date ??= record.date;
  }
  if (date === undefined || segment.firstSeq !== start.seq)
    throw damaged(segment.path, `it should begin with number ${start.seq}`);
  return { position, date };
}

/** The head of what is sealed: the last record of the last segment, which must be whole. */
async function headOf(stream: string, last: SealedSegmentFile | undefined): Promise<ChainPosition> {
  if (last === undefined) return streamStart(stream);
  return positionAfterSegment(linesOf(last), last, (what) => damaged(last.path, what));
}

async function lostSessions(directory: string, stream: string): Promise<readonly AuditRecord[]> {
  const sinceSeq = await readOldestOpenSession(join(journalFolder(directory), stream));
  return findLostSessions(newestFirst(await sealedSegmentFiles(directory, stream), sinceSeq));
}

/** Records of the segments, back to the one that holds `sinceSeq`. */
async function* newestFirst(
  segments: readonly SealedSegmentFile[],
  sinceSeq: number,
): AsyncGenerator<AuditRecord> {
  for (const segment of segments.toReversed()) {
    const lines: Buffer[] = [];
    for await (const line of linesOf(segment)) lines.push(line);
    for (const line of lines.toReversed()) {
      const record = sessionRecord(line, (what) => damaged(segment.path, what));
      if (record !== undefined) yield record;
    }
    if (segment.firstSeq <= sinceSeq) return;
  }
}

async function* linesOf(segment: SealedSegmentFile): AsyncGenerator<Buffer> {
  try {
    yield* splitLines(gunzipFile(await openForReading(segment.path)), refuseUnfinished);
  } catch (cause) {
    if (cause instanceof JournalError) throw cause;
    throw damaged(segment.path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

async function cut(path: string, length: number): Promise<void> {
  const file = await openForCutting(path);
  try {
    await file.truncate(length);
    await file.sync();
  } finally {
    await file.close();
  }
}

function damaged(path: string, what: string, cause?: unknown): JournalError {
  if (hasCode(cause, 'ENOSPC', 'EIO', 'EMFILE', 'ENFILE'))
    return new JournalError('unwritable', `${path} cannot be read now: ${what}; mend that and start again`, {
      cause,
    });
  return new JournalError(
    'damaged',
    `${path}: ${what}; run sshtrail verify, keep the file as evidence, then start under a new stream name`,
    cause === undefined ? undefined : { cause },
  );
}
