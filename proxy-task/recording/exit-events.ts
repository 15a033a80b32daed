import type { RecordingExit } from './recorder.ts';
import type { ChannelEvent } from './thread/observation.ts';

/** RFC 4254 §6.10 names with the numbers shells report them by (128 + number). */
const signalNumbers: ReadonlyMap<string, number> = new Map([
  ['HUP', 1],
  ['INT', 2],
  ['QUIT', 3],
  ['ILL', 4],
  ['ABRT', 6],
  ['FPE', 8],
  ['KILL', 9],
  ['USR1', 10],
  ['SEGV', 11],
  ['USR2', 12],
  ['PIPE', 13],
  ['ALRM', 14],
  ['TERM', 15],
]);

/** How the program of a channel ended, as a recording says it. */
export function exitEvents(atMs: number, exit: RecordingExit | undefined): readonly ChannelEvent[] {
  if (exit === undefined) return [];
  if (exit.kind === 'status') return [{ kind: 'exit', atMs, status: exit.status }];
  const marker = { kind: 'marker', atMs, label: `ended by signal ${exit.signal.slice(0, 64)}` } as const;
  const number = signalNumbers.get(exit.signal);
  return number === undefined ? [marker] : [marker, { kind: 'exit', atMs, status: 128 + number }];
}
