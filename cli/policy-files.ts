import { constants, readFileSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { PolicySource } from '#core/policy';
import type { PolicySources, ReadPolicies } from '../proxy-task/index.ts';
import { CliError } from './cli-error.ts';
import { systemErrorCode } from './system-error.ts';

export type PolicyFile = {
  /** As the configuration names it. */
  readonly file: string;
  readonly path: string;
};

type StoredPolicy = PolicySource & { readonly ownerId: number; readonly changedAtMs: number };

const maxBytes = 1024 * 1024;

/** Reads policy files, and refuses what anybody may write: whoever can write it could permit themselves everything. */
export async function readPolicyFiles(files: readonly PolicyFile[]): Promise<readonly PolicySource[]> {
  return (await Promise.all(files.map(readPolicyFile))).map(({ file, text }) => ({ file, text }));
}

/** Looks for changes. What is being written is waited for: files count once they were found the same twice. */
export function watchPolicyFiles(files: readonly PolicyFile[]): PolicySources {
  let known: string | undefined;
  let before: string | undefined;
  return {
    async readChanged(): Promise<ReadPolicies | undefined> {
      const found = await signatureOf(files);
      const settled = found === before;
      before = found;
      if (found === known || !settled) return undefined;
      const stored = await Promise.all(files.map(readPolicyFile));
      // What changed while it was read is read again next time.
      if ((await signatureOf(files)) !== found) return undefined;
      known = found;
      return {
        sources: stored.map(({ file, text }) => ({ file, text })),
        writtenBy: async () => ownerOf(stored),
      };
    },
  };
}

/** Differs whenever a file was written, replaced, or given to somebody else. */
async function signatureOf(files: readonly PolicyFile[]): Promise<string> {
  const parts = await Promise.all(
    files.map(async ({ path }) => {
      try {
        const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true });
        return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`;
      } catch (error) {
        return systemErrorCode(error) ?? 'unknown';
      }
    }),
  );
  return parts.join('\n');
}

async function readPolicyFile({ file, path }: PolicyFile): Promise<StoredPolicy> {
  const { text, mode, ownerId, changedAtMs } = await readBounded(path);
  if ((mode & 0o002) !== 0)
    throw new CliError(
      'unusable-data',
      `${path} can be written by anybody, so anybody could permit themselves everything; run: chmod o-w ${path}`,
    );
  return { file, text, ownerId, changedAtMs };
}

/** The text of a file of at most 1 MiB. @throws CliError */
export async function readBoundedText(path: string): Promise<string> {
  return (await readBounded(path)).text;
}

async function readBounded(path: string) {
  let handle: FileHandle;
  try {
    // Without waiting for a writer, should somebody have put a pipe there.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    throw new CliError(
      'unusable-data',
      `cannot read ${path} (${systemErrorCode(error) ?? 'unknown'}); name an existing file`,
      { cause: error },
    );
  }
  try {
    const { mode, uid, size, ctimeMs } = await handle.stat();
    if ((mode & constants.S_IFMT) !== constants.S_IFREG)
      throw new CliError('unusable-data', `${path} is no file; name a file`);
    if (size > maxBytes)
      throw new CliError('unusable-data', `${path} is larger than 1 MiB; split it into several files`);
    return { text: await handle.readFile('utf8'), mode, ownerId: uid, changedAtMs: ctimeMs };
  } finally {
    await handle.close();
  }
}

/** Of the file that was written last. */
function ownerOf(stored: readonly StoredPolicy[]): string {
  const [newest] = [...stored].sort((one, other) => other.changedAtMs - one.changedAtMs);
  return newest === undefined ? 'unknown' : userName(newest.ownerId);
}

function userName(id: number): string {
  try {
    const line = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .find((entry) => entry.split(':')[2] === String(id));
    return line?.split(':')[0] ?? `uid ${id}`;
  } catch {
    // A system that keeps its users elsewhere.
    return `uid ${id}`;
  }
}
