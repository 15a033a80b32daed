import type { BlobKey } from '#core/contract';
import type {
  OmissionReason,
  OriginalPart,
  OutputStream,
  RecordingManifest,
  SegmentStep,
  SpoolHead,
} from '#core/recording';
import type { RedactionRule } from '#core/redaction';
import type { CommandConfidence, CommandKind, PendingLine } from '#core/terminal';
import type { StoreAnswer, StoreCall } from './remote-store.ts';

/** What a channel did, in order. Times are milliseconds since its start; `data` of one message are parts of one buffer. */
export type ChannelEvent =
  | {
      readonly kind: 'output';
      readonly atMs: number;
      readonly stream: OutputStream;
      readonly data: Uint8Array;
    }
  /** What the client sent: for the command log, never recorded. */
  | { readonly kind: 'input'; readonly atMs: number; readonly data: Uint8Array }
  | { readonly kind: 'resize'; readonly atMs: number; readonly columns: number; readonly rows: number }
  | { readonly kind: 'marker'; readonly atMs: number; readonly label: string }
  | { readonly kind: 'exit'; readonly atMs: number; readonly status: number }
  | { readonly kind: 'truncated'; readonly atMs: number; readonly afterBytes: number }
  | {
      readonly kind: 'omitted';
      readonly atMs: number;
      readonly reason: OmissionReason;
      readonly fromMs: number;
      readonly bytes: number;
    }
  | { readonly kind: 'tick'; readonly atMs: number };

/** A line that an interactive shell or a program on its terminal was given, secrets hidden. */
export type ObservedCommand = {
  /** Counts from 1 within the channel. */
  readonly number: number;
  /** When its accept key was pressed: since the start of the recording. */
  readonly offsetMs: number;
  readonly text: string;
  readonly kind: CommandKind;
  readonly confidence: CommandConfidence;
  readonly prompt: string;
};

/** The line that would run if it were accepted now. */
export type PendingRead = {
  readonly line: PendingLine;
  /** Its text, secrets hidden: to be kept. */
  readonly hidden: string;
  /** Where in the bytes that are about to be sent a line would be accepted; certain as to the first alone. */
  readonly acceptKeys: readonly number[];
};

/** What was learnt of a command after it was told. */
export type AmendedCommand = { readonly number: number; readonly text: string; readonly aborted: boolean };

/** What came of it, in order. */
export type Observation =
  | SegmentStep
  | { readonly kind: 'original'; readonly part: OriginalPart }
  | { readonly kind: 'command'; readonly command: ObservedCommand }
  | { readonly kind: 'amended'; readonly amended: AmendedCommand };

export type ChannelStart = {
  readonly head: SpoolHead;
  /** Whether commands are read off the screen. */
  readonly commands: boolean;
  /** Under it, secrets that were found are remembered. */
  readonly memoryKey: Uint8Array;
  readonly segments: { readonly outputBytes: number; readonly ageMs: number; readonly textBytes: number };
};

/** What the manifest says beside the chunks. */
export type ObservedEnd = {
  readonly summary: Required<Pick<RecordingManifest, 'markers' | 'omissions'>>;
  readonly invalidBytes: number;
  readonly lastTimeMs: number;
  readonly redactions: Readonly<Record<string, number>>;
};

export type RedactionSettings = {
  readonly defaults: boolean;
  readonly rules: readonly RedactionRule[];
  /** `x25519:BASE64` or `p256:BASE64`: what was shown before secrets were hidden is kept as well, sealed to this key. */
  readonly sealOriginalTo?: string | undefined;
};

/** What the thread is started with. */
export type ThreadSettings = { readonly redaction: RedactionSettings };

/** From the gateway's thread. */
export type ToThread =
  | ({ readonly kind: 'open'; readonly id: number } & ChannelStart)
  | {
      readonly kind: 'events';
      readonly id: number;
      readonly bytes: number;
      readonly events: readonly ChannelEvent[];
    }
  | {
      readonly kind: 'pending-line';
      readonly id: number;
      readonly question: number;
      readonly ahead: Uint8Array;
    }
  | { readonly kind: 'end'; readonly id: number; readonly atMs: number }
  /** Forgets the channel: its recording failed. */
  | { readonly kind: 'drop'; readonly id: number }
  /** Of the recording that is stored at the key, make the rows that are searched. */
  | { readonly kind: 'index'; readonly id: number; readonly key: BlobKey }
  | { readonly kind: 'answer'; readonly id: number; readonly answer: StoreAnswer };

/** From the recording thread. */
export type FromThread =
  | {
      readonly kind: 'observed';
      readonly id: number;
      /** Of the events that this answers. */
      readonly bytes: number;
      readonly observations: readonly Observation[];
      /** Nothing is held back: no tick is needed until more comes. */
      readonly settled: boolean;
    }
  | {
      readonly kind: 'pending-line';
      readonly id: number;
      readonly question: number;
      readonly read: PendingRead;
    }
  | {
      readonly kind: 'ended';
      readonly id: number;
      readonly observations: readonly Observation[];
      readonly end: ObservedEnd;
    }
  | { readonly kind: 'call'; readonly id: number; readonly call: StoreCall }
  | { readonly kind: 'indexed'; readonly id: number }
  | { readonly kind: 'fault'; readonly id: number; readonly reason: string };
