import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type ChunkTimes,
  type OriginalFile,
  type OriginalPart,
  type OutputStream,
  type PutOnRecord,
  RecorderError,
  type RecordingChunk,
  recordingId,
  recordingPrefix,
  type SpoolHead,
  type StoredRecording,
  segmentedManifest,
  storeChunk,
  storeManifest,
  storeOriginal,
} from '#core/recording';
import { exitEvents } from './exit-events.ts';
import { createOutputBrakes, type OutputBrakes, type ReleasedOutput } from './output-brakes.ts';
import { OutputBuffer } from './output-buffer.ts';
import type { ChannelRecorder, RecorderShared, RecordingExit, RecordingStart } from './recorder.ts';
import type { ChannelEvent, Observation, ObservedEnd, PendingRead } from './thread/observation.ts';
import type { ThreadChannel } from './thread/recording-thread.ts';

const coalesceMs = 5;
/** Output that waits to be sent: from here a turn is due, from there it is sent inside `output`. */
const sendDueBytes = 16 * 1024;
const sendNowBytes = 1024 * 1024;
const maxWaitingEvents = 8192;
/** What the thread has not answered yet: from here on a terminal's output is taken for bulk. */
const pressedBytes = 4 * 1024 * 1024;
/** A write costs a few turns whatever its size, so beyond this backlog one takes more than usual. */
const usualWriteBytes = 256 * 1024;
const loadedBytes = 1024 * 1024;
const loadedWriteBytes = 4 * 1024 * 1024;
/** What an event other than output counts for against the limit of a recording. */
const eventBytes = 64;

/** What the thread made, in order: text for the spool, and segments that get no more of it. */
type Made =
  | { readonly kind: 'text'; readonly segment: number; readonly text: Buffer }
  | { readonly kind: 'sealed'; readonly segment: ChunkTimes };

export function startChannelRecorder(shared: RecorderShared, start: RecordingStart): ChannelRecorder {
  return new ChannelRecording(shared, start);
}

/**
 * The way of a byte: `output` copies it into the buffer, which goes to the recording thread; what that makes of it, with secrets hidden,
 * comes back as text; the writer appends the text to its segment in the spool; a segment that is sealed is compressed, stored, and
 * removed from the spool. Writer and sealer are one async loop each, so order needs no locks.
 */
class ChannelRecording implements ChannelRecorder {
  readonly #shared: RecorderShared;
  readonly #start: RecordingStart;
  readonly #head: SpoolHead;
  readonly #prefix: string;
  readonly #maxBytes: number;
  readonly #buffer: OutputBuffer;
  readonly #brakes: OutputBrakes;
  readonly #thread: ThreadChannel;
  readonly #threadEnd = Promise.withResolvers<ObservedEnd | undefined>();
  #sentBytes = 0;
  #made: Made[] = [];
  #madeBytes = 0;
  #sealed: (ChunkTimes | OriginalPart)[] = [];
  #originalBytes = 0;
  readonly #originals: OriginalFile[] = [];
  readonly #stored: RecordingChunk[] = [];
  #recordedBytes = 0;
  #reachedMs = 0;
  #truncated = false;
  #settled = true;
  #fault: RecorderError | undefined;
  #failed = false;
  #begun: Promise<void>;
  #writing: Promise<void> | undefined;
  #sealing: Promise<void> | undefined;
  #sendDue = false;
  #timer: NodeJS.Timeout | undefined;
  #finishing: Promise<StoredRecording> | undefined;

  constructor(shared: RecorderShared, start: RecordingStart) {
    const { sessionId, channel, kind, columns, rows, term, command } = start;
    const { limits } = shared;
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
    const isTerminal = kind === 'shell' || term !== '';
    this.#maxBytes = isTerminal ? limits.maxShellBytes : limits.maxExecBytes;
    this.#buffer = new OutputBuffer(shared.pool, coalesceMs);
    this.#brakes = createOutputBrakes(isTerminal, limits);
    this.#thread = shared.thread.open(
      {
        head: this.#head,
        commands: start.onCommand !== undefined,
        memoryKey: shared.memoryKey,
        segments: { outputBytes: limits.chunkBytes, ageMs: limits.chunkMs, textBytes: 4 * limits.chunkBytes },
      },
      {
        observed: (observations, bytes, settled) => this.#observed(observations, bytes, settled),
        ended: (observations, end) => {
          this.#observed(observations, 0, true);
          this.#threadEnd.resolve(end);
        },
        failed: (reason) =>
          this.#fail(new RecorderError('thread', `${reason}; what was recorded until then is kept`)),
      },
    );
    this.#begun = shared.spool.begin(this.#head).catch((cause: unknown) => this.#fail(spoolError(cause)));
  }

  output(data: Uint8Array, stream: OutputStream): void {
    if (!this.#recording() || data.length === 0) return;
    const atMs = this.#elapsedMs();
    const pressed = this.#sentBytes + this.#buffer.bytes > pressedBytes;
    this.#recordReleased(atMs, this.#brakes.output(atMs, data, stream, pressed));
    this.#moreToSend();
  }

  input(data: Uint8Array): void {
    if (!this.#recording() || data.length === 0 || this.#start.onCommand === undefined) return;
    const atMs = this.#elapsedMs();
    this.#recordReleased(atMs, this.#brakes.input());
    this.#buffer.append(atMs, 'input', data);
    this.#moreToSend();
  }

  resize(columns: number, rows: number): void {
    this.#event({ kind: 'resize', atMs: this.#elapsedMs(), columns, rows });
  }

  marker(label: string): void {
    this.#event({ kind: 'marker', atMs: this.#elapsedMs(), label: label.slice(0, 4096) });
  }

  pendingLine(ahead: Uint8Array): Promise<PendingRead> {
    // What the screen shows from here on is not looked at any more.
    if (!this.#recording())
      return Promise.reject(new RecorderError('thread', 'the terminal of this channel is not read any more'));
    this.#recordReleased(this.#elapsedMs(), this.#brakes.input());
    this.#send();
    return this.#thread.pendingLine(Uint8Array.from(ahead));
  }

  finish(exit?: RecordingExit, putOnRecord?: PutOnRecord): Promise<StoredRecording> {
    this.#finishing ??= this.#finish(exit, putOnRecord);
    return this.#finishing;
  }

  #event(event: ChannelEvent): void {
    if (!this.#recording()) return;
    this.#recordedBytes += eventBytes;
    this.#buffer.appendEvent(event);
    if (this.#recordedBytes > this.#maxBytes) this.#truncate(event.atMs);
    this.#moreToSend();
  }

  #recordReleased(atMs: number, released: readonly ReleasedOutput[]): void {
    for (const { omitted, data, stream } of released) {
      if (omitted !== undefined) {
        this.#recordedBytes += eventBytes;
        this.#buffer.appendEvent({ kind: 'omitted', atMs, reason: 'summarised', ...omitted });
      }
      this.#record(atMs, stream, data);
    }
  }

  #record(atMs: number, stream: OutputStream, data: Uint8Array): void {
    const room = Math.max(0, this.#maxBytes - this.#recordedBytes);
    const kept = data.length <= room ? data : data.subarray(0, room);
    this.#recordedBytes += kept.length;
    this.#buffer.append(atMs, stream, kept);
    if (kept.length < data.length) this.#truncate(atMs);
  }

  #recording(): boolean {
    return !this.#truncated && !this.#failed && this.#finishing === undefined;
  }

  /** Stands still while the clock is behind. */
  #elapsedMs(): number {
    this.#reachedMs = Math.max(this.#reachedMs, this.#shared.now() - this.#head.startedAtMs);
    return this.#reachedMs;
  }

  #truncate(atMs: number): void {
    if (this.#truncated) return;
    this.#truncated = true;
    this.#buffer.appendEvent({ kind: 'truncated', atMs, afterBytes: this.#maxBytes });
  }

  #moreToSend(): void {
    const { bytes, events } = this.#buffer;
    if (bytes >= sendNowBytes || events >= maxWaitingEvents) this.#send();
    else if (bytes >= sendDueBytes && !this.#sendDue) {
      this.#sendDue = true;
      setImmediate(() => {
        this.#sendDue = false;
        this.#send();
      });
    }
    this.#arm();
  }

  #send(): void {
    for (let taken = this.#buffer.takeOldest(); taken !== undefined; taken = this.#buffer.takeOldest()) {
      if (this.#failed) continue;
      this.#settled = false;
      this.#sentBytes += taken.bytes;
      this.#thread.send(taken.events, taken.bytes);
    }
    if (this.#sentBytes > this.#shared.limits.maxBacklogBytes)
      this.#fail(this.#backlogError('cannot be processed'));
  }

  #observed(observations: readonly Observation[], bytes: number, settled: boolean): void {
    this.#sentBytes -= bytes;
    this.#settled = settled;
    for (const observation of observations) this.#take(observation);
    if (this.#made.length > 0) this.#write();
  }

  #take(observation: Observation): void {
    switch (observation.kind) {
      case 'text': {
        const text = Buffer.from(observation.text, 'utf8');
        this.#made.push({ kind: 'text', segment: observation.segment, text });
        this.#madeBytes += text.length;
        if (this.#madeBytes > this.#shared.limits.maxBacklogBytes)
          this.#fail(this.#backlogError('cannot be written'));
        return;
      }
      case 'sealed':
        this.#made.push(observation);
        return;
      case 'original':
        this.#sealed.push(observation.part);
        this.#originalBytes += observation.part.bytes.length;
        if (this.#originalBytes > this.#shared.limits.maxBacklogBytes)
          this.#fail(this.#backlogError('cannot be stored'));
        return this.#seal();
      case 'command':
        this.#start.onCommand?.(observation.command);
        return;
      case 'amended':
        this.#start.onAmend?.(observation.amended);
    }
  }

  #backlogError(what: string): RecorderError {
    const name = recordingId(this.#start.sessionId, this.#start.channel);
    return new RecorderError(
      'backlog',
      `the recording of ${name} ${what} as fast as output arrives; check the spool's disk and the processors`,
    );
  }

  /** One timer while there is something that must not stay in memory, or that only time brings out. */
  #arm(): void {
    if (this.#timer !== undefined || this.#failed || this.#finishing !== undefined) return;
    this.#timer = setTimeout(() => this.#tick(), this.#shared.limits.flushMs).unref();
  }

  #tick(): void {
    this.#timer = undefined;
    const atMs = this.#elapsedMs();
    if (this.#recording()) this.#recordReleased(atMs, this.#brakes.tick(atMs));
    this.#buffer.appendEvent({ kind: 'tick', atMs });
    this.#send();
    if (!this.#settled || this.#brakes.holds) this.#arm();
  }

  #write(): void {
    if (this.#writing !== undefined || this.#failed) return;
    this.#writing = this.#writeAll()
      .catch((cause: unknown) => this.#fail(spoolError(cause)))
      .finally(() => {
        this.#writing = undefined;
        // What came between the last look and now.
        if (this.#made.length > 0) this.#write();
      });
  }

  async #writeAll(): Promise<void> {
    await this.#begun;
    for (let next = this.#made[0]; next !== undefined && !this.#failed; next = this.#made[0]) {
      if (next.kind === 'sealed') {
        this.#made.shift();
        this.#sealed.push(next.segment);
        this.#seal();
      } else {
        const text = this.#takeBatch(next.segment);
        await this.#shared.spool.append(this.#start, next.segment, text);
        this.#madeBytes -= text.length;
      }
    }
  }

  /** Text of one segment. */
  #takeBatch(segment: number): Buffer {
    const taken: Buffer[] = [];
    let bytes = 0;
    const most = this.#madeBytes > loadedBytes ? loadedWriteBytes : usualWriteBytes;
    for (let next = this.#made[0]; bytes < most; next = this.#made[0]) {
      if (next?.kind !== 'text' || next.segment !== segment) break;
      this.#made.shift();
      taken.push(next.text);
      bytes += next.text.length;
    }
    return Buffer.concat(taken);
  }

  #seal(): void {
    if (this.#sealing !== undefined || this.#fault !== undefined) return;
    this.#sealing = this.#sealAll()
      .catch((cause: unknown) => this.#report(cause instanceof RecorderError ? cause : spoolError(cause)))
      .finally(() => {
        this.#sealing = undefined;
        if (this.#sealed.length > 0) this.#seal();
      });
  }

  async #sealAll(): Promise<void> {
    for (let next = this.#sealed.shift(); next !== undefined; next = this.#sealed.shift()) {
      const times = next;
      await this.#shared.seal(async () => {
        if ('bytes' in times) return this.#storeOriginal(times);
        const text = await this.#shared.spool.read(this.#start, times.number);
        this.#stored.push(await storeChunk(this.#shared.store, this.#prefix, text, times));
        await this.#shared.spool.remove(this.#start, times.number);
      });
    }
  }

  /** What is sealed is no secret to the store; it is in memory until then, and lost with the process. */
  async #storeOriginal(part: OriginalPart): Promise<void> {
    this.#originals.push(await storeOriginal(this.#shared.store, this.#prefix, part));
    this.#originalBytes -= part.bytes.length;
  }

  async #finish(
    exit: RecordingExit | undefined,
    putOnRecord: PutOnRecord | undefined,
  ): Promise<StoredRecording> {
    clearTimeout(this.#timer);
    const endMs = this.#elapsedMs();
    if (!this.#truncated && !this.#failed) this.#recordReleased(endMs, this.#brakes.end());
    for (const event of exitEvents(endMs, exit)) this.#buffer.appendEvent(event);
    // `finish` returns before the last byte is sent: it is called from the relay as well.
    await nextTurn();
    this.#send();
    if (!this.#failed) this.#thread.end(endMs);
    const end = await this.#threadEnd.promise;
    await this.#writeRest();
    while (this.#sealing !== undefined) await this.#sealing;
    if (this.#fault !== undefined) throw this.#fault;
    if (end === undefined) throw new RecorderError('thread', 'the recording thread gave no end');
    const manifest = segmentedManifest(
      this.#head,
      end,
      this.#stored,
      endMs,
      this.#originals.length === 0 ? undefined : this.#originals,
    );
    const stored = await this.#orReport(storeManifest(this.#shared.store, manifest));
    await putOnRecord?.(stored);
    await this.#orReport(this.#shared.spool.end(this.#start));
    this.#shared.indexer.add(stored.key);
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
    while (this.#writing !== undefined || (this.#made.length > 0 && !this.#failed)) {
      this.#write();
      await this.#writing;
    }
  }

  /** Nothing more can be kept: let go of what waits. */
  #fail(error: RecorderError): void {
    if (this.#failed) return;
    this.#failed = true;
    clearTimeout(this.#timer);
    this.#buffer.clear();
    this.#made = [];
    this.#madeBytes = 0;
    this.#thread.drop();
    this.#threadEnd.resolve(undefined);
    this.#report(error);
  }

  #report(error: RecorderError): void {
    if (this.#fault !== undefined) return;
    this.#fault = error;
    this.#start.onFault(error);
  }
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
