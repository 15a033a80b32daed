import type { AuditRecord, BlobStore, StreamName } from '#core/contract';
import { JournalError } from '#core/journal';
import type { BlobRemover } from '../s3/index.ts';
import type { DurableBatch } from './batch-loop.ts';
import { batchKey, fenced } from './batch-store.ts';
import { putSegment } from './sealed-segments.ts';

/** A batch that is durable; its content is read again where it is not at hand. */
export type SealableBatch = Omit<DurableBatch, 'content' | 'records'> & {
  readonly bytes: number;
  readonly held?: Pick<DurableBatch, 'content' | 'records'>;
};

/** What the lake has since now. */
export type SealedRecords = {
  readonly date: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly bytes: number;
  /** Absent where they were not at hand. */
  readonly records: readonly AuditRecord[] | undefined;
};

export type SegmentSealerOptions = {
  readonly stream: StreamName;
  readonly journal: BlobStore;
  readonly remover: BlobRemover;
  readonly evidence: BlobStore;
  readonly sealAfterMs: number;
  readonly sealAfterBytes: number;
  /** Whether a batch stays in the journal, so that its key stays taken. */
  readonly keeps: (firstSeq: number) => boolean;
  /** In order. */
  readonly onSealed: (sealed: SealedRecords) => void;
  /** A segment waits (`unsealed`). */
  readonly onFault: (error: JournalError) => void;
  /** Nothing more can be sealed: `fenced`, `damaged`, `unwritable`. */
  readonly onFatal: (error: JournalError) => void;
};

type Segment = { readonly date: string; batches: SealableBatch[]; bytes: number };

/** Of segments that wait; beyond, they are read again from the journal. */
const maxHeldBytes = 32 << 20;
/** Beyond, the lake has been out of reach for so long that going on would be for nobody to see. */
const maxWaiting = 4096;
const maxRemovable = 10_000;
const longestPauseMs = 60_000;

/** Forms segments of durable batches and moves them to the lake one after another, beside the writing. */
export class SegmentSealer {
  readonly #options: SegmentSealerOptions;
  #open: Segment | undefined;
  #full: Segment[] = [];
  #heldBytes = 0;
  #removable: string[] = [];
  #openTimer: NodeJS.Timeout | undefined;
  #retryTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  #sealing: Promise<JournalError | undefined> | undefined;
  #stopped = false;

  constructor(options: SegmentSealerOptions) {
    this.#options = options;
  }

  add(batch: SealableBatch): void {
    const { sealAfterBytes, sealAfterMs } = this.#options;
    if (this.#open !== undefined) {
      const full = this.#open.bytes + batch.bytes > sealAfterBytes;
      if (full || this.#open.date !== batch.date) this.#roll();
    }
    this.#open ??= { date: batch.date, batches: [], bytes: 0 };
    this.#open.batches.push(batch);
    this.#open.bytes += batch.bytes;
    if (this.#open.bytes >= sealAfterBytes) this.#roll();
    else this.#openTimer ??= setTimeout(() => this.#age(), sealAfterMs).unref();
  }

  /** Resolves when everything that was added is in the lake. @throws JournalError `unsealed` and what `onFatal` gets */
  async settle(): Promise<void> {
    this.#roll();
    const error = await this.#start();
    if (error !== undefined) throw error;
  }

  /** No more tries of its own. */
  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#openTimer);
    clearTimeout(this.#retryTimer);
  }

  #age(): void {
    this.#openTimer = undefined;
    if (this.#stopped || this.#open === undefined) return;
    // While others wait, one larger segment is as soon in the lake as many small ones.
    if (this.#full.length > 0)
      this.#openTimer = setTimeout(() => this.#age(), this.#options.sealAfterMs).unref();
    else this.#roll();
  }

  #roll(): void {
    clearTimeout(this.#openTimer);
    this.#openTimer = undefined;
    const segment = this.#open;
    if (segment === undefined || this.#stopped) return;
    this.#open = undefined;
    this.#full.push(segment);
    if (this.#heldBytes + segment.bytes > maxHeldBytes) segment.batches = segment.batches.map(letGo);
    if (isHeld(segment)) this.#heldBytes += segment.bytes;
    if (this.#full.length > maxWaiting) {
      const error = new JournalError(
        'unwritable',
        `${this.#full.length} segments wait for the evidence bucket; see to the bucket, its key and the role's rights, then start again`,
      );
      this.#options.onFatal(error);
    } else if (this.#retryTimer === undefined) void this.#start();
  }

  #start(): Promise<JournalError | undefined> {
    clearTimeout(this.#retryTimer);
    this.#retryTimer = undefined;
    if (this.#full.length === 0) return Promise.resolve(undefined);
    this.#sealing ??= this.#sealAll();
    return this.#sealing;
  }

  async #sealAll(): Promise<JournalError | undefined> {
    for (let segment = this.#full[0]; segment !== undefined; segment = this.#full[0]) {
      try {
        await this.#seal(segment);
      } catch (cause) {
        this.#sealing = undefined;
        return this.#failed(segment, cause);
      }
      this.#full.shift();
      if (isHeld(segment)) this.#heldBytes -= segment.bytes;
      this.#failures = 0;
      await this.#removeSealed(segment);
    }
    // In the same turn as the last look, so that what is added next starts anew.
    this.#sealing = undefined;
    return undefined;
  }

  async #seal(segment: Segment): Promise<void> {
    const { stream, evidence, onSealed } = this.#options;
    const { date, batches } = segment;
    let firstSeq = batches[0]?.firstSeq ?? 0;
    const lastSeq = batches.at(-1)?.lastSeq ?? 0;
    let content = await this.#contentOf(batches);
    let records = isHeld(segment) ? batches.flatMap(({ held }) => held?.records ?? []) : undefined;
    for (;;) {
      const sealedBytes = await putSegment(evidence, { stream, date, firstSeq }, content);
      const count = sealedBytes === content.length ? lastSeq - firstSeq + 1 : linesIn(content, sealedBytes);
      onSealed({
        date,
        firstSeq,
        lastSeq: firstSeq + count - 1,
        bytes: sealedBytes,
        records: records?.slice(0, count),
      });
      if (sealedBytes === content.length) return;
      content = content.subarray(sealedBytes);
      records = records?.slice(count);
      firstSeq += count;
    }
  }

  async #contentOf(batches: readonly SealableBatch[]): Promise<Buffer> {
    const { journal, stream } = this.#options;
    const contents: Buffer[] = [];
    for (const { firstSeq, held } of batches) {
      const content = held?.content ?? (await journal.get(batchKey(stream, firstSeq)));
      // Only whoever has taken the stream over and sealed it removes batches of this writer.
      if (content === undefined) throw fenced(stream, firstSeq);
      contents.push(content);
    }
    return Buffer.concat(contents);
  }

  #failed(segment: Segment, cause: unknown): JournalError {
    const { stream, onFatal, onFault, sealAfterMs } = this.#options;
    if (cause instanceof JournalError) {
      this.stop();
      onFatal(cause);
      return cause;
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error = new JournalError(
      'unsealed',
      `the records of ${stream} from number ${segment.batches[0]?.firstSeq} could not be moved to the evidence bucket (${reason}); they are safe in the journal bucket, and it will be tried again`,
      { cause },
    );
    const pauseMs = Math.min(longestPauseMs, sealAfterMs * 2 ** Math.min(this.#failures, 16));
    this.#failures += 1;
    if (!this.#stopped) this.#retryTimer = setTimeout(() => void this.#start(), pauseMs).unref();
    onFault(error);
    return error;
  }

  /** What cannot be removed now is removed with the next segment; and the bucket's objects expire. */
  async #removeSealed({ batches }: Segment): Promise<void> {
    const { stream, remover, keeps, onFault } = this.#options;
    const keys = batches
      .filter(({ firstSeq }) => !keeps(firstSeq))
      .map(({ firstSeq }) => batchKey(stream, firstSeq));
    this.#removable = [...this.#removable, ...keys].slice(-maxRemovable);
    if (this.#removable.length === 0) return;
    try {
      await remover.remove(this.#removable);
      this.#removable = [];
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      const message = `${this.#removable.length} batches of ${stream} are in the evidence bucket but could not be removed from the journal bucket (${reason}); it will be tried again, and they expire`;
      onFault(new JournalError('unsealed', message, { cause }));
    }
  }
}

function isHeld({ batches }: Segment): boolean {
  return batches.every(({ held }) => held !== undefined);
}

function letGo(batch: SealableBatch): SealableBatch {
  const { held: _, ...rest } = batch;
  return rest;
}

function linesIn(content: Buffer, end: number): number {
  let lines = 0;
  for (let at = content.indexOf(0x0a); at !== -1 && at < end; at = content.indexOf(0x0a, at + 1)) lines += 1;
  return lines;
}
