import type { Dirent } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { segmentNumber } from '#core/journal';
import { hasCode } from './confined-files.ts';

/** A segment that is being written, or waits for being sealed. */
export type OpenSegmentFile = { readonly path: string; readonly stream: string; readonly firstSeq: number };

export type SealedSegmentFile = OpenSegmentFile & {
  /** UTC day of its records' ingestion, YYYY-MM-DD. */
  readonly date: string;
};

const streamPattern = /^[a-z0-9][a-z0-9.-]{0,62}$/;
const openPattern = /^(\d{12})\.ndjson$/;
const sealedPattern = /^(\d{12})\.ndjson\.gz$/;
const dayPattern = /^dt=(\d{4}-\d{2}-\d{2})$/;

export function journalFolder(directory: string): string {
  return join(directory, 'journal');
}

function eventsFolder(directory: string): string {
  return join(directory, 'lake', 'events');
}

export function openSegmentName(firstSeq: number): string {
  return `${segmentNumber(firstSeq)}.ndjson`;
}

/**
 * Segments that are not in the lake yet, in order of stream and number; those whose sealed twin exists are left out. The
 * last line of the newest may be torn. A file may be gone when it is read: then it has been sealed meanwhile.
 */
export async function openSegmentFiles(directory: string): Promise<readonly OpenSegmentFile[]> {
  const open = await allOpenSegments(directory);
  const days = open.length === 0 ? [] : await folders(eventsFolder(directory), dayPattern);
  const unsealed: OpenSegmentFile[] = [];
  for (const segment of open) if (!(await hasTwin(directory, days, segment))) unsealed.push(segment);
  return unsealed;
}

async function hasTwin(
  directory: string,
  days: readonly string[],
  { path, stream }: OpenSegmentFile,
): Promise<boolean> {
  for (const day of days)
    if (await exists(join(eventsFolder(directory), day, stream, `${basename(path)}.gz`))) return true;
  return false;
}

/** Also those that have a sealed twin. */
export async function allOpenSegments(
  directory: string,
  onlyStream?: string,
): Promise<readonly OpenSegmentFile[]> {
  const folder = journalFolder(directory);
  const found: OpenSegmentFile[] = [];
  for (const stream of onlyStream === undefined ? await folders(folder, streamPattern) : [onlyStream])
    for (const [path, firstSeq] of await numbered(join(folder, stream), openPattern))
      found.push({ path, stream, firstSeq });
  return found.sort(byStreamAndNumber);
}

/** Sealed segments in order of stream and number. */
export async function sealedSegmentFiles(
  directory: string,
  onlyStream?: string,
): Promise<readonly SealedSegmentFile[]> {
  return sealedSegmentsIn(eventsFolder(directory), onlyStream);
}

/** Those of a lake that is somewhere else. */
export async function sealedSegmentsIn(
  folder: string,
  onlyStream?: string,
): Promise<readonly SealedSegmentFile[]> {
  const found: SealedSegmentFile[] = [];
  for (const day of await folders(folder, dayPattern)) {
    const dayFolder = join(folder, day);
    for (const stream of onlyStream === undefined ? await folders(dayFolder, streamPattern) : [onlyStream])
      for (const [path, firstSeq] of await numbered(join(dayFolder, stream), sealedPattern))
        found.push({ path, stream, firstSeq, date: day.slice(3) });
  }
  return found.sort(byStreamAndNumber);
}

export function nameInStream(segment: OpenSegmentFile): string {
  return `${segment.stream}/${segment.firstSeq}`;
}

function byStreamAndNumber(a: OpenSegmentFile, b: OpenSegmentFile): number {
  if (a.stream !== b.stream) return a.stream < b.stream ? -1 : 1;
  return a.firstSeq - b.firstSeq;
}

async function folders(path: string, pattern: RegExp): Promise<readonly string[]> {
  return (await entries(path))
    .filter((entry) => entry.isDirectory() && pattern.test(entry.name))
    .map((entry) => entry.name);
}

/** Whatever bears such a name, a link too: who reads it finds out. */
async function numbered(folder: string, pattern: RegExp): Promise<readonly (readonly [string, number])[]> {
  return (await entries(folder)).flatMap((entry) => {
    const digits = pattern.exec(entry.name)?.[1];
    return digits === undefined ? [] : [[join(folder, entry.name), Number(digits)] as const];
  });
}

async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

async function entries(path: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(path, { withFileTypes: true });
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return [];
    throw error;
  }
}
