import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import type { OmissionReason } from './cast-encoder.ts';
import { RecordingError } from './recording-error.ts';
import { parseSnapshotLine, type Snapshot } from './snapshot-line.ts';

export type CastLine =
  | { readonly kind: 'header'; readonly columns: number; readonly rows: number }
  | {
      readonly kind: 'event';
      readonly intervalSeconds: number;
      readonly code: string;
      readonly data: string;
    }
  | { readonly kind: 'stderr' }
  | { readonly kind: 'invalid-bytes'; readonly count: number }
  | { readonly kind: 'truncated' }
  | {
      readonly kind: 'omitted';
      readonly reason: OmissionReason;
      readonly fromMs: number;
      readonly bytes: number;
    }
  | { readonly kind: 'snapshot'; readonly snapshot: Snapshot }
  | { readonly kind: 'comment' };

/** Bytes of the longest line read. The encoder's are under half of that. */
export const maxCastLineBytes = 1024 * 1024;

const headerSchema = z.object({
  version: z.literal(3),
  term: z.object({
    cols: z.number().int().min(1).max(65535),
    rows: z.number().int().min(1).max(65535),
    type: z.string().optional(),
  }),
  timestamp: z.number().int().nonnegative().optional(),
});
const omittedPrefix = '# omitted ';
const omittedSchema = z.strictObject({
  reason: z.enum(['capped', 'summarised']),
  fromMs: z.number().int().min(0).max(1e12),
  bytes: z.number().int().nonnegative(),
});
const eventSchema = z.tuple([z.number().min(0).max(1e9), z.string().length(1), z.string()]);

/** @throws RecordingError `invalid-cast`. `number` counts from 1 and is for the message. */
export function parseCastLine(bytes: Buffer, number: number): CastLine {
  if (bytes.length > maxCastLineBytes) throw invalidLine(number, `has over ${maxCastLineBytes} bytes`);
  if (!isUtf8(bytes)) throw invalidLine(number, 'is not UTF-8');
  const text = bytes.toString('utf8');
  if (number === 1) {
    const { term } = parsed(headerSchema, text, number, 'is not an asciicast v3 header');
    return { kind: 'header', columns: term.cols, rows: term.rows };
  }
  if (text.startsWith('#')) return parseComment(text, number);
  const [intervalSeconds, code, data] = parsed(eventSchema, text, number, 'is not [interval, code, data]');
  return { kind: 'event', intervalSeconds, code, data };
}

function parseComment(text: string, number: number): CastLine {
  if (text === '# stderr') return { kind: 'stderr' };
  if (text === '# truncated') return { kind: 'truncated' };
  const snapshot = parseSnapshotLine(text);
  if (snapshot === 'invalid') throw invalidLine(number, 'is a damaged snapshot');
  if (snapshot !== undefined) return { kind: 'snapshot', snapshot };
  if (text.startsWith(omittedPrefix))
    return {
      kind: 'omitted',
      ...parsed(omittedSchema, text.slice(omittedPrefix.length), number, 'is a damaged omission'),
    };
  const count = /^# invalid-bytes ([1-9][0-9]{0,8})$/.exec(text)?.[1];
  return count === undefined ? { kind: 'comment' } : { kind: 'invalid-bytes', count: Number(count) };
}

function parsed<Schema extends z.ZodType>(
  schema: Schema,
  text: string,
  number: number,
  problem: string,
): z.output<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw invalidLine(number, problem, cause);
  }
  const result = schema.safeParse(json);
  if (!result.success) throw invalidLine(number, problem, result.error);
  return result.data;
}

function invalidLine(number: number, problem: string, cause?: unknown): RecordingError {
  return new RecordingError('invalid-cast', `line ${number} of the recording ${problem}`, { cause });
}
