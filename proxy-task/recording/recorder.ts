import { randomBytes } from 'node:crypto';
import type { BlobStore, SessionId } from '#core/contract';
import {
  type ChannelName,
  isChannelName,
  type OutputStream,
  type PutOnRecord,
  type RecorderError,
  type Spool,
  type StoredRecording,
  terminalSize,
} from '#core/recording';
import type { BulkLimits } from './bulk-brake.ts';
import { startChannelRecorder } from './channel-recorder.ts';
import { type BlockPool, createBlockPool } from './output-buffer.ts';
import { createRecordingIndexer, type RecordingIndexer } from './recording-indexer.ts';
import { openSpool } from './spool.ts';
import { type TakeTurns, takeTurns } from './take-turns.ts';
import type {
  AmendedCommand,
  ObservedCommand,
  PendingRead,
  RedactionSettings,
} from './thread/observation.ts';
import { createRecordingThread, type RecordingThread } from './thread/recording-thread.ts';

export type RecorderOptions = {
  readonly store: BlobStore;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly limits?: Partial<RecorderLimits>;
  /** The rows that are searched could not be made of a recording, which is stored. */
  readonly onIndexFault?: (error: RecorderError) => void;
  /** What is hidden before anything is written; the product's own rules where absent. */
  readonly redaction?: RedactionSettings;
} & (
  | {
      /** Of this process alone; made 0700. */
      readonly spoolDirectory: string;
    }
  | { readonly spool: Spool }
);

export type RecorderLimits = BulkLimits & {
  /** Output bytes recorded of a terminal; what comes after is not, and the recording says so. */
  readonly maxShellBytes: number;
  /** The same of a command without one. */
  readonly maxExecBytes: number;
  /** A chunk is closed and stored when it has at least this many bytes of text, or is this old. */
  readonly chunkBytes: number;
  readonly chunkMs: number;
  /** Longest time output is held in memory only. */
  readonly flushMs: number;
  /** Encoded bytes of one channel that may wait for a slow disk; beyond is a fault. */
  readonly maxBacklogBytes: number;
  /** Chunks compressed and stored at once, over all channels. */
  readonly maxSealing: number;
};

export type RecordingStart = {
  readonly sessionId: SessionId;
  readonly channel: ChannelName;
  readonly kind: 'shell' | 'exec';
  /** 0 where there is no terminal. */
  readonly columns: number;
  readonly rows: number;
  /** '' where there is no terminal. */
  readonly term: string;
  readonly command?: string;
  /** A line was accepted on the terminal. Where absent nobody reads commands off it. */
  readonly onCommand?: (command: ObservedCommand) => void;
  readonly onAmend?: (amended: AmendedCommand) => void;
  /** Called once, at the first fault: what the channel shows from now on may not be recorded. */
  readonly onFault: (error: RecorderError) => void;
};

export type RecordingExit =
  | { readonly kind: 'status'; readonly status: number }
  /** RFC 4254 §6.10, without SIG. */
  | { readonly kind: 'signal'; readonly signal: string };

/** The recording of one channel. Nothing but `finish` waits or fails; after it, everything else does nothing. */
export interface ChannelRecorder {
  /** `data` may be reused when it returns. */
  output(data: Uint8Array, stream: OutputStream): void;
  /** What the client sent, which is never recorded: commands are found by it. `data` may be reused when it returns. */
  input(data: Uint8Array): void;
  /**
   * The line that would run if it were accepted now, and whether `ahead`, which the client is about to send, accepts one. Rejects where
   * the recording has failed or ended, or takes no more.
   */
  pendingLine(ahead: Uint8Array): Promise<PendingRead>;
  resize(columns: number, rows: number): void;
  marker(label: string): void;
  /**
   * Resolves when manifest and chunks are durable in the store, and `putOnRecord` has resolved: until then the spool keeps hold
   * of the recording, so that a kill in between leaves it to recovery. Every call gives the same promise.
   * @throws RecorderError, or what `putOnRecord` throws.
   */
  finish(exit?: RecordingExit, putOnRecord?: PutOnRecord): Promise<StoredRecording>;
}

export interface Recorder {
  start(start: RecordingStart): ChannelRecorder;
  /** Resolves when what is searched of the recordings that were finished is made, which comes after all else. */
  settled(): Promise<void>;
}

/** What the recordings of one gateway share. */
export type RecorderShared = {
  readonly store: BlobStore;
  readonly spool: Spool;
  readonly pool: BlockPool;
  readonly thread: RecordingThread;
  /** Under it, secrets that were found are remembered while a channel is open. */
  readonly memoryKey: Uint8Array;
  readonly now: () => number;
  readonly limits: RecorderLimits;
  /** Runs at most `maxSealing` at once. */
  readonly seal: TakeTurns;
  readonly indexer: RecordingIndexer;
};

const defaultLimits: RecorderLimits = {
  maxShellBytes: 1024 * 1024 * 1024,
  maxExecBytes: 1024 * 1024,
  bulkBytes: 1024 * 1024,
  bulkBytesPerTick: 256 * 1024,
  chunkBytes: 256 * 1024,
  chunkMs: 10_000,
  flushMs: 100,
  maxBacklogBytes: 32 * 1024 * 1024,
  maxSealing: 4,
};

/** Records what channels show, in chunks in a store; what is not stored yet is in the spool, for `recoverRecordings`. */
export function createRecorder(options: RecorderOptions): Recorder {
  const limits = { ...defaultLimits, ...options.limits };
  const thread = createRecordingThread({ redaction: options.redaction ?? { defaults: true, rules: [] } });
  const shared: RecorderShared = {
    store: options.store,
    spool: 'spool' in options ? options.spool : openSpool(options.spoolDirectory),
    pool: createBlockPool(),
    thread,
    now: options.now,
    memoryKey: randomBytes(32),
    limits,
    seal: takeTurns(limits.maxSealing),
    indexer: createRecordingIndexer(thread, options.store, options.onIndexFault),
  };
  return {
    start: (start) => {
      if (!isChannelName(start.channel))
        throw new RangeError(`not a channel: ${JSON.stringify(start.channel)} (expected c and its serial)`);
      return startChannelRecorder(shared, { ...start, ...terminalSize(start.columns, start.rows) });
    },
    settled: () => shared.indexer.settled(),
  };
}
