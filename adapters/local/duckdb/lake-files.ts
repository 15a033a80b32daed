import { constants } from 'node:fs';
import { open, readdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { QueryError } from '#core/lake';

/** Sealed and open files are twins when stream and number agree. */
export type Segment = { readonly path: string; readonly twinKey: string };

const dayPattern = /^dt=\d{4}-\d{2}-\d{2}$/;
const sealedPattern = /^([A-Za-z0-9][A-Za-z0-9._-]*)\.ndjson\.gz$/;

/** Sealed files under `events/dt=YYYY-MM-DD/<stream>/`, in order. Links and anything else there are passed over. */
export async function sealedSegments(eventsDirectory: string): Promise<readonly Segment[]> {
  const found: Segment[] = [];
  for (const day of await directories(eventsDirectory)) {
    if (!dayPattern.test(day)) continue;
    for (const stream of await directories(join(eventsDirectory, day))) {
      const folder = join(eventsDirectory, day, stream);
      for (const entry of await entries(folder)) {
        const match = sealedPattern.exec(entry.name);
        if (match === null || !entry.isFile()) continue;
        found.push({ path: join(folder, entry.name), twinKey: `${stream}/${match[1]}` });
      }
    }
  }
  return found;
}

export function openSegment(path: string): Segment {
  return { path, twinKey: `${basename(dirname(path))}/${basename(path).replace(/\.ndjson$/, '')}` };
}

const chunkBytes = 1 << 20;
/** No record is near this long; a file that has such a line is not a segment. */
const maxLineBytes = 16 << 20;

/**
 * Whole lines of a segment that is being written, some at a time. What follows the last line feed may be half a record and is left for the next reading.
 * @throws the file system's error, ENOENT when the segment was sealed meanwhile.
 */
export async function* wholeLines(path: string): AsyncGenerator<string> {
  // A link in the journal is nothing the journal made.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    let rest = Buffer.alloc(0);
    for (;;) {
      const chunk = Buffer.allocUnsafe(chunkBytes);
      const { bytesRead } = await file.read(chunk, 0, chunkBytes, null);
      if (bytesRead === 0) return;
      const bytes = Buffer.concat([rest, chunk.subarray(0, bytesRead)]);
      const end = bytes.lastIndexOf(0x0a) + 1;
      if (end > 0) yield bytes.toString('utf8', 0, end - 1);
      rest = bytes.subarray(end);
      if (rest.length > maxLineBytes)
        throw new QueryError(
          'unreadable',
          `${path} has a line longer than ${maxLineBytes} bytes, so it is not an audit segment; run sshtrail verify`,
        );
    }
  } finally {
    await file.close();
  }
}

async function directories(path: string): Promise<readonly string[]> {
  return (await entries(path)).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

async function entries(path: string) {
  try {
    const found = await readdir(path, { withFileTypes: true });
    return found.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    if (isNotFound(error)) return [];
    throw error;
  }
}

export function isNotFound(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
