import { z } from 'zod';

/** The screen before the first event of a segment. */
export type Snapshot = {
  /** Time of the last event before, from which the segment's first interval counts. Milliseconds since the start. */
  readonly baseMs: number;
  readonly columns: number;
  readonly rows: number;
  /** Output that draws it on an empty terminal; '' is the empty screen. */
  readonly screen: string;
};

/** A larger one is left out, and the segment is opened from the one before. */
const maxSnapshotBytes = 512 * 1024;

const prefix = '# snapshot ';
const side = z.number().int().min(1).max(65535);
const snapshotSchema = z.strictObject({
  baseMs: z.number().int().min(0).max(1e12),
  columns: side,
  rows: side,
  screen: z.string(),
});

/** A comment line of the asciicast, which players skip; undefined where it would be too large. */
export function encodeSnapshotLine(snapshot: Snapshot): string | undefined {
  if (snapshot.screen.length > maxSnapshotBytes) return undefined;
  const { baseMs, columns, rows, screen } = snapshot;
  const line = `${prefix}${JSON.stringify({ baseMs, columns, rows, screen: screen.toWellFormed() })}\n`;
  return Buffer.byteLength(line) > maxSnapshotBytes ? undefined : line;
}

/** The line without its line feed. Undefined where it is another comment, `invalid` where it claims to be a snapshot and is none. */
export function parseSnapshotLine(line: string): Snapshot | 'invalid' | undefined {
  if (!line.startsWith(prefix)) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(line.slice(prefix.length));
  } catch {
    return 'invalid';
  }
  const parsed = snapshotSchema.safeParse(json);
  return parsed.success ? parsed.data : 'invalid';
}
