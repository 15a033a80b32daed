import { link, readFile, rm, unlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { gzipMember, JournalError } from '#core/journal';
import { ensureFolders, hasCode, openForReading, syncFolder, writeNewSynced } from './confined-files.ts';
import { gunzipFile } from './gzip-member.ts';
import type { SealedSegmentFile } from './segment-files.ts';

/** An open segment that gets no more records; `date` is the day of its records. */
export type FullSegment = SealedSegmentFile;

/** What a segment holds and how it is stored. */
export type Sealed = { readonly content: Buffer; readonly stored: Buffer };

/**
 * Moves a full segment to the lake: there compressed, whole or not at all, and only then gone from the journal. May be
 * repeated after a failure at any step.
 */
export async function sealSegment(directory: string, segment: FullSegment): Promise<Sealed> {
  const records = await readWhole(segment.path);
  const folder = await ensureFolders(directory, 'lake', 'events', `dt=${segment.date}`, segment.stream);
  const unfinished = unfinishedPath(segment.path);
  const sealed = join(folder, `${basename(segment.path)}.gz`);
  await rm(unfinished, { force: true });
  let stored = await gzipMember(records);
  await writeNewSynced(unfinished, stored);
  try {
    // link, not rename: it fails where the name is taken.
    await link(unfinished, sealed);
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    await requireTwin(segment.path, records, sealed);
    stored = await readWhole(sealed);
  }
  await syncFolder(folder);
  await removeOpenSegment(segment.path);
  return { content: records, stored };
}

/** Removes a segment from the journal: its twin is durable in the lake, or it holds no record. */
export async function removeOpenSegment(path: string): Promise<void> {
  await rm(unfinishedPath(path), { force: true });
  await unlink(path);
  await syncFolder(dirname(path));
}

/** In the journal, so that nothing unfinished is ever seen in the lake. */
function unfinishedPath(openPath: string): string {
  return `${openPath}.gz.unfinished`;
}

/** @throws JournalError `damaged` where the sealed file holds anything else. */
export async function requireTwin(openPath: string, records: Buffer, sealedPath: string): Promise<void> {
  let same = false;
  let cause: unknown;
  try {
    same = records.equals(await contentOf(sealedPath, records.length));
  } catch (error) {
    cause = error;
  }
  if (!same)
    throw new JournalError(
      'damaged',
      `${sealedPath} is sealed but does not hold what ${openPath} holds; keep both as evidence, then start under a new stream name`,
      { cause },
    );
}

/** The whole of an open segment: it was bounded when it was written. */
export async function readWhole(path: string): Promise<Buffer> {
  const file = await openForReading(path);
  try {
    return await readFile(file);
  } finally {
    await file.close();
  }
}

async function contentOf(sealedPath: string, expectedBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of gunzipFile(await openForReading(sealedPath))) {
    length += chunk.length;
    if (length > expectedBytes) break;
    chunks.push(chunk);
  }
  return length > expectedBytes ? Buffer.alloc(0) : Buffer.concat(chunks);
}
