import { existsSync } from 'node:fs';
import { openDuckDbEngine, openSegmentFiles } from '#adapters/local';
import type { QueryEngine, Row } from '#core/contract';
import { CliError } from './cli-error.ts';
import type { DataDirectory } from './data-directory.ts';

export type Answer = {
  readonly columns: readonly string[];
  readonly rows: readonly Row[];
  readonly truncated: boolean;
};

/** Opens the query engine over a data directory, runs `work`, and closes it. */
export async function withLake<Result>(
  data: DataDirectory,
  work: (engine: QueryEngine) => Promise<Result>,
): Promise<Result> {
  if (!existsSync(data.root)) {
    throw new CliError(
      'unusable-data',
      `there is no data directory ${data.root}; run "sshtrail up" first, or say where it is with --data DIR`,
    );
  }
  const engine = await openDuckDbEngine({
    dataDirectory: data.root,
    openSegmentFiles,
  });
  try {
    return await work(engine);
  } finally {
    await engine.close();
  }
}

/** One SELECT, its rows in memory up to `rowLimit`. */
export async function ask(
  engine: QueryEngine,
  sql: string,
  deadlineMs: number,
  rowLimit: number,
  signal?: AbortSignal,
  parameters: readonly string[] = [],
): Promise<Answer> {
  const result = await engine.select(sql, {
    deadlineMs,
    parameters,
    ...(signal === undefined ? {} : { signal }),
  });
  const rows: Row[] = [];
  for await (const page of result.rows) {
    for (const row of page) {
      if (rows.length === rowLimit)
        return { columns: result.columns.map(({ name }) => name), rows, truncated: true };
      rows.push(row);
    }
  }
  return { columns: result.columns.map(({ name }) => name), rows, truncated: false };
}
