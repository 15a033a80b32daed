import type { AuditRecord } from '#core/contract';
import { JournalError } from '#core/journal';

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

/** Records that are durable together, all of one day. */
export type DurableBatch = {
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly date: string;
  readonly content: Buffer;
  readonly records: readonly AuditRecord[];
};

export type BatchLoopOptions = {
  /** Makes the content durable as the batch that begins with this number. @throws JournalError `fenced` */
  readonly put: (firstSeq: number, content: Buffer) => Promise<void>;
  /** Called in order, before the promises of the records resolve. */
  readonly onDurable: (batch: DurableBatch) => void;
  readonly onFault: (error: JournalError) => void;
};

type Waiter = {
  readonly seq: number;
  readonly resolve: () => void;
  readonly reject: (fault: JournalError) => void;
};

/** More than a gateway with ten thousand sessions has on its way when the store stalls for seconds. */
const maxQueued = 65_536;
const maxQueuedBytes = 64 << 20;
const maxBatchBytes = 1 << 20;

/**
 * Puts records in the order of the calls, one batch at a time: those that arrive while a put is on its way form the next
 * batch. After the first failure nothing more is put or acknowledged.
 */
export class BatchLoop {
  readonly #options: BatchLoopOptions;
  #queue: Append[] = [];
  #queuedBytes = 0;
  #underWay: readonly Append[] = [];
  #waiters: Waiter[] = [];
  #running = false;
  #fault: JournalError | undefined;

  constructor(options: BatchLoopOptions) {
    this.#options = options;
  }

  get fault(): JournalError | undefined {
    return this.#fault;
  }

  append(append: Append): void {
    if (this.#fault !== undefined) {
      append.failed(this.#fault);
      return;
    }
    this.#queue.push(append);
    this.#queuedBytes += append.bytes.length;
    if (this.#queue.length > maxQueued || this.#queuedBytes > maxQueuedBytes) {
      this.stop(unwritable(new Error(`${this.#queue.length} records wait for the store`)));
      return;
    }
    if (!this.#running) void this.#run();
  }

  /** Resolves when everything that was appended before is durable. @throws the fault */
  written(): Promise<void> {
    if (this.#fault !== undefined) return Promise.reject(this.#fault);
    const last = this.#queue.at(-1) ?? this.#underWay.at(-1);
    if (last === undefined) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ seq: last.seq, resolve, reject }));
  }

  /** Takes no more, and answers everything that waits. What is on its way may still become durable. */
  stop(fault: JournalError): void {
    if (this.#fault !== undefined) return;
    this.#fault = fault;
    const waiting = [...this.#underWay, ...this.#queue];
    this.#queue = [];
    this.#queuedBytes = 0;
    for (const { failed } of waiting) failed(fault);
    for (const { reject } of this.#waiters.splice(0)) reject(fault);
    this.#options.onFault(fault);
  }

  async #run(): Promise<void> {
    this.#running = true;
    // Lets calls of the same turn share the first put.
    await Promise.resolve();
    for (let first = this.#queue[0]; first !== undefined; first = this.#queue[0]) {
      const batch = this.#takeBatch(first.date);
      this.#underWay = batch;
      try {
        const content = Buffer.concat(batch.map(({ bytes }) => bytes));
        await this.#options.put(first.seq, content);
        // Nobody is told of what has been answered as failed.
        if (this.#fault === undefined) this.#acknowledge(first, batch, content);
      } catch (error) {
        this.stop(error instanceof JournalError ? error : unwritable(error));
      } finally {
        this.#underWay = [];
      }
    }
    // In the same turn as the last look, so that what comes next starts anew.
    this.#running = false;
  }

  #acknowledge({ seq, date }: Append, batch: readonly Append[], content: Buffer): void {
    const records = batch.map(({ record }) => record);
    this.#underWay = [];
    const lastSeq = seq + batch.length - 1;
    this.#options.onDurable({ firstSeq: seq, lastSeq, date, content, records });
    for (const { durable, record } of batch) durable(record);
    while ((this.#waiters[0]?.seq ?? Infinity) <= lastSeq) this.#waiters.shift()?.resolve();
  }

  #takeBatch(date: string): readonly Append[] {
    const batch: Append[] = [];
    let bytes = 0;
    for (const item of this.#queue) {
      if (item.date !== date) break;
      bytes += item.bytes.length;
      if (batch.length > 0 && bytes > maxBatchBytes) break;
      batch.push(item);
      this.#queuedBytes -= item.bytes.length;
    }
    this.#queue.splice(0, batch.length);
    return batch;
  }
}

function unwritable(cause: unknown): JournalError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new JournalError(
    'unwritable',
    `the audit journal cannot be written (${reason}); see to the journal bucket, its key and the role's rights, then start again`,
    { cause },
  );
}
