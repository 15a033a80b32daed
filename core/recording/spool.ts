import { z } from 'zod';
import type { SessionId } from '#core/contract';
import { createCastEncoder } from './cast-encoder.ts';
import { RecorderError } from './recorder-error.ts';
import { type ChannelName, isChannelName } from './recording-key.ts';

/** What recovery must know of a recording beyond its events. */
export type SpoolHead = {
  readonly sessionId: SessionId;
  readonly channel: ChannelName;
  readonly kind: 'shell' | 'exec';
  readonly startedAtMs: number;
  readonly columns: number;
  readonly rows: number;
  readonly term: string;
  readonly command?: string | undefined;
};

export type SpoolChannel = { readonly sessionId: SessionId; readonly channel: ChannelName };

/** Where a recording is until its chunks are stored. One gateway process has a spool at a time. */
export interface Spool {
  begin(head: SpoolHead): Promise<void>;
  /** Whole lines. What a spool keeps in memory for a while is lost with the process; the spool says how much that is. */
  append(channel: SpoolChannel, chunk: number, bytes: Uint8Array): Promise<void>;
  read(channel: SpoolChannel, chunk: number): Promise<Buffer>;
  remove(channel: SpoolChannel, chunk: number): Promise<void>;
  /** Removes the head; call it when no chunk is left. */
  end(channel: SpoolChannel): Promise<void>;
  /** @throws RecorderError `damaged` */
  head(channel: SpoolChannel): Promise<SpoolHead>;
  /** Numbers of the chunks there, ascending. */
  chunks(channel: SpoolChannel): Promise<readonly number[]>;
}

const maxHeadBytes = 64 * 1024;
const headSchema = z.strictObject({
  sessionId: z.string().regex(/^s-[0-9a-f]{32}$/),
  channel: z.string().refine(isChannelName, 'is not a channel'),
  kind: z.enum(['shell', 'exec']),
  startedAtMs: z.number().int().nonnegative().max(8.64e15),
  columns: z.number().int().min(1).max(65535),
  rows: z.number().int().min(1).max(65535),
  term: z.string(),
  command: z.string().optional(),
});

export function encodeSpoolHead(head: SpoolHead): Buffer {
  return Buffer.from(JSON.stringify(head));
}

/** @throws RecorderError `damaged` where it is no head, or that of another channel */
export function parseSpoolHead(bytes: Uint8Array, { sessionId: id, channel }: SpoolChannel): SpoolHead {
  const problem = `the spooled recording ${id}/${channel} has a damaged head; move its files out of the spool`;
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes.subarray(0, maxHeadBytes)).toString('utf8'));
  } catch (cause) {
    throw new RecorderError('damaged', problem, { cause });
  }
  const parsed = headSchema.safeParse(json);
  if (!parsed.success || parsed.data.sessionId !== id || parsed.data.channel !== channel)
    throw new RecorderError('damaged', problem, { cause: parsed.error });
  return { ...parsed.data, sessionId: id };
}

/** What the recording's asciicast begins with. */
export function castHeader(head: SpoolHead): Parameters<typeof createCastEncoder>[0] {
  const { startedAtMs, columns, rows, term, command } = head;
  return { startedAtMs, columns, rows, term, ...(command === undefined ? {} : { command }) };
}
