import { randomUUID } from 'node:crypto';
import { type FakeResponse, jsonAnswer } from './fake-aws.ts';
import {
  badParameter,
  type EventDataStore,
  type Input,
  type LakeQuery,
  type Operation,
  refuse,
  type State,
  text,
} from './lake-state.ts';
import { integrationTable, managementTable } from './lake-tables.ts';
import { runTrino, type TrinoTable } from './trino-runner.ts';

/** Queries of the fake CloudTrail Lake, run by DuckDB. */
export const queryOperations: Readonly<Record<string, Operation>> = {
  StartQuery: startQuery,
  DescribeQuery: (state, input) => withQuery(state, input, (query) => describeQuery(state, query)),
  GetQueryResults: (state, input) => withQuery(state, input, (query) => queryResults(query, input)),
  CancelQuery: (state, input) => withQuery(state, input, cancelQuery),
};

const maxRunning = 10;

function startQuery(state: State, input: Input): FakeResponse {
  const { stores, queries, options } = state;
  const sql = text(input['QueryStatement']) ?? '';
  if (sql.length < 1 || sql.length > 10_000)
    return badParameter("1 validation error: 'queryStatement' must have 1 to 10000 characters");
  if (!/^\s*(select|with|\()/i.test(sql))
    return refuse('InvalidQueryStatementException', 'Only SELECT statements are supported.');
  const ids = [...new Set(sql.match(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g) ?? [])];
  const named = ids.flatMap((id) => stores.filter((store) => store.id === id));
  if (named.length === 0)
    return refuse(
      'InvalidQueryStatementException',
      'The statement names no event data store of this account.',
    );
  if (named.some(({ status }) => status === 'PENDING_DELETION'))
    return refuse('InactiveEventDataStoreException', 'The event data store is inactive.');
  if (queries.filter(({ state: each }) => each === 'QUEUED' || each === 'RUNNING').length >= maxRunning)
    return refuse('MaxConcurrentQueriesException', 'You are already running the maximum number of queries.');
  const quoted = named.reduce((statement, { id }) => statement.replaceAll(id, `"${id}"`), sql);
  const problems = options.trinoProblems?.(quoted) ?? [];
  if (problems.length > 0)
    return refuse(
      'InvalidQueryStatementException',
      `line 1:1: mismatched input. ${JSON.stringify(problems[0])}`,
    );
  const query: LakeQuery = {
    id: randomUUID(),
    sql,
    state: 'QUEUED',
    looks: 0,
    error: undefined,
    result: undefined,
    work: runTrino(
      quoted,
      named.map((store) => storeTable(state, store)),
    ).then(
      (result) => {
        query.result = result;
      },
      (error: unknown) => {
        query.error = error instanceof Error ? error.message : String(error);
      },
    ),
  };
  queries.push(query);
  return jsonAnswer({ QueryId: query.id });
}

function storeTable({ options, channels }: State, store: EventDataStore): TrinoTable {
  if (!JSON.stringify(store.selectors).includes('ActivityAuditLog'))
    return managementTable(store.id, options.managementEvents?.() ?? []);
  const arns = new Set(
    channels
      .filter(({ destinations }) => destinations.some(({ Location }) => Location === store.arn))
      .map(({ arn }) => arn),
  );
  const events = (options.events?.() ?? []).filter(({ channelArn }) => arns.has(channelArn));
  return integrationTable(store.id, options.region, options.account, events);
}

async function withQuery(
  { queries }: State,
  input: Input,
  act: (query: LakeQuery) => Promise<FakeResponse> | FakeResponse,
): Promise<FakeResponse> {
  const query = queries.find(({ id }) => id === text(input['QueryId']));
  return query === undefined
    ? refuse('QueryIdNotFoundException', 'The query ID does not exist or does not map to a query.')
    : act(query);
}

async function describeQuery({ options }: State, query: LakeQuery): Promise<FakeResponse> {
  const { queued, running } = options.looks ?? { queued: 1, running: 1 };
  query.looks += 1;
  if (query.state === 'QUEUED' && query.looks > queued) query.state = 'RUNNING';
  if (query.state === 'RUNNING' && query.looks > queued + running) {
    await query.work;
    query.state = query.error === undefined ? 'FINISHED' : 'FAILED';
  }
  return jsonAnswer({
    QueryId: query.id,
    QueryString: query.sql,
    QueryStatus: query.state,
    QueryStatistics: { EventsMatched: 0, EventsScanned: 0, BytesScanned: 0, ExecutionTimeInMillis: 0 },
    ...(query.state === 'FAILED' ? { ErrorMessage: query.error } : {}),
  });
}

/** Every value is text; NULL is the word. */
function queryResults(query: LakeQuery, input: Input): FakeResponse {
  const { MaxQueryResults: max = 1_000, NextToken: token } = input;
  if (typeof max !== 'number' || max < 1 || max > 1_000)
    return refuse('InvalidMaxResultsException', 'MaxQueryResults is 1 to 1000.');
  const { result } = query;
  if (query.state !== 'FINISHED' || result === undefined) return jsonAnswer({ QueryStatus: query.state });
  const from = token === undefined ? 0 : Number(text(token)?.replace('row-', ''));
  if (!Number.isSafeInteger(from)) return refuse('InvalidNextTokenException', 'the token is not one of ours');
  const page = result.rows.slice(from, from + max);
  return jsonAnswer({
    QueryStatus: query.state,
    QueryStatistics: { ResultsCount: page.length, TotalResultsCount: result.rows.length, BytesScanned: 0 },
    QueryResultRows: page.map((row) =>
      result.columns.map(({ name }, index) => ({ [name]: row[index] ?? 'null' })),
    ),
    ...(from + max < result.rows.length ? { NextToken: `row-${from + max}` } : {}),
  });
}

function cancelQuery(query: LakeQuery): FakeResponse {
  if (query.state !== 'QUEUED' && query.state !== 'RUNNING')
    return refuse(
      'InactiveQueryException',
      'The specified query cannot be canceled because it is not running.',
    );
  query.state = 'CANCELLED';
  return jsonAnswer({ QueryId: query.id, QueryStatus: query.state });
}
