import type { BlobStore, SessionId } from '#core/contract';
import { parseSpoolHead, RecorderError, type Spool, type SpoolChannel } from '#core/recording';
import type { BlobRemover } from '../s3/index.ts';
import { channelPrefix, headKey, parseSpoolKey, pieceKey, spoolPrefix } from './spool-key.ts';
import { missing, readPiece, SpooledChannel, type SpoolShared } from './spooled-channel.ts';

export type ObjectSpoolOptions = {
  /** The journal bucket, */
  readonly journal: BlobStore;
  /** and what removes from it. */
  readonly remover: BlobRemover;
  /** How much of a recording's end a killed process loses at most, 5 s unless told, */
  readonly flushMs?: number;
  /** or this many bytes, 256 KiB unless told. */
  readonly flushBytes?: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
};

export type ObjectSpool = Spool & {
  /** Channels of these sessions that were begun and not ended, and of which anything was put. */
  unfinishedOf(sessionIds: Iterable<SessionId>): AsyncIterable<SpoolChannel>;
};

/** Of one channel, and of all: beyond, `append` waits. The recorder bounds what waits in it. */
const maxUnputOfChannel = 8 << 20;
const maxUnput = 64 << 20;
const maxHeldBytes = 32 << 20;
const patienceInFlushes = 6;
const putsAtOnce = 16;

/**
 * A spool in the journal bucket: `spool/<session>/<channel>/head.json` and pieces `<chunk>-<piece>.cast`. What comes is in memory
 * until it is a few seconds old; a chunk that is stored before then is never put here at all.
 */
export function createObjectSpool(options: ObjectSpoolOptions): ObjectSpool {
  const { journal, remover, now, flushMs = 5000, flushBytes = 256 << 10 } = options;
  const channels = new Map<string, SpooledChannel>();
  const memory = { unput: 0, held: 0 };
  const shared: SpoolShared = {
    journal,
    remover,
    now,
    memory,
    maxHeldBytes,
    patienceMs: flushMs * patienceInFlushes,
  };
  let sweeping = false;
  let timer: NodeJS.Timeout | undefined;

  /** Looks four times as often as something may wait. */
  function arm(): void {
    if (timer !== undefined || sweeping || memory.unput === 0) return;
    timer = setTimeout(() => {
      timer = undefined;
      sweeping = true;
      void sweep().finally(() => {
        sweeping = false;
        arm();
      });
    }, flushMs / 4).unref();
  }

  async function sweep(): Promise<void> {
    const atMs = now();
    const due = [...channels.values()].filter(
      ({ oldestUnputMs }) => oldestUnputMs !== undefined && atMs - oldestUnputMs >= flushMs / 2,
    );
    const next = due.values();
    const work = async () => {
      for (const channel of next) await channel.flush();
    };
    await Promise.all(Array.from({ length: putsAtOnce }, work));
  }

  async function append(id: SpoolChannel, chunk: number, bytes: Uint8Array): Promise<void> {
    const channel = channels.get(nameOf(id));
    if (channel === undefined) throw new RecorderError('spool', `the recording ${nameOf(id)} was not begun`);
    if (channel.fault !== undefined) throw channel.fault;
    channel.append(chunk, bytes);
    arm();
    if (channel.stayingBytes > flushBytes)
      // By then a full chunk is being stored, and need not be put here.
      setImmediate(() => {
        if (channel.stayingBytes > flushBytes) void channel.flush();
      });
    while (channel.unputBytes > maxUnputOfChannel || (memory.unput > maxUnput && channel.unputBytes > 0)) {
      await channel.flush();
      if (channel.fault !== undefined) throw channel.fault;
      if (channel.unputBytes > 0) await new Promise((resolve) => setTimeout(resolve, flushMs / 4));
    }
  }

  return {
    async begin(head) {
      channels.set(nameOf(head), new SpooledChannel(shared, head));
    },
    append,
    async read(id, chunk) {
      const channel = channels.get(nameOf(id));
      return channel === undefined ? readPieces(journal, id, chunk) : channel.read(chunk);
    },
    async remove(id, chunk) {
      const channel = channels.get(nameOf(id));
      if (channel !== undefined) await channel.remove(chunk);
      else
        await remover.remove((await piecesOf(journal, id, chunk)).map((piece) => pieceKey(id, chunk, piece)));
    },
    async end(id) {
      const channel = channels.get(nameOf(id));
      channels.delete(nameOf(id));
      if (channel !== undefined) await channel.end();
      else await remover.remove([headKey(id)]);
    },
    async head(id) {
      const bytes = await journal.get(headKey(id));
      if (bytes === undefined)
        throw new RecorderError('damaged', `the spooled recording ${nameOf(id)} has no head any more`);
      return parseSpoolHead(bytes, id);
    },
    async chunks(id) {
      const channel = channels.get(nameOf(id));
      if (channel !== undefined) return channel.chunks;
      const numbers = new Set<number>();
      for await (const { key } of journal.list(channelPrefix(id))) {
        const object = parseSpoolKey(key);
        if (object?.kind === 'piece') numbers.add(object.chunk);
      }
      return [...numbers].sort((a, b) => a - b);
    },
    unfinishedOf: (sessionIds) => unfinishedOf(journal, sessionIds),
  };
}

function nameOf({ sessionId, channel }: SpoolChannel): string {
  return `${sessionId}/${channel}`;
}

async function* unfinishedOf(
  journal: BlobStore,
  sessionIds: Iterable<SessionId>,
): AsyncGenerator<SpoolChannel, void, undefined> {
  for (const sessionId of sessionIds) {
    // Read whole before the first is given out: the session's objects are removed by whoever asks.
    const channels: SpoolChannel[] = [];
    for await (const { key } of journal.list(spoolPrefix(sessionId))) {
      const object = parseSpoolKey(key);
      if (object?.kind === 'head') channels.push({ sessionId, channel: object.channel });
    }
    yield* channels;
  }
}

async function readPieces(journal: BlobStore, id: SpoolChannel, chunk: number): Promise<Buffer> {
  const pieces = await piecesOf(journal, id, chunk);
  if (pieces.length === 0 || pieces.some((piece, index) => piece !== index)) throw missing(id, chunk);
  const contents: Buffer[] = [];
  for (const piece of pieces) contents.push(await readPiece(journal, id, chunk, piece));
  return Buffer.concat(contents);
}

/** In order. */
async function piecesOf(journal: BlobStore, id: SpoolChannel, chunk: number): Promise<readonly number[]> {
  const pieces: number[] = [];
  for await (const { key } of journal.list(`${channelPrefix(id)}${chunk}-`)) {
    const object = parseSpoolKey(key);
    if (object?.kind === 'piece' && object.chunk === chunk) pieces.push(object.piece);
  }
  return pieces.sort((a, b) => a - b);
}
