import type { ChainPosition, LinkedRecord } from '#core/chain';
import type {
  AuditDraft,
  AuditRecord,
  AuditWriter,
  BlobStore,
  ControlStore,
  EventOrigin,
  EventSink,
  Journal,
  StreamName,
} from '#core/contract';
import {
  dayOf,
  JournalError,
  journalClosed,
  linkDraft,
  type OpenSessions,
  type RecordListeners,
  recordListeners,
  streamStart,
  trackOpenSessions,
} from '#core/journal';
import type { BlobRemover } from '../s3/index.ts';
import { BatchLoop, type DurableBatch } from './batch-loop.ts';
import { putBatch } from './batch-store.ts';
import { type SealableBatch, SegmentSealer } from './segment-sealer.ts';
import { deliveryId, SinkCourier } from './sink-courier.ts';
import { registerWriter, type WriterRegistration } from './writer-registration.ts';

/** The stores of a stream. */
export type StreamStores = {
  /** The journal bucket, */
  readonly journal: BlobStore;
  /** and what removes from it. */
  readonly remover: BlobRemover;
  readonly evidence: BlobStore;
  readonly control: ControlStore;
};

export type AppendOptions = StreamStores & {
  readonly stream: StreamName;
  readonly origin: EventOrigin;
  /** Of whoever appends. */
  readonly proxyId: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly sinks: readonly EventSink[];
  /** A segment goes to the lake this long after its first record, 4 s unless told, */
  readonly sealAfterMs?: number;
  /** or when it has this many bytes, 256 KiB unless told. */
  readonly sealAfterBytes?: number;
  /** How long a sink may fail before `onFault` is told, 60 s unless told. */
  readonly maxLagMs?: number;
  /** How long `close` waits for the sinks, 10 s unless told. */
  readonly closeWithinMs?: number;
  /**
   * `unwritable`, `fenced`: the journal takes no more. `unsealed`, `undelivered`: records wait, and it is tried again.
   * `damaged`: the lake holds something else than was written. Others: what a listener threw.
   */
  readonly onFault: (error: Error) => void;
};

export type ObjectJournalOptions = AppendOptions & {
  /** ARN of the Fargate task, where there is one. */
  readonly task?: string;
  readonly role: AuditWriter['role'];
  /** How often the writer says that it lives, 10 s unless told. */
  readonly heartbeatMs?: number;
  /** The journal stops when it could not say so for this long, 60 s unless told: at 90 s the stream is taken over. */
  readonly silenceMs?: number;
};

export type OpenedObjectJournal = Journal & {
  /** Resolves when everything recorded before is in the lake. */
  sealNow(): Promise<void>;
};

/** What an appender begins with. */
export type Tenure = {
  readonly position: ChainPosition;
  /** No record of the stream is older. */
  readonly startedAtMs: number;
  /** Batches that are durable and not in the lake yet, in order. */
  readonly unsealed: readonly SealableBatch[];
  /** By the sinks' names; 0 where there is none. */
  readonly delivered: ReadonlyMap<string, number>;
  readonly put: (firstSeq: number, content: Buffer) => Promise<void>;
  /** Whether a batch stays in the journal bucket, so that its key stays taken. */
  readonly keeps: (firstSeq: number) => boolean;
  /** The last thing before the stream is left: nobody may append after. */
  readonly end?: (position: ChainPosition) => Promise<void>;
  readonly register?: (journal: ObjectJournal) => Promise<WriterRegistration>;
};

const defaultSealAfterMs = 4000;
const defaultSealAfterBytes = 256 << 10;
const maxSealAfterBytes = 4 << 20;
const defaultMaxLagMs = 60_000;
const defaultCloseWithinMs = 10_000;
const defaultHeartbeatMs = 10_000;
const defaultSilenceMs = 60_000;

/**
 * The journal of a new stream over object stores. A record is acknowledged when its batch is in the journal bucket; from
 * there records go in compressed segments to the evidence bucket, and then to the sinks.
 *
 * @throws JournalError `locked` where the stream has a writer
 */
export async function openObjectJournal(options: ObjectJournalOptions): Promise<OpenedObjectJournal> {
  const { control, stream, proxyId, task, role, now } = options;
  const startedAtMs = now();
  const writer = {
    stream,
    proxyId,
    ...(task === undefined ? {} : { task }),
    role,
    startedAtMs,
    heardAtMs: startedAtMs,
  };
  return startObjectJournal(options, {
    position: streamStart(stream),
    startedAtMs,
    unsealed: [],
    delivered: new Map(),
    put: (firstSeq, content) => putBatch(options.journal, stream, firstSeq, content),
    // So nobody begins a stream of this name again.
    keeps: (firstSeq) => firstSeq === 1,
    register: (journal) =>
      registerWriter({
        control,
        writer,
        now,
        heartbeatMs: options.heartbeatMs ?? defaultHeartbeatMs,
        silenceMs: options.silenceMs ?? defaultSilenceMs,
        openSinceSeq: () => journal.openSinceSeq,
        nextSeq: () => journal.nextSeq,
        onLost: (error) => journal.abandon(error),
      }),
  });
}

export async function startObjectJournal(options: AppendOptions, tenure: Tenure): Promise<ObjectJournal> {
  const journal = new ObjectJournal(options, tenure);
  await journal.register();
  return journal;
}

export class ObjectJournal implements OpenedObjectJournal {
  readonly #options: AppendOptions;
  readonly #tenure: Tenure;
  readonly #loop: BatchLoop;
  readonly #sealer: SegmentSealer;
  readonly #couriers: readonly SinkCourier[];
  readonly #openSessions: OpenSessions = trackOpenSessions([]);
  readonly #listeners: RecordListeners;
  #position: ChainPosition;
  #registration: WriterRegistration | undefined;
  #closing: Promise<readonly string[]> | undefined;

  constructor(options: AppendOptions, tenure: Tenure) {
    const { stream, journal, remover, evidence, control, now, sinks, onFault } = options;
    const sealAfterBytes = Math.min(options.sealAfterBytes ?? defaultSealAfterBytes, maxSealAfterBytes);
    this.#options = options;
    this.#tenure = tenure;
    this.#position = tenure.position;
    this.#listeners = recordListeners(onFault);
    this.#loop = new BatchLoop({
      put: tenure.put,
      onDurable: (batch) => this.#durable(batch),
      onFault: (error) => this.#stopped(error),
    });
    this.#sealer = new SegmentSealer({
      stream,
      journal,
      remover,
      evidence,
      sealAfterMs: options.sealAfterMs ?? defaultSealAfterMs,
      sealAfterBytes,
      keeps: tenure.keeps,
      onSealed: (sealed) => {
        for (const courier of this.#couriers) courier.offer(sealed);
      },
      onFault,
      onFatal: (error) => this.abandon(error),
    });
    const sealedSeq = (tenure.unsealed[0]?.firstSeq ?? tenure.position.seq) - 1;
    this.#couriers = sinks.map(
      (sink) =>
        new SinkCourier({
          sink,
          stream,
          evidence,
          control,
          now,
          startedAtMs: tenure.startedAtMs,
          deliveredSeq: tenure.delivered.get(sink.name) ?? 0,
          sealedSeq,
          maxLagMs: options.maxLagMs ?? defaultMaxLagMs,
          onFault,
        }),
    );
    for (const batch of tenure.unsealed) this.#sealer.add(batch);
  }

  /** No session that began before the record of this number is open. */
  get openSinceSeq(): number {
    return this.#openSessions.oldestSeq();
  }

  get nextSeq(): number {
    return this.#position.seq;
  }

  async register(): Promise<void> {
    this.#registration = await this.#tenure.register?.(this);
  }

  record(draft: AuditDraft): Promise<AuditRecord> {
    return new Promise((durable, failed) => {
      const fault = this.#closing === undefined ? this.#loop.fault : journalClosed();
      if (fault !== undefined) {
        failed(fault);
        return;
      }
      const ingestTimeMs = this.#options.now();
      let linked: LinkedRecord;
      try {
        linked = linkDraft(this.#position, draft, ingestTimeMs, this.#options);
      } catch (error) {
        failed(error);
        return;
      }
      const { seq, stream } = this.#position;
      this.#position = { stream, seq: seq + 1, previousHash: linked.hash };
      this.#loop.append({
        record: linked.record,
        seq,
        bytes: Buffer.from(`${linked.line}\n`, 'utf8'),
        date: dayOf(ingestTimeMs),
        durable,
        failed,
      });
    });
  }

  subscribe(listener: (record: AuditRecord) => void): () => void {
    return this.#listeners.subscribe(listener);
  }

  async sealNow(): Promise<void> {
    if (this.#closing !== undefined) throw journalClosed();
    await this.#settle();
  }

  async close(): Promise<void> {
    const { stream, onFault } = this.#options;
    let undelivered: readonly string[] = [];
    try {
      undelivered = await this.finish();
    } catch (error) {
      // That one was reported, and whoever takes the stream over does the rest.
      if (error !== this.#loop.fault) throw error;
    }
    for (const reason of undelivered)
      onFault(
        new JournalError(
          'undelivered',
          `${reason}; the records of ${stream} are in the lake, and the seal function delivers them`,
        ),
      );
  }

  /**
   * Seals what is open and stops. Gives what the sinks that have not had everything say.
   * @throws the fault that stopped the journal before
   */
  finish(): Promise<readonly string[]> {
    this.#closing ??= this.#finish();
    return this.#closing;
  }

  /** Stops, and leaves the stream as it is to whoever goes on with it. */
  leave(): void {
    this.#closing ??= Promise.resolve([]);
    this.#sealer.stop();
    for (const courier of this.#couriers) courier.stop();
  }

  /** Takes no more: another is the writer now, or soon. */
  abandon(error: JournalError): void {
    if (error.code === 'damaged') this.#options.onFault(error);
    this.#loop.stop(
      error.code === 'damaged' ? new JournalError('unwritable', error.message, { cause: error }) : error,
    );
  }

  async #finish(): Promise<readonly string[]> {
    const { control, stream, sinks, closeWithinMs = defaultCloseWithinMs } = this.#options;
    try {
      await this.#loop.written();
      await this.#tenure.end?.(this.#position);
      await this.#settle();
      await Promise.all(this.#couriers.map((courier) => courier.settle(closeWithinMs)));
    } finally {
      this.#sealer.stop();
      for (const courier of this.#couriers) courier.stop();
      await this.#registration?.stop();
    }
    const undelivered = this.#couriers.flatMap(({ failure }, index) =>
      failure === undefined ? [] : [`${sinks[index]?.name} has not had everything (${failure.message})`],
    );
    if (undelivered.length > 0) return undelivered;
    // In this order: positions without a writer are forgotten, a writer without positions would have everything delivered again.
    await control.delete('writer', stream);
    for (const { name } of sinks) await control.delete('delivery', deliveryId(name, stream));
    return [];
  }

  async #settle(): Promise<void> {
    await this.#loop.written();
    await this.#sealer.settle();
  }

  #durable({ content, records, ...batch }: DurableBatch): void {
    this.#openSessions.note(records);
    this.#listeners.tell(records);
    this.#sealer.add({ ...batch, bytes: content.length, held: { content, records } });
  }

  #stopped(error: JournalError): void {
    this.#sealer.stop();
    for (const courier of this.#couriers) courier.stop();
    // It has nothing left to say: whoever seals the stream is to find it silent.
    void this.#registration?.stop();
    this.#options.onFault(error);
  }
}
