import type { Row } from '#core/contract';
import { cellText } from '../output.ts';

const columns = ['event_name', 'user_name', 'error_code', 'deny_reason', 'end_reason'] as const;

/** What became of requests for access and of locks, in Trino's dialect; `events` is the relation of the events. */
export function accessStatement(events: string): string {
  return `SELECT ${columns.map((column) => `e.${column}`).join(', ')} FROM ${events} AS e
    WHERE e.event_name IN ('RequestAccess', 'ApproveRequest', 'CreateLock', 'DeleteLock')
       OR e.event_name = 'DenyAccess' AND e.deny_reason = 'locked'
       OR e.event_name = 'EndSession' AND e.end_reason = 'Locked'
    ORDER BY e.event_time`;
}

/** A line for each row of the statement. */
export function accessLines(rows: readonly Row[]): readonly string[] {
  return rows.map((row) =>
    columns
      .map((column) => cellText(row[column] ?? null))
      .filter((cell) => cell !== '')
      .join(' '),
  );
}

/** What has to be found where this happened once: who asked and could not approve it, who did, who locked them out. */
export function accessLinesOf(people: {
  readonly asked: string;
  readonly approved: string;
  readonly locked: string;
}): readonly string[] {
  const { asked, approved, locked } = people;
  return [
    `RequestAccess ${asked}`,
    `ApproveRequest ${asked} AccessDenied own-request`,
    `ApproveRequest ${approved}`,
    `CreateLock ${locked}`,
    `EndSession ${asked} Locked`,
    `DenyAccess ${asked} AccessDenied locked`,
    `DeleteLock ${locked}`,
  ];
}

/** Whether there are the same lines, in whatever order: clocks of two processes differ. */
export function areSameLines(found: readonly string[], wanted: readonly string[]): boolean {
  return JSON.stringify(found.toSorted()) === JSON.stringify(wanted.toSorted());
}
