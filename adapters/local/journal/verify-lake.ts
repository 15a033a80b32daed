import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { streamName } from '#core/contract';
import { refuseUnfinished, sealedSegmentKey, splitLines } from '#core/journal';
import {
  type DigestOptions,
  type Segment,
  type Verification,
  type VerifyOptions,
  verifyTrail,
} from '#core/verify';
import { createFolderBlobStore } from '../blob-store/folder-blob-store.ts';
import { hasCode, openForReading } from './confined-files.ts';
import { fileChunks, gunzipFile } from './gzip-member.ts';
import { openSegmentCheckers, type SegmentCheckers, worthThreads } from './segment-checkers.ts';
import {
  allOpenSegments,
  nameInStream,
  type OpenSegmentFile,
  type SealedSegmentFile,
  sealedSegmentFiles,
  sealedSegmentsIn,
} from './segment-files.ts';

export type VerifyLakeOptions = Omit<VerifyOptions, 'start' | 'digests'> &
  Partial<Pick<VerifyOptions, 'start'>> & {
    /** Keys that are trusted; without any, digests are not looked at. */
    readonly digests?: Pick<DigestOptions, 'keys' | 'asOfMs'>;
  };

/** Verifies the whole trail below a data directory, while a gateway writes there too if need be. */
export async function verifyLake(directory: string, options: VerifyLakeOptions): Promise<Verification> {
  return verifyTrail(lakeSegments(directory), withDigests(options, join(directory, 'lake'), 'lake/'));
}

/** Verifies a lake that stands alone, such as a copy of a bucket. */
export async function verifyLakeFolder(lake: string, options: VerifyLakeOptions): Promise<Verification> {
  return verifyTrail(folderSegments(lake), withDigests(options, lake, ''));
}

function withDigests(
  { digests, ...rest }: VerifyLakeOptions,
  lake: string,
  filePrefix: string,
): VerifyOptions {
  const options = { start: 'genesis', ...rest } as const;
  if (digests === undefined) return options;
  const blobs = createFolderBlobStore(lake);
  return { ...options, digests: { ...digests, blobs, fileOf: (key) => `${filePrefix}${key}` } };
}

async function* folderSegments(lake: string): AsyncGenerator<Segment> {
  const files = await sealedSegmentsIn(join(lake, 'events'));
  yield* checkedAhead(files, (file, checkers) => sealedSegment(lake, file, checkers));
}

/** How many segments are with the threads while one is waited for. */
const segmentsAhead = 6;

/** The segments in their order, those that are sealed verified by threads before their turn comes. */
async function* checkedAhead<File>(
  files: readonly File[],
  segmentOf: (file: File, checkers: SegmentCheckers | undefined) => Segment,
): AsyncGenerator<Segment> {
  const checkers = files.length < worthThreads ? undefined : openSegmentCheckers();
  try {
    const started: Segment[] = [];
    for (const file of files) {
      started.push(segmentOf(file, checkers));
      const first = started.length > segmentsAhead ? started.shift() : undefined;
      if (first !== undefined) yield first;
    }
    yield* started;
  } finally {
    await checkers?.close();
  }
}

/** Sealed and open segments in order of stream and number; each record once, though segments be sealed meanwhile. */
async function* lakeSegments(directory: string): AsyncGenerator<Segment> {
  const open = await openedSegments(directory);
  try {
    const sealed = await sealedSegmentFiles(directory);
    const names = new Set(sealed.map(nameInStream));
    const all = [...sealed, ...open.filter((file) => !names.has(nameInStream(file)))].sort((a, b) =>
      a.stream === b.stream ? a.firstSeq - b.firstSeq : a.stream < b.stream ? -1 : 1,
    );
    yield* checkedAhead(all, (file, checkers) =>
      'handle' in file ? openSegment(directory, file) : sealedSegment(directory, file, checkers),
    );
  } finally {
    for (const { handle } of open) await handle.close();
  }
}

type OpenedSegment = OpenSegmentFile & { readonly handle: FileHandle };

/** Opened before the sealed ones are listed: what is sealed in between can still be read. */
async function openedSegments(directory: string): Promise<readonly OpenedSegment[]> {
  const opened: OpenedSegment[] = [];
  for (const segment of await allOpenSegments(directory)) {
    try {
      opened.push({ ...segment, handle: await openForReading(segment.path) });
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  return opened;
}

function sealedSegment(
  directory: string,
  segment: SealedSegmentFile,
  checkers: SegmentCheckers | undefined,
): Segment {
  const checked = checkers?.check(segment);
  return {
    file: relative(directory, segment.path),
    key: sealedSegmentKey({ ...segment, stream: streamName(segment.stream) }),
    stream: segment.stream,
    firstSeq: segment.firstSeq,
    date: segment.date,
    open: false,
    lines: sealedLines(segment.path),
    stored: async () => (await checked)?.stored ?? storedForm(segment.path),
    ...(checked === undefined ? {} : { sound: async () => (await checked)?.sound }),
  };
}

async function* sealedLines(path: string): AsyncGenerator<Buffer> {
  yield* splitLines(gunzipFile(await openForReading(path)), refuseUnfinished);
}

async function storedForm(path: string): Promise<{ readonly bytes: number; readonly sha256: string }> {
  const file = await openForReading(path);
  const hash = createHash('sha256');
  let bytes = 0;
  try {
    for await (const chunk of fileChunks(file, 0, Number.POSITIVE_INFINITY)) {
      hash.update(chunk);
      bytes += chunk.length;
    }
  } finally {
    await file.close();
  }
  return { bytes, sha256: hash.digest('hex') };
}

function openSegment(directory: string, { handle, ...segment }: OpenedSegment): Segment {
  return {
    file: relative(directory, segment.path),
    stream: segment.stream,
    firstSeq: segment.firstSeq,
    open: true,
    // Half a record at the end is one that is being written.
    lines: splitLines(fileChunks(handle, 0, Number.POSITIVE_INFINITY), () => undefined),
  };
}
