import { randomBytes } from 'node:crypto';
import { constants, type Dirent } from 'node:fs';
import { type FileHandle, link, lstat, mkdir, open, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { BlobStoreError, type BlobStoreErrorCode, keyParts, unfinishedPrefix } from '#core/blob';
import type { BlobKey, BlobStore } from '#core/contract';

/** What a gateway left behind when it was killed in the middle of a put is removed after this time. */
const unfinishedLifetimeMs = 60 * 60 * 1000;

/**
 * Objects as files below `root`, which is made (0700) when first written to. An object is written beside, synced, and then
 * linked to its name, which fails where the name is taken: of racing writers one wins, whatever the process. Below the root no
 * symbolic link is followed. Weakness: somebody who may write into the root as this user can still exchange a folder between
 * the check and the use; the root belongs to the gateway's account alone.
 */
export function createFolderBlobStore(root: string): BlobStore {
  let swept: Promise<void> | undefined;
  return {
    async putIfAbsent(key, bytes) {
      const parts = keyParts(key);
      return withCode('unwritable', `the object ${JSON.stringify(key)} could not be written`, async () => {
        await makeFolder(root);
        swept ??= removeUnfinished(root);
        await swept;
        const folder = await makeFolders(root, parts.slice(0, -1));
        return storeFile(root, folder, join(folder, parts.at(-1) ?? ''), bytes);
      });
    },
    async get(key) {
      return readObject(root, key, async (file, size) => readAt(file, 0, size));
    },
    async getRange(key, offset, length) {
      if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(length) || offset < 0 || length < 0)
        throw new RangeError(`not a range of an object: ${length} bytes from ${offset}`);
      return readObject(root, key, (file, size) =>
        readAt(file, offset, Math.min(length, Math.max(0, size - offset))),
      );
    },
    async *list(prefix) {
      const folderKey = prefix.slice(0, prefix.lastIndexOf('/') + 1);
      const parts = folderKey === '' ? [] : keyParts(folderKey.slice(0, -1));
      if (await isFolder(root, parts)) yield* listFolder(join(root, ...parts), folderKey, prefix);
    },
  };
}

async function storeFile(
  root: string,
  folder: string,
  path: string,
  bytes: Uint8Array,
): Promise<'stored' | 'exists'> {
  const unfinished = join(root, `${unfinishedPrefix}${process.pid}-${randomBytes(12).toString('hex')}`);
  try {
    await writeSynced(unfinished, bytes);
    const outcome = await linkNew(unfinished, path);
    // Also where another writer won: what it stored is durable before we say that it exists.
    await syncFolder(folder);
    return outcome;
  } finally {
    await rm(unfinished, { force: true });
  }
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const { O_CREAT, O_EXCL, O_WRONLY, O_NOFOLLOW } = constants;
  const file = await open(path, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function linkNew(from: string, to: string): Promise<'stored' | 'exists'> {
  try {
    await link(from, to);
    return 'stored';
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') throw error;
  }
  if (!(await lstat(to)).isFile()) throw notAnObject(to);
  return 'exists';
}

async function makeFolder(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
}

async function makeFolders(root: string, parts: readonly string[]): Promise<string> {
  let folder = root;
  for (const part of parts) {
    const inner = join(folder, part);
    try {
      await mkdir(inner, { mode: 0o700 });
      await syncFolder(folder);
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') throw error;
    }
    if (!(await lstat(inner)).isDirectory()) throw notAFolder(inner);
    folder = inner;
  }
  return folder;
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function removeUnfinished(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (!name.startsWith(unfinishedPrefix)) continue;
    const path = join(root, name);
    const found = await lstat(path).catch(absentAsUndefined);
    if (found !== undefined && Date.now() - found.mtimeMs > unfinishedLifetimeMs)
      await rm(path, { force: true });
  }
}

async function readObject(
  root: string,
  key: BlobKey,
  read: (file: FileHandle, size: number) => Promise<Buffer>,
): Promise<Buffer | undefined> {
  const parts = keyParts(key);
  return withCode('unreadable', `the object ${JSON.stringify(key)} could not be read`, async () => {
    if (!(await isFolder(root, parts.slice(0, -1)))) return undefined;
    const file = await openObject(join(root, ...parts));
    if (file === undefined) return undefined;
    try {
      const found = await file.stat();
      return found.isFile() ? await read(file, found.size) : undefined;
    } finally {
      await file.close();
    }
  });
}

async function openObject(path: string): Promise<FileHandle | undefined> {
  // O_NONBLOCK: opening a FIFO somebody planted must not wait for its writer.
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    return await open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ELOOP') throw notAnObject(path);
    return absentAsUndefined(error);
  }
}

async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

async function isFolder(root: string, parts: readonly string[]): Promise<boolean> {
  let path = root;
  for (const part of parts) {
    path = join(path, part);
    const found = await lstat(path).catch(absentAsUndefined);
    if (found?.isSymbolicLink()) throw notAFolder(path);
    if (!found?.isDirectory()) return false;
  }
  return true;
}

/** Holds the names of one folder for each level of depth, no more. What no put can have made is refused, not passed over. */
async function* listFolder(
  path: string,
  folderKey: string,
  prefix: string,
): AsyncGenerator<{ readonly key: BlobKey; readonly size: number }, void, undefined> {
  for (const entry of await sortedEntries(path)) {
    const key = `${folderKey}${entry.name}`;
    if (entry.isDirectory()) {
      if (`${key}/`.startsWith(prefix) || prefix.startsWith(`${key}/`))
        yield* listFolder(join(path, entry.name), `${key}/`, prefix);
    } else if (key.startsWith(prefix)) {
      keyParts(key);
      const found = await lstat(join(path, entry.name)).catch(absentAsUndefined);
      if (!found?.isFile()) throw notAnObject(join(path, entry.name));
      yield { key, size: found.size };
    }
  }
}

async function sortedEntries(path: string): Promise<readonly Dirent[]> {
  const entries = await withCode('unreadable', `the folder ${JSON.stringify(path)} could not be listed`, () =>
    readdir(path, { withFileTypes: true }).catch((error: unknown) => absentAsUndefined(error) ?? []),
  );
  // A folder sorts as its keys do: with the slash.
  return entries
    .filter((entry) => !entry.name.startsWith(unfinishedPrefix))
    .map((entry) => ({ entry, order: Buffer.from(entry.isDirectory() ? `${entry.name}/` : entry.name) }))
    .sort((a, b) => Buffer.compare(a.order, b.order))
    .map(({ entry }) => entry);
}

function absentAsUndefined(error: unknown): undefined {
  const code = systemCode(error);
  if (code !== 'ENOENT' && code !== 'ENOTDIR') throw error;
  return undefined;
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

function notAFolder(path: string): BlobStoreError {
  return new BlobStoreError(
    'unsafe',
    `${JSON.stringify(path)} is not a folder; remove it, the store follows no links and replaces nothing`,
  );
}

function notAnObject(path: string): BlobStoreError {
  return new BlobStoreError(
    'unsafe',
    `${JSON.stringify(path)} is not a file; remove it, the store follows no links`,
  );
}

async function withCode<Result>(
  code: BlobStoreErrorCode,
  problem: string,
  run: () => Promise<Result>,
): Promise<Result> {
  try {
    return await run();
  } catch (cause) {
    if (cause instanceof BlobStoreError) throw cause;
    const reason = systemCode(cause);
    throw new BlobStoreError(
      code,
      `${problem}${reason === undefined ? '' : ` (${reason})`}; check the disk and the permissions of the store's folder`,
      { cause },
    );
  }
}
