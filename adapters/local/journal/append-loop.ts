import { join } from 'node:path';
import type { AuditRecord } from '#core/contract';
import { JournalError } from '#core/journal';
import { syncFolder } from './confined-files.ts';
import type { FullSegment } from './seal-segment.ts';
import { openSegmentName } from './segment-files.ts';

/** What the journal needs of a file that it appends to; a FileHandle is one. */
export type AppendFile = {
  write(bytes: Uint8Array, offset: number, length: number): Promise<{ readonly bytesWritten: number }>;
  datasync(): Promise<void>;
  truncate(length: number): Promise<void>;
  close(): Promise<void>;
};

export type Append = {
  readonly record: AuditRecord;
  readonly seq: number;
  /** The record's line with its line feed. */
  readonly bytes: Buffer;
  /** UTC day of ingestion. */
  readonly date: string;
  readonly durable: (record: AuditRecord) => void;
  readonly failed: (error: JournalError) => void;
};

type Roll = { readonly rolled: () => void; readonly failed: (error: JournalError) => void };

export type AppendLoopOptions = {
  /** The stream's folder in the journal. */
  readonly folder: string;
  readonly stream: string;
  readonly createFile: (path: string) => Promise<AppendFile>;
  readonly maxSegmentBytes: number;
  /** Called in order after records became durable, before their promises resolve. */
  readonly onDurable: (records: readonly AuditRecord[]) => void;
  readonly onSegmentOpened: (firstSeq: number) => void;
  readonly onSegmentFull: (segment: FullSegment) => void;
  readonly onFault: (error: JournalError) => void;
};

type Segment = {
  readonly file: AppendFile;
  readonly path: string;
  readonly firstSeq: number;
  readonly date: string;
  /** Bytes that are durable. */
  size: number;
};

/** More than a gateway with ten thousand sessions has on its way when a disk stalls for seconds. */
const maxQueued = 65_536;
const maxQueuedBytes = 64 << 20;
const maxBatchBytes = 1 << 20;

/**
 * Writes records in the order of the calls. Those that arrive while the disk syncs share the next sync. After the first
 * failure nothing more is written or acknowledged.
 */
export class AppendLoop {
  readonly #options: AppendLoopOptions;
  #queue: (Append | Roll)[] = [];
  #queuedBytes = 0;
  #segment: Segment | undefined;
  #running: Promise<void> | undefined;
  #fault: JournalError | undefined;

  constructor(options: AppendLoopOptions) {
    this.#options = options;
  }

  get fault(): JournalError | undefined {
    return this.#fault;
  }

  get openFirstSeq(): number | undefined {
    return this.#segment?.firstSeq;
  }

  append(append: Append): void {
    if (this.#fault !== undefined) {
      append.failed(this.#fault);
      return;
    }
    this.#queue.push(append);
    this.#queuedBytes += append.bytes.length;
    if (this.#queue.length > maxQueued || this.#queuedBytes > maxQueuedBytes)
      this.#stop(new Error(`${this.#queue.length} records wait for the disk`), []);
    this.#start();
  }

  /** Ends the open segment, if there is one, after everything that was appended before. */
  roll(): Promise<void> {
    return new Promise((rolled, failed) => {
      if (this.#fault !== undefined) {
        failed(this.#fault);
        return;
      }
      this.#queue.push({ rolled, failed });
      this.#start();
    });
  }

  /** Resolves when nothing is being written. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  #start(): void {
    if (this.#running !== undefined) return;
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
      if (this.#queue.length > 0) this.#start();
    });
  }

  async #run(): Promise<void> {
    // Lets calls of the same turn share the first sync.
    await Promise.resolve();
    let batch: readonly Append[] = [];
    try {
      for (let next = this.#queue[0]; next !== undefined; next = this.#queue[0]) {
        if ('rolled' in next) {
          await this.#roll();
          this.#queue.shift();
          next.rolled();
          continue;
        }
        batch = this.#takeBatch(next.date);
        await this.#write(batch, next);
        this.#options.onDurable(batch.map(({ record }) => record));
        for (const { durable, record } of batch) durable(record);
        batch = [];
      }
    } catch (error) {
      this.#stop(error, batch);
    }
    if (this.#fault !== undefined) await this.#abandonSegment();
  }

  #takeBatch(date: string): Append[] {
    const batch: Append[] = [];
    let bytes = 0;
    for (const item of this.#queue) {
      if ('rolled' in item || item.date !== date) break;
      bytes += item.bytes.length;
      if (batch.length > 0 && bytes > maxBatchBytes) break;
      batch.push(item);
      this.#queuedBytes -= item.bytes.length;
    }
    this.#queue.splice(0, batch.length);
    return batch;
  }

  async #write(batch: readonly Append[], { date, seq }: Append): Promise<void> {
    const bytes =
      batch.length === 1 && batch[0] ? batch[0].bytes : Buffer.concat(batch.map((item) => item.bytes));
    const open = this.#segment;
    if (
      open !== undefined &&
      (open.date !== date || open.size + bytes.length > this.#options.maxSegmentBytes)
    )
      await this.#roll();
    this.#segment ??= await this.#openSegment(seq, date);
    const segment = this.#segment;
    for (let written = 0; written < bytes.length; ) {
      const { bytesWritten } = await segment.file.write(bytes, written, bytes.length - written);
      if (bytesWritten === 0) throw new Error('the disk took no bytes');
      written += bytesWritten;
    }
    await segment.file.datasync();
    segment.size += bytes.length;
  }

  async #openSegment(firstSeq: number, date: string): Promise<Segment> {
    const path = join(this.#options.folder, openSegmentName(firstSeq));
    const file = await this.#options.createFile(path);
    const segment = { file, path, firstSeq, date, size: 0 };
    this.#segment = segment;
    await syncFolder(this.#options.folder);
    this.#options.onSegmentOpened(firstSeq);
    return segment;
  }

  async #roll(): Promise<void> {
    const segment = this.#segment;
    if (segment === undefined) return;
    this.#segment = undefined;
    await segment.file.close();
    const { path, firstSeq, date } = segment;
    this.#options.onSegmentFull({ path, firstSeq, date, stream: this.#options.stream });
  }

  /** Answers everything that waits, `unwritten` first. */
  #stop(cause: unknown, unwritten: readonly Append[]): void {
    if (this.#fault !== undefined) {
      for (const { failed } of unwritten) failed(this.#fault);
      return;
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    const fault = new JournalError(
      'unwritable',
      `the audit journal in ${this.#options.folder} cannot be written (${reason}); make room or mend the disk`,
      { cause },
    );
    this.#fault = fault;
    const waiting = [...unwritten, ...this.#queue];
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { failed } of waiting) failed(fault);
    this.#options.onFault(fault);
  }

  /** Takes back what was written and not acknowledged. Where that fails too, the next opening cuts off what is torn. */
  async #abandonSegment(): Promise<void> {
    const segment = this.#segment;
    if (segment === undefined) return;
    this.#segment = undefined;
    const { file, size } = segment;
    await Promise.allSettled([file.truncate(size).then(() => file.datasync())]);
    await Promise.allSettled([file.close()]);
  }
}
