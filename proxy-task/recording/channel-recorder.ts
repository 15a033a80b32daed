import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type CastEncoder,
  type CastInput,
  type ChunkTimes,
  castHeader,
  createCastEncoder,
  type PutOnRecord,
  RecorderError,
  type RecordingChunk,
  recordingId,
  recordingPrefix,
  type SpoolHead,
  type StoredRecording,
  storeChunk,
  storeManifest,
} from '#core/recording';
import { OutputBuffer, type TimedEvent } from './output-buffer.ts';
import type { ChannelRecorder, RecorderShared, RecordingExit, RecordingStart } from './recorder.ts';

const coalesceMs = 5;
/** Output that waits to be encoded: from here a slice is due, from there it is encoded inside `output` (which is the brake). */
const sliceDueBytes = 16 * 1024;
const inlineBytes = 1024 * 1024;
const maxWaitingEvents = 8192;
/** Encoded in one turn of the event loop. */
const sliceBytes = 256 * 1024;
/** A write costs a few turns whatever its size, so beyond this backlog one takes more than a chunk's worth. */
const loadedBytes = 1024 * 1024;
const loadedWriteBytes = 4 * 1024 * 1024;
/** What an event other than output counts for against the limit of a recording. */
const eventBytes = 64;

/** RFC 4254 §6.10 names with the numbers shells report them by (128 + number). */
const signalNumbers: ReadonlyMap<string, number> = new Map([
  ['HUP', 1],
  ['INT', 2],
  ['QUIT', 3],
  ['ILL', 4],
  ['ABRT', 6],
  ['FPE', 8],
  ['KILL', 9],
  ['USR1', 10],
  ['SEGV', 11],
  ['USR2', 12],
  ['PIPE', 13],
  ['ALRM', 14],
  ['TERM', 15],
]);

type EncodedText = { readonly text: Buffer; readonly firstMs: number; readonly lastMs: number };
type OpenChunk = {
  readonly number: number;
  bytes: number;
  openedAtMs: number;
  firstMs: number;
  lastMs: number;
};

export function startChannelRecorder(shared: RecorderShared, start: RecordingStart): ChannelRecorder {
  return new ChannelRecording(shared, start);
}

/**
 * The way of a byte: `output` copies it into the buffer; a slice, in a turn of its own, encodes it to `encoded`; the writer
 * appends that to the open chunk in the spool; a chunk that is full or old is closed, and the sealer compresses and stores it and
 * removes it from the spool. Writer and sealer are one async loop each, so order needs no locks.
 */
class ChannelRecording implements ChannelRecorder {
  readonly #shared: RecorderShared;
  readonly #start: RecordingStart;
  readonly #head: SpoolHead;
  readonly #prefix: string;
  readonly #maxBytes: number;
  readonly #encoder: CastEncoder;
  readonly #buffer: OutputBuffer;
  #encoded: EncodedText[] = [];
  #encodedBytes = 0;
  #chunk: OpenChunk = emptyChunk(0);
  #closed: ChunkTimes[] = [];
  readonly #stored: RecordingChunk[] = [];
  #recordedBytes = 0;
  #reachedMs = 0;
  #truncated = false;
  #closeWanted = false;
  #fault: RecorderError | undefined;
  #spoolFailed = false;
  #begun: Promise<void>;
  #writing: Promise<void> | undefined;
  #sealing: Promise<void> | undefined;
  #sliceDue = false;
  #timer: NodeJS.Timeout | undefined;
  #finishing: Promise<StoredRecording> | undefined;

  constructor(shared: RecorderShared, start: RecordingStart) {
    const { sessionId, channel, kind, columns, rows, term, command } = start;
    const startedAtMs = Math.floor(shared.now());
    this.#shared = shared;
    this.#start = start;
    this.#head = {
      sessionId,
      channel,
      kind,
      startedAtMs,
      columns,
      rows,
      term: term.slice(0, 64),
      command: command?.slice(0, 4096),
    };
    this.#prefix = recordingPrefix(startedAtMs, sessionId, channel);
    this.#maxBytes = kind === 'shell' ? shared.limits.maxShellBytes : shared.limits.maxExecBytes;
    this.#encoder = createCastEncoder(castHeader(this.#head));
    this.#buffer = new OutputBuffer(shared.pool, coalesceMs);
    this.#keep(this.#encoder.header);
    this.#begun = shared.spool.begin(this.#head).catch((cause: unknown) => this.#fail(spoolError(cause)));
    this.#arm();
  }

  output(data: Uint8Array, stream: 'stdout' | 'stderr'): void {
    if (!this.#recording() || data.length === 0) return;
    const room = Math.max(0, this.#maxBytes - this.#recordedBytes);
    const kept = data.length <= room ? data : data.subarray(0, room);
    this.#recordedBytes += kept.length;
    this.#buffer.appendOutput(this.#elapsedMs(), stream, kept);
    if (kept.length < data.length) this.#truncate();
    this.#moreToEncode();
  }

  resize(columns: number, rows: number): void {
    this.#event({ code: 'r', columns, rows });
  }

  marker(label: string): void {
    this.#event({ code: 'm', label });
  }

  finish(exit?: RecordingExit, putOnRecord?: PutOnRecord): Promise<StoredRecording> {
    this.#finishing ??= this.#finish(exit, putOnRecord);
    return this.#finishing;
  }

  #event(event: CastInput): void {
    if (!this.#recording()) return;
    this.#recordedBytes += eventBytes;
    this.#buffer.appendEvent(this.#elapsedMs(), event);
    if (this.#recordedBytes > this.#maxBytes) this.#truncate();
    this.#moreToEncode();
  }

  #recording(): boolean {
    return !this.#truncated && !this.#spoolFailed && this.#finishing === undefined;
  }

  /** Stands still while the clock is behind. */
  #elapsedMs(): number {
    this.#reachedMs = Math.max(this.#reachedMs, this.#shared.now() - this.#head.startedAtMs);
    return this.#reachedMs;
  }

  #truncate(): void {
    this.#truncated = true;
    this.#buffer.appendEvent(this.#elapsedMs(), { code: 'truncated', afterBytes: this.#maxBytes });
  }

  #moreToEncode(): void {
    const { bytes, events } = this.#buffer;
    if (bytes >= inlineBytes || events >= maxWaitingEvents) this.#encodeSlice();
    else if (bytes >= sliceDueBytes && !this.#sliceDue) {
      this.#sliceDue = true;
      setImmediate(() => this.#slice());
    }
    this.#arm();
  }

  #slice(): void {
    this.#sliceDue = false;
    this.#encodeSlice();
    if (this.#buffer.bytes >= sliceDueBytes && !this.#spoolFailed) {
      this.#sliceDue = true;
      setImmediate(() => this.#slice());
    }
  }

  #encodeSlice(): void {
    const until = this.#buffer.bytes - sliceBytes;
    while (
      this.#buffer.takeOldest((events) => this.#encode(events)) &&
      this.#buffer.bytes > Math.max(0, until)
    );
    this.#write();
  }

  #encode(events: readonly TimedEvent[]): void {
    if (this.#spoolFailed) return;
    const firstMs = Math.max(this.#encoder.lastTimeMs, Math.round(events[0]?.atMs ?? 0));
    let lines = '';
    for (const { atMs, event } of events) lines += this.#encoder.encode(atMs, event);
    this.#keep(lines, firstMs);
  }

  #keep(lines: string, firstMs = 0): void {
    if (lines === '') return;
    const text = Buffer.from(lines, 'utf8');
    const lastMs = this.#encoder.lastTimeMs;
    this.#encoded.push({ text, firstMs: Math.min(firstMs, lastMs), lastMs });
    this.#encodedBytes += text.length;
    if (this.#encodedBytes > this.#shared.limits.maxBacklogBytes)
      this.#fail(
        new RecorderError(
          'backlog',
          `the recording of ${recordingId(this.#start.sessionId, this.#start.channel)} cannot be written as fast as output arrives; check the spool's disk`,
        ),
      );
  }

  /** One timer while there is something that must not stay in memory, or a chunk open. */
  #arm(): void {
    if (this.#timer !== undefined || this.#spoolFailed || this.#finishing !== undefined) return;
    this.#timer = setTimeout(() => this.#tick(), this.#shared.limits.flushMs).unref();
  }

  #tick(): void {
    this.#timer = undefined;
    while (this.#buffer.takeOldest((events) => this.#encode(events)));
    const age = this.#shared.now() - this.#chunk.openedAtMs;
    if (this.#chunk.bytes > 0 && age >= this.#shared.limits.chunkMs) this.#closeWanted = true;
    this.#write();
    if (this.#chunk.bytes > 0 || this.#encoded.length > 0 || this.#writing !== undefined) this.#arm();
  }

  #write(): void {
    if (this.#writing !== undefined || this.#spoolFailed) return;
    this.#writing = this.#writeAll()
      .catch((cause: unknown) => this.#fail(spoolError(cause)))
      .finally(() => {
        this.#writing = undefined;
        // What came between the last look and now.
        if (this.#encoded.length > 0 || this.#closeWanted) this.#write();
      });
  }

  async #writeAll(): Promise<void> {
    await this.#begun;
    while (this.#encoded.length > 0 && !this.#spoolFailed) {
      const batch = this.#takeBatch();
      if (this.#chunk.bytes === 0) {
        this.#chunk.openedAtMs = this.#shared.now();
        this.#chunk.firstMs = batch.firstMs;
      }
      await this.#shared.spool.append(this.#start, this.#chunk.number, batch.text);
      this.#encodedBytes -= batch.text.length;
      this.#chunk.bytes += batch.text.length;
      this.#chunk.lastMs = batch.lastMs;
      if (this.#chunk.bytes >= this.#shared.limits.chunkBytes) this.#closeChunk();
    }
    if (this.#closeWanted) this.#closeChunk();
  }

  #takeBatch(): EncodedText {
    const taken: Buffer[] = [];
    let bytes = 0;
    let firstMs: number | undefined;
    let lastMs = 0;
    const most = this.#encodedBytes > loadedBytes ? loadedWriteBytes : this.#shared.limits.chunkBytes;
    while (bytes < most) {
      const next = this.#encoded.shift();
      if (next === undefined) break;
      taken.push(next.text);
      bytes += next.text.length;
      firstMs ??= next.firstMs;
      lastMs = next.lastMs;
    }
    return { text: Buffer.concat(taken), firstMs: firstMs ?? lastMs, lastMs };
  }

  #closeChunk(): void {
    this.#closeWanted = false;
    if (this.#chunk.bytes === 0) return;
    const { number, firstMs, lastMs } = this.#chunk;
    this.#closed.push({ number, firstMs, lastMs });
    this.#chunk = emptyChunk(number + 1);
    this.#seal();
  }

  #seal(): void {
    if (this.#sealing !== undefined || this.#fault !== undefined) return;
    this.#sealing = this.#sealAll()
      .catch((cause: unknown) => this.#report(cause instanceof RecorderError ? cause : spoolError(cause)))
      .finally(() => {
        this.#sealing = undefined;
        if (this.#closed.length > 0) this.#seal();
      });
  }

  async #sealAll(): Promise<void> {
    for (let next = this.#closed.shift(); next !== undefined; next = this.#closed.shift()) {
      const times = next;
      await this.#shared.seal(async () => {
        const text = await this.#shared.spool.read(this.#start, times.number);
        this.#stored.push(await storeChunk(this.#shared.store, this.#prefix, text, times));
        await this.#shared.spool.remove(this.#start, times.number);
      });
    }
  }

  async #finish(
    exit: RecordingExit | undefined,
    putOnRecord: PutOnRecord | undefined,
  ): Promise<StoredRecording> {
    clearTimeout(this.#timer);
    const endMs = this.#elapsedMs();
    for (const event of exitEvents(exit)) this.#buffer.appendEvent(endMs, event);
    // `finish` returns before the first byte is encoded: it is called from the relay as well.
    do await nextTurn();
    while (this.#buffer.takeOldest((events) => this.#encode(events)));
    if (!this.#spoolFailed) this.#keep(this.#encoder.end(endMs), Math.round(endMs));
    await this.#writeRest();
    this.#closeChunk();
    while (this.#sealing !== undefined) await this.#sealing;
    if (this.#fault !== undefined) throw this.#fault;
    const stored = await this.#orReport(storeManifest(this.#shared.store, this.#manifest(endMs)));
    await putOnRecord?.(stored);
    await this.#orReport(this.#shared.spool.end(this.#start));
    return stored;
  }

  async #orReport<Result>(work: Promise<Result>): Promise<Result> {
    try {
      return await work;
    } catch (cause) {
      const error = cause instanceof RecorderError ? cause : spoolError(cause);
      this.#report(error);
      throw error;
    }
  }

  async #writeRest(): Promise<void> {
    while (this.#writing !== undefined || (this.#encoded.length > 0 && !this.#spoolFailed)) {
      this.#write();
      await this.#writing;
    }
  }

  #manifest(endMs: number) {
    const { sessionId, channel, kind, startedAtMs, columns, rows } = this.#head;
    return {
      version: 1,
      recordingId: recordingId(sessionId, channel),
      sessionId,
      channel,
      kind,
      startedAtMs,
      seconds: Math.max(Math.round(endMs), this.#encoder.lastTimeMs) / 1000,
      columns,
      rows,
      truncated: this.#truncated,
      recovered: false,
      invalidBytes: this.#encoder.invalidBytes,
      chunks: this.#stored,
      bytes: this.#stored.reduce((sum, chunk) => sum + chunk.bytes, 0),
    } as const;
  }

  /** Nothing more can be kept: let go of what waits. */
  #fail(error: RecorderError): void {
    this.#spoolFailed = true;
    clearTimeout(this.#timer);
    this.#buffer.clear();
    this.#encoded = [];
    this.#encodedBytes = 0;
    this.#report(error);
  }

  #report(error: RecorderError): void {
    if (this.#fault !== undefined) return;
    this.#fault = error;
    this.#start.onFault(error);
  }
}

function exitEvents(exit: RecordingExit | undefined): readonly CastInput[] {
  if (exit === undefined) return [];
  if (exit.kind === 'status') return [{ code: 'x', status: exit.status }];
  const marker = { code: 'm', label: `ended by signal ${exit.signal.slice(0, 64)}` } as const;
  const number = signalNumbers.get(exit.signal);
  return number === undefined ? [marker] : [marker, { code: 'x', status: 128 + number }];
}

function emptyChunk(number: number): OpenChunk {
  return { number, bytes: 0, openedAtMs: 0, firstMs: 0, lastMs: 0 };
}

function spoolError(cause: unknown): RecorderError {
  return new RecorderError(
    'spool',
    'the recording spool could not be written; check its disk and permissions',
    {
      cause,
    },
  );
}
