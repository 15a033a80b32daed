import { constants } from 'node:fs';
import { lstat, open } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { JournalError } from '#core/journal';
import { hasCode } from './confined-files.ts';

export type WriterLock = { release(): void };

/**
 * One writer for a stream's folder. The lock is the kernel's, taken through SQLite on an empty file (Node has no other
 * way to one): it ends with the process, however that ends, and no number of a process that is long gone, or of one in
 * another container, is ever believed. Beside it lies a file that says who holds it, for people.
 */
export async function lockWriter(folder: string, holder: { readonly proxyId: string }): Promise<WriterLock> {
  const lockPath = join(folder, 'writer.lock');
  const holderPath = join(folder, 'writer.json');
  await refuseLink(lockPath);
  const database = takeLock(lockPath);
  if (database === undefined)
    throw new JournalError(
      'locked',
      `the stream in ${folder} is being written by ${await readHolder(holderPath)}; stop that one first, or use another stream name`,
    );
  try {
    await writeHolder(holderPath, `${JSON.stringify({ pid: process.pid, proxyId: holder.proxyId })}\n`);
  } catch (error) {
    database.close();
    throw error;
  }
  return { release: () => database.close() };
}

/** Undefined when another one has it. */
function takeLock(path: string): DatabaseSync | undefined {
  const database = new DatabaseSync(path, { timeout: 0 });
  try {
    // No file beside the lock; nothing is ever written into it.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return database;
  } catch (error) {
    database.close();
    // SQLITE_BUSY
    if (error instanceof Error && 'errcode' in error && error.errcode === 5) return undefined;
    throw new JournalError(
      'unwritable',
      `the lock ${path} could not be taken; see that the file can be written`,
      {
        cause: error,
      },
    );
  }
}

async function refuseLink(path: string): Promise<void> {
  try {
    if ((await lstat(path)).isFile()) return;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  throw new JournalError('unsafe', `${path} is not a regular file; remove what stands there`);
}

async function writeHolder(path: string, text: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  const file = await open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(text);
  } finally {
    await file.close();
  }
}

async function readHolder(path: string): Promise<string> {
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(512), 0, 512, 0);
      const holder: unknown = JSON.parse(buffer.toString('utf8', 0, bytesRead));
      if (typeof holder === 'object' && holder !== null && 'pid' in holder && 'proxyId' in holder)
        return `process ${JSON.stringify(holder.pid)} (${JSON.stringify(holder.proxyId)})`;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (!(error instanceof SyntaxError) && !hasCode(error, 'ENOENT', 'ELOOP', 'EACCES')) throw error;
  }
  return 'another process';
}
