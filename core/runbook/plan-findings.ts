import { createHash } from 'node:crypto';
import type { Finding, Row } from '#core/contract';
import { cellText, fillTemplate, printableCell } from './printable-text.ts';
import type { Runbook } from './runbook.ts';
import { RunbookError } from './runbook-error.ts';

/** A finding and the rows it was made of. */
export type PlannedFinding = { readonly finding: Finding; readonly rows: readonly Row[] };

const maxKeyLength = 200;

/**
 * One finding for each value of `finding.each` that has enough rows, in order of the key. A row without a value makes none.
 * @throws RunbookError `columns` when the query does not return what the runbook speaks of.
 */
export function planFindings(
  runbook: Runbook,
  rows: readonly Row[],
  nowMs: number,
): readonly PlannedFinding[] {
  const byKey = new Map<string, Row[]>();
  for (const row of rows) {
    const key = keyOf(runbook, row);
    if (key === undefined) continue;
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [row]);
    else same.push(row);
  }
  return [...byKey]
    .filter(([, same]) => same.length >= runbook.finding.threshold)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, same]) => ({ finding: finding(runbook, key, same[0] ?? {}, nowMs), rows: same }));
}

function keyOf(runbook: Runbook, row: Row): string | undefined {
  for (const column of [runbook.finding.each, ...runbook.finding.columns])
    if (!Object.hasOwn(row, column))
      throw new RunbookError(
        'columns',
        `the query of ${runbook.id} returns no column ${column}; add it to the SELECT or take it out of finding`,
      );
  const cell = row[runbook.finding.each];
  if (cell === null || cell === undefined) return undefined;
  const text = cellText(cell);
  // A key names things in the control store, and stands in documents and mails: one that is long, or could be taken for
  // anything but a name there, is named by its hash.
  return text.length <= maxKeyLength && /^[A-Za-z0-9][A-Za-z0-9._:@/+=,-]*$/.test(text)
    ? text
    : `sha256:${createHash('sha256').update(text).digest('hex')}`;
}

function finding(runbook: Runbook, key: string, row: Row, nowMs: number): Finding {
  const columns: Record<string, string> = {};
  for (const name of runbook.finding.columns) {
    const text = printableCell(row[name]);
    if (text !== undefined) columns[name] = text;
  }
  return {
    runbookId: runbook.id,
    key,
    title: fillTemplate(runbook.finding.title, columns),
    severity: runbook.severity,
    foundAtMs: nowMs,
    columns,
    state: 'open',
  };
}
