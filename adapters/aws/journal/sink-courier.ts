import { setTimeout as delay } from 'node:timers/promises';
import type { AuditRecord, BlobStore, ControlStore, EventSink, StreamName } from '#core/contract';
import { JournalError } from '#core/journal';
import { listSealedSegments, sealedRecords } from './sealed-segments.ts';
import type { SealedRecords } from './segment-sealer.ts';

export type SinkCourierOptions = {
  readonly sink: EventSink;
  readonly stream: StreamName;
  readonly evidence: BlobStore;
  readonly control: ControlStore;
  readonly now: () => number;
  /** No record of the stream is older. */
  readonly startedAtMs: number;
  /** chainSeq of the last record that the sink has; 0 where it has none. */
  readonly deliveredSeq: number;
  /** The first records that are not sealed yet have this number. */
  readonly sealedSeq: number;
  /** How long a sink may fail before it is told. */
  readonly maxLagMs: number;
  readonly onFault: (error: JournalError) => void;
};

type Waiting = SealedRecords & { readonly records: readonly AuditRecord[] };

const maxWaiting = 16;
const maxWaitingBytes = 8 << 20;
const firstPauseMs = 500;
const longestPauseMs = 60_000;
/** Where nothing was delivered for so long, nobody will ask. */
const positionLifetimeMs = 30 * 86_400_000;

export function deliveryId(sink: string, stream: StreamName): string {
  return `${sink}:${stream}`;
}

/**
 * Brings what is sealed to one sink, in order, and remembers how far it has got. A sink that fails is tried again for ever;
 * meanwhile only a few segments are held, and the others are read from the lake when their turn comes.
 */
export class SinkCourier {
  readonly #options: SinkCourierOptions;
  readonly #stop = new AbortController();
  #waiting: Waiting[] = [];
  #waitingBytes = 0;
  #sealedSeq: number;
  #deliveredSeq: number;
  #savedSeq: number;
  #failures = 0;
  #failingSinceMs: number | undefined;
  #lastError: Error | undefined;
  #running: Promise<void> | undefined;

  constructor(options: SinkCourierOptions) {
    this.#options = options;
    this.#sealedSeq = options.sealedSeq;
    this.#deliveredSeq = options.deliveredSeq;
    this.#savedSeq = options.deliveredSeq;
    this.#start();
  }

  /** Why the last try failed, while there is something that the sink has not had. */
  get failure(): Error | undefined {
    return this.#done() ? undefined : (this.#lastError ?? new Error('it did not answer in time'));
  }

  offer(sealed: SealedRecords): void {
    const { records, bytes, lastSeq } = sealed;
    const end = this.#waiting.at(-1)?.lastSeq ?? this.#sealedSeq;
    const follows = sealed.firstSeq === end + 1;
    const room = this.#waiting.length < maxWaiting && this.#waitingBytes + bytes <= maxWaitingBytes;
    if (records !== undefined && follows && room) {
      this.#waiting.push({ ...sealed, records });
      this.#waitingBytes += bytes;
    }
    this.#sealedSeq = Math.max(this.#sealedSeq, lastSeq);
    this.#start();
  }

  /** Resolves when the sink has everything that was offered, or the time is over. */
  async settle(deadlineMs: number): Promise<void> {
    const over = new AbortController();
    const deadline = delay(deadlineMs, undefined, { signal: over.signal }).catch(() => undefined);
    await Promise.race([this.#running, deadline]);
    over.abort();
  }

  /** Ends the tries. What a sink does with a delivery that is on its way is its own. */
  stop(): void {
    this.#stop.abort();
  }

  #done(): boolean {
    return this.#deliveredSeq >= this.#sealedSeq && this.#savedSeq >= this.#deliveredSeq;
  }

  #start(): void {
    if (!this.#done()) this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#done() && !this.#stop.signal.aborted) {
      try {
        if (this.#savedSeq < this.#deliveredSeq) await this.#savePosition();
        else await this.#deliverNext();
        this.#failures = 0;
        this.#failingSinceMs = undefined;
      } catch (error) {
        this.#failed(error instanceof Error ? error : new Error(String(error)));
        const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** Math.min(this.#failures, 16));
        this.#failures += 1;
        // Rejects at a stop alone, which the loop looks for.
        await delay(pauseMs, undefined, { ref: false, signal: this.#stop.signal }).catch(() => undefined);
      }
    }
    // In the same turn as the last look, so that what is offered next starts anew.
    this.#running = undefined;
  }

  async #deliverNext(): Promise<void> {
    const [next] = this.#waiting;
    if (next === undefined || next.firstSeq > this.#deliveredSeq + 1) {
      await this.#deliverFromLake((next?.firstSeq ?? this.#sealedSeq + 1) - 1);
      return;
    }
    await this.#deliver(next.records, next.lastSeq);
    this.#waiting.shift();
    this.#waitingBytes -= next.bytes;
  }

  /** Delivers one segment of what lies in the lake and is not held. */
  async #deliverFromLake(untilSeq: number): Promise<void> {
    const { evidence, stream, startedAtMs, now, onFault } = this.#options;
    const segments = await listSealedSegments(evidence, stream, { firstMs: startedAtMs, lastMs: now() });
    const wanted = segments.filter(
      ({ firstSeq }, index) =>
        firstSeq <= untilSeq && (segments[index + 1]?.firstSeq ?? Infinity) > this.#deliveredSeq + 1,
    );
    if (wanted.length === 0) throw new Error(`the segments up to number ${untilSeq} are not in the lake`);
    for (const segment of wanted) {
      const { records, lines } = await sealedRecords(evidence, segment);
      const lastSeq = segment.firstSeq + lines - 1;
      if (records.length < lines) {
        const message = `${lines - records.length} records of ${stream} were written by a later version and cannot be delivered to ${this.#options.sink.name}; they are in the lake`;
        onFault(new JournalError('undelivered', message));
      }
      if (lastSeq > this.#deliveredSeq) await this.#deliver(records, lastSeq);
      await this.#savePosition();
      if (this.#stop.signal.aborted) return;
    }
  }

  async #deliver(records: readonly AuditRecord[], lastSeq: number): Promise<void> {
    const fresh = records.filter(
      ({ additionalEventData }) => Number(additionalEventData['chainSeq']) > this.#deliveredSeq,
    );
    if (fresh.length > 0) await this.#options.sink.deliver(fresh);
    this.#deliveredSeq = Math.max(this.#deliveredSeq, lastSeq);
  }

  /** Never goes back: another who delivers the same stream may be further. */
  async #savePosition(): Promise<void> {
    const { control, sink, stream, now } = this.#options;
    const id = deliveryId(sink.name, stream);
    const seq = this.#deliveredSeq;
    const saved = await control.get('delivery', id);
    if (saved === undefined || saved.data.seq < seq) {
      const data = { sink: sink.name, stream, seq, atMs: now() };
      const condition =
        saved === undefined
          ? ({ kind: 'absent' } as const)
          : ({ kind: 'version', version: saved.version } as const);
      const version = await control.put('delivery', id, data, condition, now() + positionLifetimeMs);
      if (version === undefined && ((await control.get('delivery', id))?.data.seq ?? 0) < seq)
        throw new Error(`the position of ${sink.name} in ${stream} was changed by another`);
    }
    this.#savedSeq = Math.max(this.#savedSeq, seq);
  }

  #failed(error: Error): void {
    const { sink, stream, maxLagMs, now, onFault } = this.#options;
    this.#lastError = error;
    const atMs = now();
    this.#failingSinceMs ??= atMs;
    if (atMs - this.#failingSinceMs < maxLagMs) return;
    this.#failingSinceMs = atMs;
    onFault(
      new JournalError(
        'undelivered',
        `${sink.name} has not had the records of ${stream} from number ${this.#deliveredSeq + 1} for ${Math.round(maxLagMs / 1000)} s (${error.message}); they are in the lake, and it is tried again`,
        { cause: error },
      ),
    );
  }
}
