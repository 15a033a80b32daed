import { Worker } from 'node:worker_threads';
import type { ContentHasher } from '#core/transfer';
import type { HashAnswer, HashOrder, HashSegment } from './content-hash-message.ts';

/** Hashes files on a thread of their own. */
export type ContentHashing = {
  start(): ContentHasher;
  /** Settles once there is room for more; undefined while there is. Who goes on regardless is not stopped. */
  room(): Promise<void> | undefined;
  /** Ends the thread. Hashes not yet there are lost. */
  close(): Promise<void>;
};

const blockBytes = 262_144;
const maxSegments = 4096;
/** 16 MiB that wait for the thread: then their senders have to. */
const maxWaitingBlocks = 64;
const maxFreeBlocks = 8;

/** The thread starts with the first file. It keeps the process alive only while a hash is waited for. */
export function createContentHashing(): ContentHashing {
  return new Hashing();
}

class Hashing implements ContentHashing {
  #worker: Worker | undefined;
  #files = 0;
  #waitingBlocks = 0;
  readonly #free: ArrayBuffer[] = [];
  readonly #digests = new Map<number, (sha256: string | undefined) => void>();
  #room: PromiseWithResolvers<void> | undefined;
  /** Files the thread has lost with an earlier one of it. */
  #lostUpTo = 0;
  #block: Buffer | undefined;
  #used = 0;
  #segments: HashSegment[] = [];
  #drops: number[] = [];

  start(): ContentHasher {
    this.#files += 1;
    const file = this.#files;
    return {
      update: (bytes) => this.#update(file, bytes),
      digest: () => this.#digest(file),
      discard: () => this.#discard(file),
    };
  }

  room(): Promise<void> | undefined {
    if (this.#waitingBlocks < maxWaitingBlocks) return undefined;
    this.#room ??= Promise.withResolvers();
    this.#worker?.ref();
    return this.#room.promise;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#lose();
    await worker?.terminate();
  }

  #update(file: number, bytes: Buffer): void {
    if (file <= this.#lostUpTo) return;
    let at = 0;
    while (at < bytes.length) {
      this.#block ??= Buffer.from(this.#free.pop() ?? new ArrayBuffer(blockBytes));
      const taken = bytes.copy(this.#block, this.#used, at);
      this.#note(file, taken);
      at += taken;
      if (this.#used === blockBytes || this.#segments.length === maxSegments) this.#send([]);
    }
  }

  #note(file: number, length: number): void {
    const last = this.#segments.at(-1);
    const start = this.#used;
    this.#used += length;
    if (last?.file === file) this.#segments[this.#segments.length - 1] = { ...last, end: this.#used };
    else this.#segments.push({ file, start, end: this.#used });
  }

  #digest(file: number): Promise<string | undefined> {
    if (file <= this.#lostUpTo) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#digests.set(file, resolve);
      this.#send([file]);
    });
  }

  #discard(file: number): void {
    if (file <= this.#lostUpTo) return;
    this.#drops.push(file);
    if (this.#drops.length === maxSegments) this.#send([]);
  }

  #send(ends: readonly number[]): void {
    const worker = this.#running();
    const block = this.#block?.buffer ?? this.#free.pop() ?? new ArrayBuffer(blockBytes);
    if (!(block instanceof ArrayBuffer)) throw new TypeError('a block is memory of its own');
    const order: HashOrder = { block, segments: this.#segments, ends, drops: this.#drops };
    this.#block = undefined;
    this.#used = 0;
    this.#segments = [];
    this.#drops = [];
    this.#waitingBlocks += 1;
    if (this.#digests.size > 0) worker.ref();
    worker.postMessage(order, [block]);
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    // The bundle has it beside itself, in JavaScript.
    const file = import.meta.url.endsWith('.ts') ? './content-hash-worker.ts' : './content-hash-worker.mjs';
    const worker = new Worker(new URL(file, import.meta.url), { name: 'content-hash' });
    worker.unref();
    worker.on('message', (answer: HashAnswer) => this.#answered(worker, answer));
    // What it had is lost, and events say so; the next file gets a new one.
    worker.on('error', () => this.#lost(worker));
    worker.on('exit', () => this.#lost(worker));
    this.#worker = worker;
    return worker;
  }

  #answered(worker: Worker, { block, digests }: HashAnswer): void {
    if (worker !== this.#worker) return;
    this.#waitingBlocks -= 1;
    if (this.#free.length < maxFreeBlocks) this.#free.push(block);
    for (const { file, sha256 } of digests) this.#settle(file, sha256);
    if (this.#waitingBlocks <= maxWaitingBlocks / 2) this.#makeRoom();
    if (this.#digests.size === 0 && this.#room === undefined) worker.unref();
  }

  #settle(file: number, sha256: string | undefined): void {
    this.#digests.get(file)?.(sha256);
    this.#digests.delete(file);
  }

  #lost(worker: Worker): void {
    if (worker === this.#worker) this.#lose();
  }

  #lose(): void {
    this.#worker = undefined;
    this.#lostUpTo = this.#files;
    this.#waitingBlocks = 0;
    this.#block = undefined;
    this.#used = 0;
    this.#segments = [];
    this.#drops = [];
    for (const file of this.#digests.keys()) this.#settle(file, undefined);
    this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
