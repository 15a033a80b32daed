import { randomUUID } from 'node:crypto';
import {
  type AthenaClient,
  GetQueryExecutionCommand,
  GetQueryResultsCommand,
  type GetQueryResultsOutput,
  StartQueryExecutionCommand,
  StopQueryExecutionCommand,
} from '@aws-sdk/client-athena';
import type { Cell, QueryEngine, QueryResult, Row } from '#core/contract';
import { oneSelect, parameterLiterals, QueryError, uniqueNames } from '#core/lake';
import { athenaCell } from './athena-cells.ts';
import { type AthenaOperation, athenaFailure, athenaFault } from './athena-fault.ts';
import { callWithin, type QueryClock, type Sleep, startQueryClock } from './query-clock.ts';

export type AthenaEngineOptions = {
  /** Best with `maxAttempts: 1`: the engine tries again itself, within the query's deadline. It stays the caller's to destroy. */
  readonly client: AthenaClient;
  /** Its settings say where results go and how much a query may read. */
  readonly workgroup: string;
  /** Glue database of the tables. */
  readonly database: string;
  /** Waits between two looks at a query. */
  readonly sleep?: Sleep;
  /** First pause between two looks; each next one is half as long again, up to 3 s. 200 ms when absent. */
  readonly pollMs?: number;
};

/** The service's limit. */
const maxSqlLength = 262_144;
const pageRows = 1_000;
const longestPollMs = 3_000;
/** For the call that stops a query nobody waits for any more. */
const stopMs = 5_000;

/**
 * Runs SELECTs on Athena. A query that reaches its deadline, or that the caller gives up, is stopped there too, so that it costs
 * no more. Results of earlier queries are never reused. Arrays, maps and rows come back as the text Athena prints.
 */
export function createAthenaEngine(options: AthenaEngineOptions): QueryEngine {
  const { sleep } = options;
  const clocks = new Set<QueryClock>();
  const starting = new Set<Promise<string>>();
  let closed = false;
  return {
    async select(sql, limits) {
      if (closed) throw new QueryError('refused', 'the query engine is closed');
      if (limits.signal?.aborted === true) throw new QueryError('aborted', 'the query was cancelled');
      const statement = oneSelect(sql, maxSqlLength);
      const parameters = parameterLiterals(statement, limits.parameters ?? []);
      const clock = startQueryClock({ ...limits, ...(sleep === undefined ? {} : { sleep }) });
      clocks.add(clock);
      const done = () => {
        clock.close();
        clocks.delete(clock);
      };
      const run = runToEnd(options, clock, statement, parameters);
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

/** The id of the query, which has succeeded. */
async function runToEnd(
  options: AthenaEngineOptions,
  clock: QueryClock,
  statement: string,
  parameters: readonly string[],
): Promise<string> {
  const { client, workgroup, database } = options;
  // The same token in every attempt: Athena starts one query, however often it is asked to.
  const token = randomUUID();
  let started: Promise<string> | undefined;
  const start = async () => {
    const { QueryExecutionId } = await client.send(
      new StartQueryExecutionCommand({
        QueryString: statement,
        ClientRequestToken: token,
        WorkGroup: workgroup,
        QueryExecutionContext: { Database: database },
        ResultReuseConfiguration: { ResultReuseByAgeConfiguration: { Enabled: false } },
        ...(parameters.length === 0 ? {} : { ExecutionParameters: [...parameters] }),
      }),
    );
    if (QueryExecutionId === undefined)
      throw new QueryError('unavailable', 'Athena started a query and gave no id for it; try again');
    return QueryExecutionId;
  };
  try {
    // The call itself outlives the clock: a query that was started must be known, or it cannot be stopped.
    const id = await asked('StartQueryExecution', () => callWithin(clock, () => (started = start())));
    await ended(options, clock, id);
    return id;
  } catch (error) {
    if (!clock.signal.aborted || started === undefined) throw error;
    throw await stopped(client, started, error);
  }
}

async function ended(options: AthenaEngineOptions, clock: QueryClock, id: string): Promise<void> {
  for (let pauseMs = options.pollMs ?? 200; ; pauseMs = Math.min(longestPollMs, pauseMs * 1.5)) {
    const { QueryExecution } = await asked('GetQueryExecution', () =>
      callWithin(clock, (abortSignal) =>
        options.client.send(new GetQueryExecutionCommand({ QueryExecutionId: id }), { abortSignal }),
      ),
    );
    const status = QueryExecution?.Status;
    if (status?.State === 'SUCCEEDED') return;
    if (status?.State === 'FAILED' || status?.State === 'CANCELLED') throw athenaFailure(status);
    await clock.wait(pauseMs);
  }
}

/** Stops the query and gives the reason it was stopped for, which says so where it may still run. */
async function stopped(client: AthenaClient, started: Promise<string>, reason: unknown): Promise<unknown> {
  const clock = startQueryClock({ deadlineMs: stopMs });
  try {
    const id = await clock.race(started);
    await clock.race(client.send(new StopQueryExecutionCommand({ QueryExecutionId: id })));
    return reason;
  } catch (error) {
    if (!(reason instanceof QueryError)) return reason;
    const { message } = athenaFault('StopQueryExecution', error);
    return new QueryError(reason.code, `${reason.message}; at Athena it may still run: ${message}`, {
      cause: error,
    });
  } finally {
    clock.close();
  }
}

async function firstPage(
  options: AthenaEngineOptions,
  clock: QueryClock,
  id: string,
  done: () => void,
): Promise<QueryResult> {
  const first = await page(options, clock, id, undefined);
  const info = first.ResultSet?.ResultSetMetadata?.ColumnInfo ?? [];
  const names = uniqueNames(info.map((each) => each.Name ?? ''));
  const types = info.map((each) => typeName(each.Type ?? 'varchar'));
  const columns = names.map((name, index) => ({ name, type: types[index] ?? 'varchar' }));
  return { columns, rows: pages(options, clock, id, first, columns, done) };
}

type Column = QueryResult['columns'][number];

async function* pages(
  options: AthenaEngineOptions,
  clock: QueryClock,
  id: string,
  first: GetQueryResultsOutput,
  columns: readonly Column[],
  done: () => void,
): AsyncGenerator<readonly Row[]> {
  try {
    let next: GetQueryResultsOutput | undefined = first;
    for (let number = 0; next !== undefined; number += 1) {
      const rows: readonly Row[] = rowsOf(next, columns).slice(number === 0 ? headerRows(next) : 0);
      if (rows.length > 0) yield rows;
      next = next.NextToken === undefined ? undefined : await page(options, clock, id, next.NextToken);
    }
  } finally {
    done();
  }
}

async function page(
  options: AthenaEngineOptions,
  clock: QueryClock,
  id: string,
  token: string | undefined,
): Promise<GetQueryResultsOutput> {
  return asked('GetQueryResults', () =>
    callWithin(clock, (abortSignal) =>
      options.client.send(
        new GetQueryResultsCommand({
          QueryExecutionId: id,
          MaxResults: pageRows,
          ...(token === undefined ? {} : { NextToken: token }),
        }),
        { abortSignal },
      ),
    ),
  );
}

/** The first row of a SELECT's first page repeats the columns' names. */
function headerRows(output: GetQueryResultsOutput): number {
  const names = output.ResultSet?.ResultSetMetadata?.ColumnInfo?.map((each) => each.Name);
  const first = output.ResultSet?.Rows?.[0]?.Data?.map((each) => each.VarCharValue);
  return first !== undefined && JSON.stringify(first) === JSON.stringify(names) ? 1 : 0;
}

function rowsOf(output: GetQueryResultsOutput, columns: readonly Column[]): readonly Row[] {
  return (output.ResultSet?.Rows ?? []).map(({ Data = [] }) =>
    Object.fromEntries(
      columns.map(({ name, type }, index): [string, Cell] => [name, athenaCell(type, Data[index])]),
    ),
  );
}

function typeName(type: string): string {
  const lower = type.toLowerCase();
  return lower === 'string' ? 'varchar' : lower;
}

async function asked<T>(operation: AthenaOperation, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw athenaFault(operation, error);
  }
}
