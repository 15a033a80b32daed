import { constants } from 'node:fs';
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { JournalError } from '#core/journal';

const { O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW, O_NONBLOCK, O_DIRECTORY } = constants;

/** Makes the directory, durably, where there is none. */
export async function makeDirectory(directory: string): Promise<void> {
  const path = resolve(directory);
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/**
 * Makes the folders below `root`, durably, and refuses where one is a link. Weakness: somebody who may write into the
 * data directory can exchange a folder after the look; the directory belongs to the gateway's account alone.
 */
export async function ensureFolders(root: string, ...parts: readonly string[]): Promise<string> {
  let folder = root;
  for (const part of parts) {
    const inner = join(folder, part);
    try {
      await mkdir(inner, { mode: 0o700 });
      await syncFolder(folder);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    if (!(await lstat(inner)).isDirectory())
      throw new JournalError('unsafe', `${inner} is not a folder; remove the link or file that stands there`);
    folder = inner;
  }
  return folder;
}

/** A new file, opened for appending. @throws where the name is taken, by a link too. */
export async function createForAppend(path: string): Promise<FileHandle> {
  return open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW, 0o600);
}

/** An existing regular file, opened for cutting its end off. */
export async function openForCutting(path: string): Promise<FileHandle> {
  return regular(path, await open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK));
}

/** An existing regular file, opened for reading. */
export async function openForReading(path: string): Promise<FileHandle> {
  // O_NONBLOCK: opening a FIFO somebody planted must not wait for its writer.
  return regular(path, await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK));
}

/** A new file with just these bytes, on the disk when it resolves. */
export async function writeNewSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Makes names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, O_RDONLY | O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.some((code) => code === error.code);
}

async function regular(path: string, file: FileHandle): Promise<FileHandle> {
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new JournalError('unsafe', `${path} is not a regular file; remove what stands there`);
}
