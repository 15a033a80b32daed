import { constants } from 'node:fs';
import { mkdir, open, opendir, readFile, rename, rm, rmdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { type SessionId, sessionId } from '#core/contract';
import {
  type ChannelName,
  encodeSpoolHead,
  isChannelName,
  parseSpoolHead,
  type Spool,
  type SpoolChannel,
  type SpoolHead,
} from '#core/recording';

/** A spool in a folder. */
export type FolderSpool = Spool & {
  /** Channels that were begun and not ended. */
  unfinished(): AsyncIterable<SpoolChannel>;
  /** Those of one session, in the order in which they were begun. Changes nothing: the session may go on. */
  channelsOf(id: SessionId): Promise<readonly ChannelName[]>;
};

const partSuffix = '.json.part';
const maxAttempts = 20;
const { O_WRONLY, O_CREAT, O_EXCL, O_APPEND, O_NOFOLLOW } = constants;

/**
 * Below `<directory>/recordings/<session>/`, `<channel>.json` is a recording's head, `<channel>.<chunk>.cast` a chunk that is
 * being written or waits to be stored.
 */
export function openSpool(directory: string): FolderSpool {
  const base = join(directory, 'recordings');
  const folder = (id: SessionId): string => join(base, sessionId(id));
  const headPath = ({ sessionId: id, channel }: SpoolChannel): string => join(folder(id), `${channel}.json`);
  const chunkPath = ({ sessionId: id, channel }: SpoolChannel, chunk: number): string =>
    join(folder(id), `${channel}.${chunk}.cast`);
  return {
    begin: (head) => writeHead(folder(head.sessionId), headPath(head), head),
    append: (channel, chunk, bytes) => write(chunkPath(channel, chunk), O_WRONLY | O_CREAT | O_APPEND, bytes),
    read: (channel, chunk) => readFile(chunkPath(channel, chunk), { flag: constants.O_RDONLY | O_NOFOLLOW }),
    remove: (channel, chunk) => removeFile(chunkPath(channel, chunk)),
    end: async (channel) => {
      await removeFile(headPath(channel));
      await removeIfEmpty(folder(channel.sessionId));
    },
    unfinished: () => unfinishedChannels(base),
    channelsOf: async (id) => {
      const channels: ChannelName[] = [];
      for await (const name of namesIn(folder(id))) {
        const channel = name.replace(/\.json$/, '');
        if (name.endsWith('.json') && isChannelName(channel)) channels.push(channel);
      }
      return channels.sort((a, b) => Number(a.slice(1)) - Number(b.slice(1)));
    },
    head: (channel) => readHead(headPath(channel), channel),
    chunks: async (channel) => {
      const numbers: number[] = [];
      for await (const name of namesIn(folder(channel.sessionId))) {
        const [of, chunk, ...rest] = name.split('.');
        if (
          of === channel.channel &&
          chunk !== undefined &&
          /^[0-9]{1,7}$/.test(chunk) &&
          rest.join() === 'cast'
        )
          numbers.push(Number(chunk));
      }
      return numbers.sort((a, b) => a - b);
    },
  };
}

async function writeHead(folder: string, path: string, head: SpoolHead): Promise<void> {
  const bytes = encodeSpoolHead(head);
  // The end of another channel may remove the empty folder in between: also while mkdir looks at what it found there.
  for (let attempt = 1; ; attempt += 1) {
    try {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      return await writeWhole(path, bytes);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT' || attempt === maxAttempts) throw error;
    }
  }
}

/** The file is there with all of its bytes or not at all, also for who reads it after a kill in between. */
async function writeWhole(path: string, bytes: Uint8Array): Promise<void> {
  const part = path.replace(/\.json$/, partSuffix);
  await write(part, O_WRONLY | O_CREAT | O_EXCL, bytes);
  try {
    await rename(part, path);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
}

async function write(path: string, flags: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, flags | O_NOFOLLOW, 0o600);
  try {
    for (let written = 0; written < bytes.byteLength; )
      written += (await file.write(bytes, written)).bytesWritten;
  } finally {
    await file.close();
  }
}

async function readHead(path: string, channel: SpoolChannel): Promise<SpoolHead> {
  return parseSpoolHead(await readFile(path, { flag: constants.O_RDONLY | O_NOFOLLOW }), channel);
}

async function* unfinishedChannels(base: string): AsyncGenerator<SpoolChannel, void, undefined> {
  for await (const session of namesIn(base)) {
    if (!/^s-[0-9a-f]{32}$/.test(session)) continue;
    const id = sessionId(session);
    // Read whole before the first is given out: the folder is emptied by whoever asks.
    const channels: ChannelName[] = [];
    const folder = join(base, session);
    for await (const name of namesIn(folder)) {
      // Killed while it wrote the head, and so before anything was recorded.
      if (name.endsWith(partSuffix)) await rm(join(folder, name), { force: true });
      const channel = name.replace(/\.json$/, '');
      if (name.endsWith('.json') && isChannelName(channel)) channels.push(channel);
    }
    for (const channel of channels.sort()) yield { sessionId: id, channel };
    if (channels.length === 0) await removeIfEmpty(folder);
  }
}

async function* namesIn(path: string): AsyncGenerator<string, void, undefined> {
  const folder = await opendir(path).catch(unless('ENOENT'));
  if (folder === undefined) return;
  for await (const entry of folder) yield entry.name;
}

/** As `rm` with force does it, without its look at what is there first. */
async function removeFile(path: string): Promise<void> {
  await unlink(path).catch(unless('ENOENT'));
}

async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch(unless('ENOTEMPTY', 'EEXIST', 'ENOENT'));
}

function unless(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes(systemCode(error) ?? '')) throw error;
    return undefined;
  };
}

function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}
