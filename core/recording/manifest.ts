import { z } from 'zod';
import { type RecordingId, type SessionId, sessionId } from '#core/contract';
import type { OmissionReason } from './cast-encoder.ts';
import { RecordingError } from './recording-error.ts';
import { type ChannelName, chunkName, isChannelName, recordingId } from './recording-key.ts';

/** What a recording consists of. Written last, so a recording with a manifest is whole. */
export type RecordingManifest = {
  readonly version: 1;
  readonly recordingId: RecordingId;
  readonly sessionId: SessionId;
  readonly channel: ChannelName;
  readonly kind: 'shell' | 'exec';
  readonly startedAtMs: number;
  /** From the start to the end of the channel; of a recovered recording, to its last event. */
  readonly seconds: number;
  readonly columns: number;
  readonly rows: number;
  /** The channel put out more than is recorded. */
  readonly truncated: boolean;
  /** The gateway ended before the channel did; up to a second of output may be missing. */
  readonly recovered: boolean;
  /** Bytes that were not UTF-8 and are recorded as U+FFFD. */
  readonly invalidBytes: number;
  /** Chapters, in order; of more than 10,000 the first. Their whole text is in the recording. */
  readonly markers?: readonly RecordingMarker[];
  /** What the channel showed and the recording has not, in order. */
  readonly omissions?: readonly Omission[];
  /** Secrets that were hidden, by the rule that found them. */
  readonly redactions?: Readonly<Record<string, number>>;
  /** What was shown before secrets were hidden, sealed, in order; absent where that is not kept. */
  readonly originals?: readonly OriginalFile[];
  /** In order; decompressed and joined they are one asciicast v3 file. */
  readonly chunks: readonly RecordingChunk[];
  /** Of all chunks together, as stored. */
  readonly bytes: number;
};

/** A sealed part of the original. One that is missing in the numbers was lost with its gateway. */
export type OriginalFile = {
  /** The last part of its key. */
  readonly name: string;
  /** As stored, sealed. */
  readonly bytes: number;
  /** Lower-case hex, of the stored bytes. */
  readonly sha256: string;
};

export type RecordingMarker = { readonly second: number; readonly label: string };

export type Omission = {
  readonly reason: OmissionReason;
  readonly fromSecond: number;
  /** Undefined where it lasts to the end of the channel. */
  readonly toSecond?: number;
  /** Undefined where nobody counted. */
  readonly bytes?: number;
};

/** A segment of the recording: it can be opened by itself where it has a snapshot of the screen at its start. */
export type RecordingChunk = {
  /** The last part of its key. */
  readonly name: string;
  /** As stored, compressed. */
  readonly bytes: number;
  /** Lower-case hex, of the stored bytes. */
  readonly sha256: string;
  /** Times of its first and last event, from the start of the recording. */
  readonly firstSecond: number;
  readonly lastSecond: number;
  /** Of the line that holds the snapshot, before compression; absent or 0 where there is none. */
  readonly snapshotBytes?: number;
};

export const maxMarkers = 10_000;
export const maxMarkerLength = 256;
export const maxOmissions = 10_000;
const maxManifestBytes = 32 * 1024 * 1024;
const count = z.number().int().nonnegative();
const second = z.number().nonnegative();

const chunkSchema = z.strictObject({
  name: z.string().max(64),
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  firstSecond: second,
  lastSecond: second,
  snapshotBytes: count.exactOptional(),
});

const originalSchema = z.strictObject({
  name: z.string().regex(/^original\.[0-9]{6,7}\.sealed$/),
  bytes: count,
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const markerSchema = z.strictObject({ second, label: z.string().max(maxMarkerLength) });
const omissionSchema = z.strictObject({
  reason: z.enum(['capped', 'summarised']),
  fromSecond: second,
  toSecond: second.exactOptional(),
  bytes: count.exactOptional(),
});

const manifestSchema = z
  .strictObject({
    version: z.literal(1),
    recordingId: z.string().max(64),
    sessionId: z.string().regex(/^s-[0-9a-f]{32}$/),
    channel: z.string().refine(isChannelName, 'is not a channel'),
    kind: z.enum(['shell', 'exec']),
    startedAtMs: count.max(8.64e15),
    seconds: second,
    columns: count.min(1).max(65535),
    rows: count.min(1).max(65535),
    truncated: z.boolean(),
    recovered: z.boolean(),
    invalidBytes: count,
    markers: z.array(markerSchema).max(maxMarkers).exactOptional(),
    omissions: z.array(omissionSchema).max(maxOmissions).exactOptional(),
    redactions: z.record(z.string().max(64), count).exactOptional(),
    originals: z.array(originalSchema).max(1_000_000).exactOptional(),
    chunks: z.array(chunkSchema).min(1).max(1_000_000),
    bytes: count,
  })
  .refine((manifest) => manifest.recordingId === `${manifest.sessionId}/${manifest.channel}`, {
    message: 'recordingId is not the session and the channel',
  })
  .refine((manifest) => manifest.chunks.every((chunk, index) => chunk.name === chunkName(index)), {
    message: 'the chunks are not numbered from 0 without a gap',
  })
  .refine((manifest) => chunksAreInOrder(manifest), { message: 'the times of the chunks are not in order' })
  .refine((manifest) => manifest.bytes === manifest.chunks.reduce((sum, chunk) => sum + chunk.bytes, 0), {
    message: 'bytes is not the sum of the chunks',
  });

/** @throws RecordingError `invalid-manifest` */
export function parseManifest(bytes: Uint8Array): RecordingManifest {
  if (bytes.byteLength > maxManifestBytes)
    throw new RecordingError(
      'invalid-manifest',
      `the recording's manifest has over ${maxManifestBytes} bytes; it was not written by sshtrail`,
    );
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new RecordingError('invalid-manifest', "the recording's manifest is not JSON", { cause });
  }
  const result = manifestSchema.safeParse(json);
  if (!result.success)
    throw new RecordingError(
      'invalid-manifest',
      `the recording's manifest is not valid: ${firstProblem(result.error)}`,
      { cause: result.error },
    );
  const session = sessionId(result.data.sessionId);
  return { ...result.data, sessionId: session, recordingId: recordingId(session, result.data.channel) };
}

/** The bytes that are stored; the same manifest always gives the same. */
export function encodeManifest(manifest: RecordingManifest): Buffer {
  return Buffer.from(`${JSON.stringify(manifest, undefined, 2)}\n`, 'utf8');
}

function chunksAreInOrder(manifest: {
  readonly seconds: number;
  readonly chunks: readonly { readonly firstSecond: number; readonly lastSecond: number }[];
}): boolean {
  let reached = 0;
  for (const chunk of manifest.chunks) {
    if (chunk.firstSecond < reached || chunk.lastSecond < chunk.firstSecond) return false;
    reached = chunk.lastSecond;
  }
  return manifest.seconds >= reached;
}

function firstProblem(error: z.ZodError): string {
  const issue = error.issues[0];
  if (issue === undefined) return 'unknown problem';
  const path = issue.path.map(String).join('.');
  return path === '' ? issue.message : `${path}: ${issue.message}`;
}
