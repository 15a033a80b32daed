import type { BlobStore } from '#core/contract';
import { terminalSize } from './cast-encoder.ts';
import { type CastDecoder, type CastEvent, createCastDecoder } from './cast-events.ts';
import { parseCastLine } from './cast-line.ts';
import { chunkName, manifestKey, recordingPrefix } from './recording-key.ts';
import type { Snapshot } from './snapshot-line.ts';
import type { Spool, SpoolChannel, SpoolHead } from './spool.ts';
import { gunzipChunk } from './stored-recording.ts';

/** What is being recorded, as somebody else than the recorder sees it. */
export type LiveRecording = {
  readonly channel: SpoolChannel;
  /** One that has all of a chunk when it has the next, as a folder has. */
  readonly spool: Pick<Spool, 'head' | 'chunks' | 'read'>;
  /** Where chunks go that are full. */
  readonly store: Pick<BlobStore, 'get' | 'list'>;
  /** Whether more may come: the spool still has the recording, and who writes it lives. */
  readonly isOpen: () => Promise<boolean>;
  /** Between two looks; a rejection ends it. */
  readonly pause: () => Promise<void>;
};

export type FollowedRecording = {
  readonly head: SpoolHead;
  /** The screen before the first of `events`. */
  readonly snapshot: Snapshot;
  /** From the start of the newest segment on, until the recording ends. Returns whether it is stored, or was lost with its gateway. */
  readonly events: AsyncGenerator<CastEvent, 'stored' | 'lost', undefined>;
};

/**
 * Joins a recording that goes on, at its current screen, and follows it. Reads only.
 * @throws RecordingError `invalid-cast`, RecorderError, and what the spool and the store throw
 */
export async function followRecording(live: LiveRecording): Promise<FollowedRecording> {
  const head = await live.spool.head(live.channel);
  const prefix = recordingPrefix(head.startedAtMs, head.sessionId, head.channel);
  let number = await newestChunk(live, prefix);
  for (;;) {
    const text = (await chunkText(live, prefix, number))?.text;
    const snapshot = text === undefined ? undefined : snapshotIn(text, number);
    if (snapshot !== undefined || number === 0) {
      const size = terminalSize(head.columns, head.rows);
      const start = snapshot ?? { baseMs: 0, screen: '', ...size };
      return { head, snapshot: start, events: eventsFrom(live, prefix, number, start.baseMs / 1000) };
    }
    number -= 1;
  }
}

async function* eventsFrom(
  live: LiveRecording,
  prefix: string,
  first: number,
  seconds: number,
): AsyncGenerator<CastEvent, 'stored' | 'lost', undefined> {
  const decoder = createCastDecoder({ seconds, isFirst: first === 0 });
  let number = first;
  let taken = 0;
  for (;;) {
    // Asked before anything is read, so that what is read then is all there is.
    const mayGrow = await live.isOpen();
    const chunk = await chunkText(live, prefix, number);
    const lines = chunk?.text.subarray(taken, chunk.text.lastIndexOf(10) + 1) ?? Buffer.alloc(0);
    yield* decoded(decoder, lines);
    taken += lines.length;
    if (chunk?.isWhole === true) {
      number += 1;
      taken = 0;
    } else if (lines.length === 0) {
      if (!mayGrow) return (await live.store.get(manifestKey(prefix))) === undefined ? 'lost' : 'stored';
      await live.pause();
    }
  }
}

function* decoded(decoder: CastDecoder, lines: Buffer): Generator<CastEvent, void, undefined> {
  let from = 0;
  for (let end = lines.indexOf(10); end >= 0; end = lines.indexOf(10, from)) {
    const event = decoder(lines.subarray(from, end));
    from = end + 1;
    if (event !== undefined) yield event;
  }
}

/** 0 where there is none yet. A session in which nothing happens has its last chunk in the store alone. */
async function newestChunk({ spool, store, channel }: LiveRecording, prefix: string): Promise<number> {
  const spooled = (await spool.chunks(channel)).at(-1);
  if (spooled !== undefined) return spooled;
  let newest = 0;
  for await (const { key } of store.list(prefix)) {
    const number = /^([0-9]{6,7})\.cast\.gz$/.exec(key.slice(prefix.length))?.[1];
    if (number !== undefined) newest = Math.max(newest, Number(number));
  }
  return newest;
}

/** Undefined where it has not begun. `isWhole`: it gets no more. */
async function chunkText(
  { spool, store, channel }: LiveRecording,
  prefix: string,
  number: number,
): Promise<{ readonly text: Buffer; readonly isWhole: boolean } | undefined> {
  const spooled = await spool.chunks(channel);
  const key = `${prefix}${chunkName(number)}`;
  if (spooled.includes(number)) {
    try {
      // The writer begins a chunk when the one before has all of its text.
      return { text: await spool.read(channel, number), isWhole: spooled.some((each) => each > number) };
    } catch (error) {
      // It is stored before it leaves the spool.
      const stored = await store.get(key);
      if (stored === undefined) throw error;
      return { text: await gunzipChunk(stored), isWhole: true };
    }
  }
  const stored = await store.get(key);
  return stored === undefined ? undefined : { text: await gunzipChunk(stored), isWhole: true };
}

/** The first line of a segment, or the second, after the header. */
function snapshotIn(text: Buffer, number: number): Snapshot | undefined {
  const start = number === 0 ? text.indexOf(10) + 1 : 0;
  const end = text.indexOf(10, start);
  if (end < 0 || !text.subarray(start, start + 1).equals(comment)) return undefined;
  const line = parseCastLine(text.subarray(start, end), 2);
  return line.kind === 'snapshot' ? line.snapshot : undefined;
}

const comment = Buffer.from('#');
