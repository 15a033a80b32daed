import type { AuditDraft } from '#core/contract';
import type { Forward, Refusal, SessionFacts } from '#core/event';
import type { ChannelName } from '#core/recording';
import type { ChannelRecorder, RecordingExit, RecordingStart } from '../recording/index.ts';
import type { SessionAccess } from '../session-access.ts';
import type { UsageMeter } from '../session-usage.ts';
import type { ChannelTransfer, ContentHashing } from '../transfer/index.ts';
import type { CommandHold } from './command-hold.ts';

/** What a session's channels need of the session. */
export type ChannelOwner = {
  readonly facts: SessionFacts;
  readonly access: SessionAccess;
  /** Whether a lock is on the session, by what is known now. */
  readonly locked: () => Refusal | undefined;
  readonly now: () => number;
  /** Resolves when the event is durable. */
  record(draft: AuditDraft): Promise<void>;
  /** Work nobody awaits: the session ends only after it, and its failure is the session's. */
  owe(work: Promise<void>): void;
  /** Nothing more is read from either side before this has settled. */
  holdUntil(work: Promise<void>): void;
  readonly hashing: ContentHashing;
  readonly usage: UsageMeter;
  /** Hides secrets. */
  readonly redact: (text: string) => string;
  /** Starts recording a shell's or a command's output; undefined where recording is off for it. */
  startRecording(
    channel: ChannelName,
    kind: 'shell' | 'exec',
    terminal: Terminal,
    command: string | undefined,
    /** What to do with lines that are read off the terminal. */
    lines: Pick<RecordingStart, 'onCommand' | 'onAmend'>,
  ): ChannelRecorder;
  /** Finishes a recording and puts its manifest on record. */
  storeRecording(recorder: ChannelRecorder, exit: RecordingExit | undefined): Promise<void>;
};

export type Terminal = { readonly term: string; readonly columns: number; readonly rows: number };

/** What is known of one channel while it is open. */
export type ChannelState = {
  terminal: Terminal | undefined;
  recorder: ChannelRecorder | undefined;
  /** Only where there is a terminal. */
  hold: CommandHold | undefined;
  terminalAskedAtMs: number | undefined;
  /** How long the target took to answer that. */
  roundTripMs: number | undefined;
  transfer: ChannelTransfer | undefined;
  started: { readonly kind: 'shell' | 'exec' | 'subsystem'; readonly atMs: number } | undefined;
  exit: RecordingExit | undefined;
  forward: { readonly forward: Forward; readonly openedAtMs: number } | undefined;
  /** Environment variables that were asked for. */
  variables: number;
};
