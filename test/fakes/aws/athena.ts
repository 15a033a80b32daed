import { randomUUID } from 'node:crypto';
import { glueTables } from '../../../core/contract/index.ts';
import { withParameters } from '../../../core/lake/index.ts';
import { type FakeRequest, type FakeResponse, type FakeService, jsonAnswer, jsonError } from './fake-aws.ts';
import { cloudTrailRows, hiveRows } from './hive-json.ts';
import { runTrino, type TrinoResult } from './trino-runner.ts';

export type FakeAthenaOptions = {
  /** Objects of the evidence bucket; those under `events/dt=.../` are the rows of `ssh_records`. */
  readonly lake: () => Promise<ReadonlyMap<string, Uint8Array>>;
  /** Log files of the account's own trail: the rows of `cloudtrail_records`. */
  readonly accountTrail?: () => Promise<ReadonlyMap<string, Uint8Array>>;
  /** `sshtrail` when absent. */
  readonly workgroups?: readonly string[];
  /** `sshtrail` when absent. */
  readonly databases?: readonly string[];
  /** BytesScannedCutoffPerQuery of every workgroup. */
  readonly scanCutoffBytes?: number;
  /** What Trino's own parser has against the statement; nothing when absent. */
  readonly trinoProblems?: (sql: string) => readonly unknown[];
  /** Looks at GetQueryExecution that a query stays in QUEUED and then in RUNNING; 1 each when absent. */
  readonly looks?: { readonly queued: number; readonly running: number };
};

export type FakeExecution = {
  readonly id: string;
  readonly sql: string;
  readonly parameters: readonly string[];
  state: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
};

type Execution = FakeExecution & {
  readonly token: string;
  readonly request: string;
  readonly workgroup: string;
  readonly submittedAt: number;
  looks: number;
  reason: string | undefined;
  category: number | undefined;
  scannedBytes: number;
  result: TrinoResult | undefined;
  readonly work: Promise<void>;
};

type Input = Readonly<Record<string, unknown>>;

const invalid = (message: string) => jsonError(400, 'InvalidRequestException', message);

/** Athena over DuckDB: what the statement reads, it reads as Athena's tables have it. */
export function fakeAthena(
  options: FakeAthenaOptions,
): FakeService & { readonly executions: readonly FakeExecution[] } {
  const executions: Execution[] = [];
  return {
    service: 'athena',
    executions,
    async handle(request) {
      const input = inputOf(request);
      switch (request.operation) {
        case 'StartQueryExecution':
          return start(options, executions, input);
        case 'GetQueryExecution':
          return withExecution(executions, input, (execution) => look(options, execution));
        case 'StopQueryExecution':
          return withExecution(executions, input, stop);
        case 'GetQueryResults':
          return withExecution(executions, input, (execution) => results(execution, input));
        default:
          return undefined;
      }
    },
  };
}

function inputOf(request: FakeRequest): Input {
  const input: unknown = JSON.parse(request.body.toString('utf8') || '{}');
  return typeof input === 'object' && input !== null ? { ...input } : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function start(options: FakeAthenaOptions, executions: Execution[], input: Input): FakeResponse {
  const sql = text(input['QueryString']) ?? '';
  const token = text(input['ClientRequestToken']) ?? '';
  const workgroup = text(input['WorkGroup']) ?? 'primary';
  const context = input['QueryExecutionContext'];
  const database =
    typeof context === 'object' && context !== null && 'Database' in context
      ? text(context.Database)
      : undefined;
  const { ExecutionParameters: parameters = [] } = input;
  if (sql.length < 1 || sql.length > 262_144) return invalid('queryString has failed to satisfy its length');
  if (token.length < 32 || token.length > 128)
    return invalid('clientRequestToken must have 32 to 128 characters');
  if (!(options.workgroups ?? ['sshtrail']).includes(workgroup))
    return invalid(`WorkGroup ${workgroup} is not found.`);
  if (!Array.isArray(parameters) || parameters.some((each) => typeof each !== 'string' || each === ''))
    return invalid('executionParameters must be a list of texts');
  const request = JSON.stringify([sql, parameters, workgroup, context]);
  const known = executions.find((each) => each.token === token);
  if (known !== undefined && known.request !== request) return invalid('Idempotent parameters do not match');
  if (known !== undefined) return jsonAnswer({ QueryExecutionId: known.id });
  const execution: Execution = {
    id: randomUUID(),
    sql,
    parameters: parameters.map(String),
    token,
    request,
    workgroup,
    submittedAt: Date.now() / 1000,
    state: 'QUEUED',
    looks: 0,
    reason: undefined,
    category: undefined,
    scannedBytes: 0,
    result: undefined,
    work: Promise.resolve().then(() => run(options, execution, database)),
  };
  executions.push(execution);
  return jsonAnswer({ QueryExecutionId: execution.id });
}

/** Sets what the query comes to; its state changes as it is looked at. */
async function run(
  options: FakeAthenaOptions,
  execution: Execution,
  database: string | undefined,
): Promise<void> {
  const fail = (reason: string, category = 2) => {
    execution.reason = reason;
    execution.category = category;
  };
  const problems = options.trinoProblems?.(execution.sql) ?? [];
  if (problems.length > 0) return fail(`line 1:1: mismatched input. ${JSON.stringify(problems[0])}`);
  if (!(options.databases ?? ['sshtrail']).includes(database ?? 'default'))
    return fail(`SCHEMA_NOT_FOUND: line 1:15: Schema '${database}' does not exist`);
  try {
    const objects = eventObjects(await options.lake(), execution.sql);
    execution.scannedBytes = objects.reduce((sum, [, , bytes]) => sum + bytes.length, 0);
    if (options.scanCutoffBytes !== undefined && execution.scannedBytes > options.scanCutoffBytes)
      return fail('Query cancelled! : Bytes scanned limit was exceeded');
    const { events, screenText, accountTrail } = glueTables;
    const trail = [...((await options.accountTrail?.()) ?? [])];
    execution.result = await runTrino(statementOf(execution), [
      {
        name: events.name,
        columns: [...events.columns, ...events.partitionKeys],
        rows: objects.flatMap(([key, dt, bytes]) =>
          hiveRows(events.columns, key, bytes).map((row) => Object.assign(row, { dt })),
        ),
      },
      {
        name: screenText.name,
        columns: [...screenText.columns, ...screenText.partitionKeys],
        rows: [...(await options.lake())].flatMap(([key, bytes]) => {
          const dt = /^screen-text\/dt=(\d{4}-\d{2}-\d{2})\//.exec(key)?.[1];
          return dt === undefined
            ? []
            : hiveRows(screenText.columns, key, bytes).map((row) => Object.assign(row, { dt }));
        }),
      },
      {
        name: accountTrail.name,
        columns: [...accountTrail.columns, ...accountTrail.partitionKeys],
        rows: trail.flatMap(([key, bytes]) => {
          const [, region, day] = /CloudTrail\/([^/]+)\/(\d{4}\/\d{2}\/\d{2})\//.exec(key) ?? [];
          return cloudTrailRows(accountTrail.columns, key, bytes).map((row) =>
            Object.assign(row, { region, day }),
          );
        }),
      },
    ]);
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

/** Execution parameters are SQL literals, as EXECUTE ... USING takes them. */
function statementOf(execution: Execution): string {
  const values = execution.parameters.map((literal) => {
    const match = /^'((?:[^']|'')*)'$/.exec(literal);
    if (match === null) throw new Error(`COLUMN_NOT_FOUND: line 1:1: ${literal} cannot be resolved`);
    return (match[1] ?? '').replaceAll("''", "'");
  });
  return withParameters(execution.sql, values);
}

/** Objects of the partitions that the statement reads; of all where it does not say. */
function eventObjects(
  lake: ReadonlyMap<string, Uint8Array>,
  sql: string,
): readonly (readonly [key: string, dt: string, bytes: Uint8Array])[] {
  const ranges = [...sql.matchAll(/r\.dt BETWEEN '([0-9-]+)' AND '([0-9-]+)'/g)];
  return [...lake].flatMap(([key, bytes]) => {
    const dt = /^events\/dt=(\d{4}-\d{2}-\d{2})\/[^/]+\/[^/.][^/]*$/.exec(key)?.[1];
    if (dt === undefined) return [];
    const read = ranges.length === 0 || ranges.some(([, from = '', to = '']) => from <= dt && dt <= to);
    return read ? [[key, dt, bytes] as const] : [];
  });
}

async function withExecution(
  executions: readonly Execution[],
  input: Input,
  act: (execution: Execution) => Promise<FakeResponse> | FakeResponse,
): Promise<FakeResponse> {
  const id = text(input['QueryExecutionId']);
  const execution = executions.find((each) => each.id === id);
  return execution === undefined ? invalid(`QueryExecution ${id} was not found`) : act(execution);
}

async function look(options: FakeAthenaOptions, execution: Execution): Promise<FakeResponse> {
  const { queued, running } = options.looks ?? { queued: 1, running: 1 };
  execution.looks += 1;
  if (execution.state === 'QUEUED' && execution.looks > queued) execution.state = 'RUNNING';
  if (execution.state === 'RUNNING' && execution.looks > queued + running) {
    await execution.work;
    if (/Bytes scanned limit/.test(execution.reason ?? '')) execution.state = 'CANCELLED';
    else execution.state = execution.reason === undefined ? 'SUCCEEDED' : 'FAILED';
  }
  const ended = !['QUEUED', 'RUNNING'].includes(execution.state);
  const reason = ended ? execution.reason : undefined;
  return jsonAnswer({
    QueryExecution: {
      QueryExecutionId: execution.id,
      Query: execution.sql,
      StatementType: 'DML',
      WorkGroup: execution.workgroup,
      Status: {
        State: execution.state,
        SubmissionDateTime: execution.submittedAt,
        ...(reason === undefined ? {} : { StateChangeReason: reason }),
        ...(execution.state === 'FAILED'
          ? { AthenaError: { ErrorCategory: execution.category, Retryable: false, ErrorMessage: reason } }
          : {}),
      },
      Statistics: { DataScannedInBytes: ended ? execution.scannedBytes : 0 },
    },
  });
}

function stop(execution: Execution): FakeResponse {
  if (execution.state === 'QUEUED' || execution.state === 'RUNNING') execution.state = 'CANCELLED';
  return jsonAnswer({});
}

/** The first page begins with the columns' names. */
function results(execution: Execution, input: Input): FakeResponse {
  const { result } = execution;
  const { MaxResults: max = 1_000, NextToken: token } = input;
  if (execution.state !== 'SUCCEEDED' || result === undefined)
    return invalid(
      ['QUEUED', 'RUNNING'].includes(execution.state)
        ? `Query has not yet finished. Current state: ${execution.state}`
        : `Query did not finish successfully. Final query state: ${execution.state}`,
    );
  if (typeof max !== 'number' || max < 1 || max > 1_000)
    return invalid('MaxResults is more than maximum allowed length 1000.');
  const from = token === undefined ? 0 : Number(text(token)?.replace('row-', ''));
  if (!Number.isSafeInteger(from)) return invalid('Invalid NextToken');
  const all = [result.columns.map(({ name }) => name), ...result.rows];
  const page = all.slice(from, from + max);
  return jsonAnswer({
    ResultSet: {
      Rows: page.map((row) => ({
        Data: row.map((value) => (value === undefined ? {} : { VarCharValue: value })),
      })),
      ResultSetMetadata: {
        ColumnInfo: result.columns.map(({ name, type }) => ({
          CatalogName: 'hive',
          SchemaName: '',
          TableName: '',
          Name: name,
          Label: name,
          Type: type,
          Nullable: 'UNKNOWN',
          CaseSensitive: type === 'varchar',
        })),
      },
    },
    UpdateCount: 0,
    ...(from + max < all.length ? { NextToken: `row-${from + max}` } : {}),
  });
}
