import type { OutputStream } from './cast-encoder.ts';
import { maxCastLineBytes, parseCastLine } from './cast-line.ts';
import { RecordingError } from './recording-error.ts';

export type CastEvent = {
  /** Seconds since the start. */
  readonly time: number;
} & (
  | { readonly code: 'o'; readonly data: string; readonly stream: OutputStream }
  /** `<columns>x<rows>`, the label, the exit status. */
  | { readonly code: 'r' | 'm' | 'x'; readonly data: string }
);

/** Far more than a recording at its byte limit holds. */
const defaultMaxEvents = 50_000_000;

/**
 * The events of an asciicast v3 file given as bytes, cut anywhere. Codes other than o, r, m, x are left out. `from`: what is given
 * is a later part of the file, whose first interval counts from there.
 * @throws RecordingError `invalid-cast`
 */
export async function* castEvents(
  chunks: AsyncIterable<Uint8Array>,
  limits: { readonly maxEvents?: number } = {},
  from: { readonly seconds: number; readonly isFirst: boolean } = { seconds: 0, isFirst: true },
): AsyncGenerator<CastEvent, void, undefined> {
  const maxEvents = limits.maxEvents ?? defaultMaxEvents;
  const decode = createCastDecoder(from);
  let events = 0;
  let isEmpty = from.isFirst;
  for await (const bytes of lines(chunks)) {
    isEmpty = false;
    const event = decode(bytes);
    if (event === undefined) continue;
    events += 1;
    if (events > maxEvents)
      throw new RecordingError('invalid-cast', `the recording has over ${maxEvents} events; raise the limit`);
    yield event;
  }
  if (isEmpty) throw new RecordingError('invalid-cast', 'the recording is empty; it has no header');
}

/** What a line says, given without its line feed and in order; undefined where that is no event. Throws as `castEvents` does. */
export type CastDecoder = (line: Buffer) => CastEvent | undefined;

export function createCastDecoder(from: {
  readonly seconds: number;
  readonly isFirst: boolean;
}): CastDecoder {
  let number = from.isFirst ? 0 : 1;
  let time = from.seconds;
  let stream: OutputStream = 'stdout';
  return (bytes) => {
    number += 1;
    const line = parseCastLine(bytes, number);
    if (line.kind === 'stderr') stream = 'stderr';
    if (line.kind !== 'event') return undefined;
    time = Math.round((time + line.intervalSeconds) * 1e6) / 1e6;
    const { code, data } = line;
    const shownOn = stream;
    stream = 'stdout';
    if (code === 'o') return { time, code, data, stream: shownOn };
    if (code === 'm' || code === 'x') return { time, code, data };
    return code === 'r' && /^[1-9][0-9]{0,4}x[1-9][0-9]{0,4}$/.test(data) ? { time, code, data } : undefined;
  };
}

async function* lines(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer, void, undefined> {
  let parts: Buffer[] = [];
  let held = 0;
  for await (const chunk of chunks) {
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    let from = 0;
    for (let end = bytes.indexOf(10); end >= 0; end = bytes.indexOf(10, from)) {
      yield Buffer.concat([...parts, bytes.subarray(from, end)]);
      parts = [];
      held = 0;
      from = end + 1;
    }
    if (from === bytes.length) continue;
    held += bytes.length - from;
    if (held > maxCastLineBytes)
      throw new RecordingError('invalid-cast', `a line of the recording has over ${maxCastLineBytes} bytes`);
    parts = [Buffer.concat([...parts, bytes.subarray(from)])];
  }
  if (held > 0) yield Buffer.concat(parts);
}
