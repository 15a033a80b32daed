import {
  CancelQueryCommand,
  type CloudTrailClient,
  DescribeQueryCommand,
  GetQueryResultsCommand,
  type GetQueryResultsResponse,
  StartQueryCommand,
} from '@aws-sdk/client-cloudtrail';
import type { QueryEngine, QueryResult, Row } from '#core/contract';
import { oneSelect, QueryError, withParameters } from '#core/lake';
import { callWithin, type QueryClock, type Sleep, startQueryClock } from '../athena/query-clock.ts';
import { lakeColumnNames, lakeColumnType, lakeRow } from './lake-cells.ts';
import { isAtItsLimit, type LakeOperation, lakeFailure, lakeFault } from './lake-fault.ts';

export type LakeEngineOptions = {
  /** Best with `maxAttempts: 1`: the engine tries again itself, within the query's deadline. It stays the caller's to destroy. */
  readonly client: CloudTrailClient;
  /** The UUID at the end of its ARN. Statements name it, without quotes, where others name a table. */
  readonly eventDataStoreId: string;
  readonly sleep?: Sleep;
  /** First pause between two looks at a query; each next one is half as long again, up to 5 s. 500 ms when absent. */
  readonly pollMs?: number;
};

/** The service's limit. */
const maxSqlLength = 10_000;
const pageRows = 1_000;
const longestPollMs = 5_000;
const stopMs = 5_000;

/**
 * Runs SELECTs on CloudTrail Lake, which holds events minutes after they happened. It runs ten queries at a time in an account and
 * starts about one a second; a query that is refused for that waits for its turn within its deadline. Values come as `lakeRow` says.
 */
export function createLakeEngine(options: LakeEngineOptions): QueryEngine {
  const { sleep, eventDataStoreId } = options;
  const clocks = new Set<QueryClock>();
  const starting = new Set<Promise<string>>();
  let closed = false;
  return {
    async select(sql, limits) {
      if (closed) throw new QueryError('refused', 'the query engine is closed');
      if (limits.signal?.aborted === true) throw new QueryError('aborted', 'the query was cancelled');
      const statement = lakeStatement(sql, limits.parameters, eventDataStoreId);
      const clock = startQueryClock({ ...limits, ...(sleep === undefined ? {} : { sleep }) });
      clocks.add(clock);
      const done = () => {
        clock.close();
        clocks.delete(clock);
      };
      const run = runToEnd(options, clock, statement);
      starting.add(run);
      try {
        return await firstPage(options, clock, await run, done);
      } catch (error) {
        done();
        throw error;
      } finally {
        starting.delete(run);
      }
    },
    async close() {
      closed = true;
      for (const clock of clocks) clock.end(new QueryError('aborted', 'the query engine was closed'));
      await Promise.allSettled(starting);
    },
  };
}

/** Nothing can be bound at CloudTrail Lake, so values are written out as literals. */
function lakeStatement(
  sql: string,
  parameters: readonly string[] | undefined,
  eventDataStoreId: string,
): string {
  // Longer ones are looked at too, so that what is wrong with them is said first.
  const statement = withParameters(oneSelect(sql, maxSqlLength * 10), parameters);
  if (statement.length > maxSqlLength)
    throw new QueryError(
      'refused',
      `the statement has ${statement.length} characters and CloudTrail Lake takes ${maxSqlLength}; name fewer columns, or run it on Athena`,
    );
  if (!statement.includes(eventDataStoreId))
    throw new QueryError(
      'refused',
      `the statement does not read from the event data store; write FROM ${eventDataStoreId}`,
    );
  return statement;
}

/** The id of the query, which has finished. */
async function runToEnd(options: LakeEngineOptions, clock: QueryClock, statement: string): Promise<string> {
  const { client } = options;
  let started: Promise<string> | undefined;
  const start = async () => {
    const { QueryId } = await client.send(new StartQueryCommand({ QueryStatement: statement }));
    if (QueryId === undefined)
      throw new QueryError('unavailable', 'CloudTrail Lake started a query and gave no id for it; try again');
    return QueryId;
  };
  try {
    const id = await asked('StartQuery', () => callWithin(clock, () => (started = start()), isAtItsLimit));
    await finished(options, clock, id);
    return id;
  } catch (error) {
    if (!clock.signal.aborted || started === undefined) throw error;
    throw await cancelled(client, started, error);
  }
}

async function finished(options: LakeEngineOptions, clock: QueryClock, id: string): Promise<void> {
  for (let pauseMs = options.pollMs ?? 500; ; pauseMs = Math.min(longestPollMs, pauseMs * 1.5)) {
    const description = await asked('DescribeQuery', () =>
      callWithin(clock, (abortSignal) =>
        options.client.send(new DescribeQueryCommand({ QueryId: id }), { abortSignal }),
      ),
    );
    const status = description.QueryStatus;
    if (status === 'FINISHED') return;
    if (status === 'FAILED' || status === 'CANCELLED' || status === 'TIMED_OUT')
      throw lakeFailure(status, description.ErrorMessage);
    await clock.wait(pauseMs);
  }
}

/** Cancels the query and gives the reason it was cancelled for, which says so where it may still run. */
async function cancelled(
  client: CloudTrailClient,
  started: Promise<string>,
  reason: unknown,
): Promise<unknown> {
  const clock = startQueryClock({ deadlineMs: stopMs });
  try {
    const id = await clock.race(started);
    await clock.race(client.send(new CancelQueryCommand({ QueryId: id })));
    return reason;
  } catch (error) {
    // It was never started, or has ended by itself.
    if (!(reason instanceof QueryError) || isAtItsLimit(error) || isOver(error)) return reason;
    const { message } = lakeFault('CancelQuery', error);
    return new QueryError(reason.code, `${reason.message}; at CloudTrail Lake it may still run: ${message}`, {
      cause: error,
    });
  } finally {
    clock.close();
  }
}

function isOver(error: unknown): boolean {
  return error instanceof Error && error.name === 'InactiveQueryException';
}

async function firstPage(
  options: LakeEngineOptions,
  clock: QueryClock,
  id: string,
  done: () => void,
): Promise<QueryResult> {
  const first = await page(options, clock, id, undefined);
  const names = lakeColumnNames(first.QueryResultRows ?? []);
  return {
    // A result without rows has no columns here, since CloudTrail Lake names them in the rows alone.
    columns: names.map((name) => ({ name, type: lakeColumnType(name) })),
    rows: pages(options, clock, id, first, names, done),
  };
}

async function* pages(
  options: LakeEngineOptions,
  clock: QueryClock,
  id: string,
  first: GetQueryResultsResponse,
  names: readonly string[],
  done: () => void,
): AsyncGenerator<readonly Row[]> {
  try {
    let next: GetQueryResultsResponse | undefined = first;
    while (next !== undefined) {
      const rows: readonly Row[] = (next.QueryResultRows ?? []).map((row) => lakeRow(names, row));
      if (rows.length > 0) yield rows;
      next = next.NextToken === undefined ? undefined : await page(options, clock, id, next.NextToken);
    }
  } finally {
    done();
  }
}

async function page(
  options: LakeEngineOptions,
  clock: QueryClock,
  id: string,
  token: string | undefined,
): Promise<GetQueryResultsResponse> {
  return asked('GetQueryResults', () =>
    callWithin(clock, (abortSignal) =>
      options.client.send(
        new GetQueryResultsCommand({
          QueryId: id,
          MaxQueryResults: pageRows,
          ...(token === undefined ? {} : { NextToken: token }),
        }),
        { abortSignal },
      ),
    ),
  );
}

async function asked<T>(operation: LakeOperation, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw lakeFault(operation, error);
  }
}
