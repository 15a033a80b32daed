import type { BlobKey, BlobStore } from '#core/contract';
import { encodeSpoolHead, RecorderError, type SpoolHead } from '#core/recording';
import type { BlobRemover } from '../s3/index.ts';
import { headKey, pieceKey } from './spool-key.ts';

/** What the channels of one spool share. */
export type SpoolShared = {
  readonly journal: BlobStore;
  readonly remover: BlobRemover;
  readonly now: () => number;
  /** Bytes of all channels that are not put yet, and of those that are and still at hand. */
  readonly memory: { unput: number; held: number };
  readonly maxHeldBytes: number;
  /** Puts that fail for so long end the recording. */
  readonly patienceMs: number;
};

type Chunk = {
  readonly number: number;
  /** Not put yet. */
  tail: Buffer[];
  tailBytes: number;
  /** How many parts of the tail the next piece has, once a put of it was tried: it may be there, so it stays the same. */
  tried: number | undefined;
  /** What was put, while it is at hand. */
  held: Buffer[] | undefined;
  heldBytes: number;
  pieces: number;
  /** It is being stored as a whole, and may not need to be put any more. */
  leaving: boolean;
};

/** The recording of one channel on its way to the store, as much of it as one put takes. */
export class SpooledChannel {
  readonly #shared: SpoolShared;
  readonly #head: SpoolHead;
  readonly #chunks = new Map<number, Chunk>();
  #headState: 'none' | 'tried' | 'put' = 'none';
  #oldestUnputMs: number | undefined;
  #failingSinceMs: number | undefined;
  #fault: RecorderError | undefined;
  #flushing: Promise<void> | undefined;
  #garbage: BlobKey[] = [];

  constructor(shared: SpoolShared, head: SpoolHead) {
    this.#shared = shared;
    this.#head = head;
  }

  get fault(): RecorderError | undefined {
    return this.#fault;
  }

  get chunks(): readonly number[] {
    return [...this.#chunks.keys()].sort((a, b) => a - b);
  }

  /** When the oldest byte came that was not put; undefined where all were. */
  get oldestUnputMs(): number | undefined {
    return this.#oldestUnputMs;
  }

  /** Bytes that were not put, but those of chunks that are being stored whole. */
  get stayingBytes(): number {
    return this.#sum((chunk) => (chunk.leaving ? 0 : chunk.tailBytes));
  }

  get unputBytes(): number {
    return this.#sum((chunk) => chunk.tailBytes);
  }

  append(number: number, bytes: Uint8Array): void {
    const chunk = this.#chunks.get(number) ?? newChunk(number);
    this.#chunks.set(number, chunk);
    chunk.tail.push(Buffer.from(bytes));
    chunk.tailBytes += bytes.length;
    this.#shared.memory.unput += bytes.length;
    this.#oldestUnputMs ??= this.#shared.now();
  }

  /** Puts everything, oldest chunk first: a later piece is never there without those before it. */
  flush(): Promise<void> {
    this.#flushing ??= this.#flushAll().finally(() => {
      this.#flushing = undefined;
    });
    return this.#flushing;
  }

  async read(number: number): Promise<Buffer> {
    const chunk = this.#chunks.get(number);
    if (chunk === undefined) throw missing(this.#head, number);
    chunk.leaving = true;
    const { held, pieces } = chunk;
    const tail = [...chunk.tail];
    if (held !== undefined) return Buffer.concat([...held, ...tail]);
    const put = await Promise.all(
      Array.from({ length: pieces }, (_, piece) =>
        readPiece(this.#shared.journal, this.#head, number, piece),
      ),
    );
    return Buffer.concat([...put, ...tail]);
  }

  async remove(number: number): Promise<void> {
    const chunk = this.#chunks.get(number);
    if (chunk === undefined) return;
    this.#chunks.delete(number);
    this.#forget(chunk);
    if (this.unputBytes === 0) this.#oldestUnputMs = undefined;
    // A put that is on its way makes one more piece.
    await this.#flushing;
    const pieces = chunk.pieces + (chunk.tried === undefined ? 0 : 1);
    for (let piece = 0; piece < pieces; piece += 1) this.#garbage.push(pieceKey(this.#head, number, piece));
    // What cannot be removed now is at the end.
    await this.#removeGarbage().catch(() => undefined);
  }

  async end(): Promise<void> {
    for (const chunk of this.#chunks.values()) this.#forget(chunk);
    this.#chunks.clear();
    this.#oldestUnputMs = undefined;
    await this.#flushing;
    await this.#removeGarbage();
    if (this.#headState !== 'none') await this.#shared.remover.remove([headKey(this.#head)]);
  }

  async #removeGarbage(): Promise<void> {
    const keys = this.#garbage;
    if (keys.length === 0) return;
    await this.#shared.remover.remove(keys);
    this.#garbage = this.#garbage.filter((key) => !keys.includes(key));
  }

  async #flushAll(): Promise<void> {
    try {
      for (const number of this.chunks) {
        const chunk = this.#chunks.get(number);
        if (chunk !== undefined && chunk.tailBytes > 0) await this.#flushChunk(chunk);
      }
      this.#failingSinceMs = undefined;
      if (this.unputBytes === 0) this.#oldestUnputMs = undefined;
    } catch (error) {
      this.#failed(error);
    }
  }

  async #flushChunk(chunk: Chunk): Promise<void> {
    const { journal } = this.#shared;
    if (this.#headState !== 'put') {
      this.#headState = 'tried';
      await putOwn(journal, headKey(this.#head), encodeSpoolHead(this.#head));
      this.#headState = 'put';
    }
    const parts = chunk.tried ?? chunk.tail.length;
    chunk.tried = parts;
    const content = Buffer.concat(chunk.tail.slice(0, parts));
    await putOwn(journal, pieceKey(this.#head, chunk.number, chunk.pieces), content);
    chunk.tried = undefined;
    chunk.pieces += 1;
    // Removed meanwhile: its bytes are forgotten already.
    if (this.#chunks.get(chunk.number) !== chunk) return;
    this.#oldestUnputMs = this.#shared.now();
    chunk.tail.splice(0, parts);
    chunk.tailBytes -= content.length;
    this.#shared.memory.unput -= content.length;
    this.#hold(chunk, content);
  }

  #hold(chunk: Chunk, content: Buffer): void {
    const { memory, maxHeldBytes } = this.#shared;
    if (chunk.held === undefined) return;
    if (memory.held + content.length > maxHeldBytes) {
      memory.held -= chunk.heldBytes;
      chunk.held = undefined;
      chunk.heldBytes = 0;
      return;
    }
    chunk.held.push(content);
    chunk.heldBytes += content.length;
    memory.held += content.length;
  }

  #forget(chunk: Chunk): void {
    this.#shared.memory.unput -= chunk.tailBytes;
    this.#shared.memory.held -= chunk.heldBytes;
    chunk.tail = [];
    chunk.tailBytes = 0;
    chunk.heldBytes = 0;
  }

  #failed(cause: unknown): void {
    const atMs = this.#shared.now();
    this.#failingSinceMs ??= atMs;
    if (cause instanceof RecorderError) this.#fault = cause;
    else if (atMs - this.#failingSinceMs >= this.#shared.patienceMs)
      this.#fault = new RecorderError(
        'spool',
        `the spool of ${this.#head.sessionId}/${this.#head.channel} could not be written; see to the journal bucket, its key and the role's rights`,
        { cause },
      );
  }

  #sum(of: (chunk: Chunk) => number): number {
    let sum = 0;
    for (const chunk of this.#chunks.values()) sum += of(chunk);
    return sum;
  }
}

/** @throws RecorderError `damaged` where it is not there */
export async function readPiece(
  journal: BlobStore,
  channel: SpoolHead | Parameters<typeof pieceKey>[0],
  chunk: number,
  piece: number,
): Promise<Buffer> {
  const bytes = await journal.get(pieceKey(channel, chunk, piece));
  if (bytes === undefined) throw missing(channel, chunk);
  return bytes;
}

export function missing(
  { sessionId, channel }: Parameters<typeof pieceKey>[0],
  chunk: number,
): RecorderError {
  return new RecorderError(
    'damaged',
    `a piece of chunk ${chunk} of the spooled recording ${sessionId}/${channel} is missing; keep what the spool has of it as evidence`,
  );
}

/** Only this process puts there, so what is there with the same bytes is its own, and the answer was lost. */
async function putOwn(journal: BlobStore, key: BlobKey, bytes: Buffer): Promise<void> {
  if ((await journal.putIfAbsent(key, bytes)) === 'stored') return;
  if ((await journal.get(key))?.equals(bytes) === true) return;
  throw new RecorderError('conflict', `the spool has another object at ${key}; a session has one gateway`);
}

function newChunk(number: number): Chunk {
  return {
    number,
    tail: [],
    tailBytes: 0,
    tried: undefined,
    held: [],
    heldBytes: 0,
    pieces: 0,
    leaving: false,
  };
}
