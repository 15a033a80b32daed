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
  for (const file of await sealedSegmentsIn(join(lake, 'events'))) yield sealedSegment(lake, file);
}

/** Sealed and open segments in order of stream and number; each record once, though segments be sealed meanwhile. */
async function* lakeSegments(directory: string): AsyncGenerator<Segment> {
  const open = await openedSegments(directory);
  try {
    const sealed = await sealedSegmentFiles(directory);
    const names = new Set(sealed.map(nameInStream));
    const all = [
      ...sealed.map((file) => sealedSegment(directory, file)),
      ...open
        .filter(({ segment }) => !names.has(nameInStream(segment)))
        .map((each) => openSegment(directory, each)),
    ];
    yield* all.sort((a, b) =>
      a.stream === b.stream ? a.firstSeq - b.firstSeq : a.stream < b.stream ? -1 : 1,
    );
  } finally {
    for (const { file } of open) await file.close();
  }
}

type OpenedSegment = { readonly segment: OpenSegmentFile; readonly file: FileHandle };

/** Opened before the sealed ones are listed: what is sealed in between can still be read. */
async function openedSegments(directory: string): Promise<readonly OpenedSegment[]> {
  const opened: OpenedSegment[] = [];
  for (const segment of await allOpenSegments(directory)) {
    try {
      opened.push({ segment, file: await openForReading(segment.path) });
    } catch (error) {
      if (!hasCode(error, 'ENOENT')) throw error;
    }
  }
  return opened;
}

function sealedSegment(directory: string, segment: SealedSegmentFile): Segment {
  return {
    file: relative(directory, segment.path),
    stream: segment.stream,
    firstSeq: segment.firstSeq,
    key: sealedSegmentKey({ ...segment, stream: streamName(segment.stream) }),
    date: segment.date,
    open: false,
    lines: sealedLines(segment.path),
    stored: () => storedForm(segment.path),
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

function openSegment(directory: string, { segment, file }: OpenedSegment): Segment {
  return {
    file: relative(directory, segment.path),
    stream: segment.stream,
    firstSeq: segment.firstSeq,
    open: true,
    // Half a record at the end is one that is being written.
    lines: splitLines(fileChunks(file, 0, Number.POSITIVE_INFINITY), () => undefined),
  };
}
