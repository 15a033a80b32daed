import type { QueryEngine, Row } from '#core/contract';

/** A runbook that returns more is about something else than findings; what is left out is said in CompleteRunbook. */
const maxRows = 5_000;

/** The rows of a query, up to a bound. */
export async function collectRows(
  engine: QueryEngine,
  sql: string,
  deadlineMs: number,
): Promise<{ readonly rows: readonly Row[]; readonly truncated: boolean }> {
  const result = await engine.select(sql, { deadlineMs });
  const rows: Row[] = [];
  for await (const page of result.rows) {
    for (const row of page) {
      if (rows.length === maxRows) return { rows, truncated: true };
      rows.push(row);
    }
  }
  return { rows, truncated: false };
}
