import { AthenaClient } from '@aws-sdk/client-athena';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { createAthenaEngine } from '../../../../adapters/aws/athena/index.ts';
import type { AuditRecord } from '../../../../core/contract/index.ts';
import { QueryError } from '../../../../core/lake/index.ts';
import { type FakeAthenaOptions, fakeAthena } from '../../../fakes/aws/athena.ts';
import { type Fault, jsonError, startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { awsEndpoints, clientOptions } from '../../../support/aws-endpoints.ts';
import { allRows, pagesOf, sampleRecord } from '../../local/duckdb/sample-lake.ts';
import { eventObjects, trinoProblems } from '../lake-of-runbooks.ts';

type EngineOptions = Partial<Parameters<typeof createAthenaEngine>[0]>;

async function athena(
  options: Partial<FakeAthenaOptions> & {
    readonly records?: readonly object[];
    readonly engine?: EngineOptions;
  } = {},
) {
  const { records = [], engine: engineOptions, ...fakeOptions } = options;
  const service = fakeAthena({
    lake: async () => eventObjects(records as readonly AuditRecord[]),
    trinoProblems,
    ...fakeOptions,
  });
  const aws = await startFakeAws({ services: [service] });
  onTestFinished(() => aws.close());
  const client = new AthenaClient(clientOptions(aws.endpoint));
  onTestFinished(() => client.destroy());
  const engine = createAthenaEngine({
    client,
    workgroup: 'sshtrail',
    database: 'sshtrail',
    pollMs: 1,
    ...engineOptions,
  });
  onTestFinished(() => engine.close());
  return { aws, service, engine };
}

function throttledFirst(operation: string, times: number) {
  let left = times;
  return (request: { readonly operation: string | undefined }): Fault | undefined => {
    if (request.operation !== operation || left === 0) return undefined;
    left -= 1;
    return { kind: 'answer', ...jsonError(400, 'TooManyRequestsException', 'Rate exceeded') };
  };
}

describe('rows', () => {
  it('have the values DuckDB gives, by the type of their column', async () => {
    const { engine } = await athena();

    const rows = await allRows(
      engine,
      `SELECT true AS flag, CAST(7 AS integer) AS small, CAST(9007199254740993 AS bigint) AS wide, CAST(0.5 AS double) AS half,
       from_iso8601_timestamp('2026-11-20T10:15:30.412Z') AS at, CAST(NULL AS varchar) AS nothing, '' AS empty, 'true' AS word,
       ARRAY['a, b', 'c'] AS list, DATE '2026-11-20' AS day`,
    );

    expect(rows).toEqual([
      {
        flag: true,
        small: 7,
        wide: 9007199254740993n,
        half: 0.5,
        at: '2026-11-20T10:15:30.412Z',
        nothing: null,
        empty: '',
        word: 'true',
        list: '[a, b, c]',
        day: '2026-11-20',
      },
    ]);
  });

  it('come in pages of a thousand, without the line of names that Athena puts first', async () => {
    const { engine, aws } = await athena();

    const result = await engine.select(
      "SELECT CAST(t.i AS integer) AS i, 'x' AS x FROM (SELECT 1) AS one CROSS JOIN UNNEST(sequence(1, 2500)) AS t(i) ORDER BY 1",
      { deadlineMs: 20_000 },
    );
    const pages = await pagesOf(result);

    expect(pages.map((page) => page.length)).toEqual([999, 1000, 501]);
    expect(pages.flat().map((row) => row['i'])).toEqual(
      Array.from({ length: 2500 }, (_, index) => index + 1),
    );
    expect(result.columns).toEqual([
      { name: 'i', type: 'integer' },
      { name: 'x', type: 'varchar' },
    ]);
    expect(aws.calls.filter((call) => call === 'athena:GetQueryResults')).toHaveLength(3);
  });

  it('keep a first row that says the same as the names', async () => {
    const { engine } = await athena();

    const rows = await allRows(engine, "SELECT 'a' AS a");

    expect(rows).toEqual([{ a: 'a' }]);
  });

  it('keep both of two columns with one name', async () => {
    const { engine } = await athena();

    const rows = await allRows(engine, 'SELECT 1 AS n, 2 AS n');

    expect(rows).toEqual([{ n: 1, n_1: 2 }]);
  });

  it('are none where there are none', async () => {
    const { engine } = await athena();

    const result = await engine.select("SELECT eventid FROM ssh_records WHERE dt = '2026-11-20'", {
      deadlineMs: 20_000,
    });

    expect([result.columns, await pagesOf(result)]).toEqual([[{ name: 'eventid', type: 'varchar' }], []]);
  });

  it('take values for each ? as text, whatever is in them', async () => {
    const { engine, service } = await athena({
      records: [sampleRecord({ userName: "o'brien" }), sampleRecord({ userName: 'alice' })],
    });

    const result = await engine.select(
      "SELECT r.useridentity.username AS who, '?' AS mark FROM ssh_records AS r WHERE r.useridentity.username = ? AND ? = 'x'",
      { deadlineMs: 20_000, parameters: ["o'brien", 'x'] },
    );

    expect((await pagesOf(result)).flat()).toEqual([{ who: "o'brien", mark: '?' }]);
    expect(service.executions[0]?.parameters).toEqual(["'o''brien'", "'x'"]);
  });
});

describe('a statement', () => {
  it.each([
    ["INSERT INTO ssh_records SELECT 'x'", 'refused'],
    ["UNLOAD (SELECT 1) TO 's3://bucket/' WITH (format = 'PARQUET')", 'refused'],
    ['SELECT 1; SELECT 2', 'refused'],
    ['SELECT 1; DROP TABLE ssh_records', 'refused'],
    ['', 'refused'],
    [`SELECT '${'x'.repeat(262_144)}'`, 'refused'],
    ["SELECT 'x", 'invalid'],
    ['SELECT ? AS x', 'invalid'],
  ])('%.60s is %s before Athena hears of it', async (sql, code) => {
    const { engine, aws } = await athena();

    const reading = allRows(engine, sql);

    await expect(reading).rejects.toMatchObject({ code });
    expect(aws.calls).toEqual([]);
  });

  it('may end with a semicolon', async () => {
    const { engine } = await athena();

    const rows = await allRows(engine, "SELECT ';' AS mark ; ");

    expect(rows).toEqual([{ mark: ';' }]);
  });

  it('that is not Trino is refused by the parser, as at Athena', async () => {
    const { engine } = await athena();

    const reading = allRows(engine, 'SELECT eventid::varchar FROM ssh_records');

    await expect(reading).rejects.toMatchObject({ code: 'invalid' });
  });
});

describe('a query', () => {
  it('never takes the result of an earlier one', async () => {
    const { engine, aws } = await athena();
    let reuse: unknown;
    aws.inject((request) => {
      if (request.operation === 'StartQueryExecution')
        reuse = JSON.parse(request.body.toString()).ResultReuseConfiguration;
      return undefined;
    });

    await allRows(engine, 'SELECT 1');

    expect(reuse).toEqual({ ResultReuseByAgeConfiguration: { Enabled: false } });
  });

  it('that fails says why, on one printable line', async () => {
    const { engine } = await athena();

    const error = await allRows(engine, 'SELECT "\u001b[2Jnothing" FROM ssh_records').catch((each) => each);

    expect(error).toBeInstanceOf(QueryError);
    expect(error.code).toBe('invalid');
    expect(error.message).toMatch(/^the query failed at Athena: [\x20-\x7e]+$/);
  });

  it('that reads more than the workgroup allows says so', async () => {
    const { engine } = await athena({ records: [sampleRecord({})], scanCutoffBytes: 10 });

    const reading = allRows(engine, 'SELECT eventid FROM ssh_records');

    await expect(reading).rejects.toMatchObject({
      code: 'scan-limit',
      message: expect.stringContaining('narrow it with dt'),
    });
  });

  it('that meets an object which is not what was written says which', async () => {
    const { engine } = await athena({
      lake: async () =>
        new Map([['events/dt=2026-11-20/task-1/000000000001.ndjson.gz', Buffer.from('junk')]]),
    });

    const reading = allRows(engine, 'SELECT eventid FROM ssh_records');

    await expect(reading).rejects.toMatchObject({
      code: 'unreadable',
      message: expect.stringContaining('task-1/000000000001.ndjson.gz'),
    });
  });

  it('that somebody stops at Athena is cancelled', async () => {
    const { engine, service } = await athena({
      looks: { queued: 1, running: 1_000_000 },
    });
    const reading = allRows(engine, 'SELECT 1');

    const watching = setInterval(() => {
      for (const execution of service.executions) execution.state = 'CANCELLED';
    }, 5);
    onTestFinished(() => clearInterval(watching));

    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
  });

  it('that is slower than its deadline is stopped there, and then is over here', async () => {
    const { engine, service, aws } = await athena({ looks: { queued: 1, running: 1_000_000 } });

    const reading = allRows(engine, 'SELECT 1', 300);

    await expect(reading).rejects.toMatchObject({ code: 'deadline' });
    expect(service.executions.map(({ state }) => state)).toEqual(['CANCELLED']);
    expect(aws.calls.filter((call) => call === 'athena:StopQueryExecution')).toHaveLength(1);
  });

  it('that cannot be stopped says that it may still run', async () => {
    const { engine, aws } = await athena({ looks: { queued: 1, running: 1_000_000 } });
    aws.inject((request) =>
      request.operation === 'StopQueryExecution'
        ? { kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'no') }
        : undefined,
    );

    const reading = allRows(engine, 'SELECT 1', 200);

    await expect(reading).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringMatching(/may still run.*athena:StopQueryExecution/),
    });
  });

  it('that the caller gives up is stopped', async () => {
    const { engine, service } = await athena({ looks: { queued: 1, running: 1_000_000 } });
    const controller = new AbortController();
    const reading = engine.select('SELECT 1', { deadlineMs: 20_000, signal: controller.signal });

    await expect.poll(() => service.executions.length).toBe(1);
    controller.abort();

    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
    expect(service.executions.map(({ state }) => state)).toEqual(['CANCELLED']);
  });

  it('is not begun for a caller who has given up already', async () => {
    const { engine, aws } = await athena();

    const reading = engine.select('SELECT 1', { deadlineMs: 20_000, signal: AbortSignal.abort() });

    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
    expect(aws.calls).toEqual([]);
  });

  it('that runs when the engine is closed is stopped', async () => {
    const { engine, service } = await athena({ looks: { queued: 1, running: 1_000_000 } });
    const reading = engine.select('SELECT 1', { deadlineMs: 20_000 }).catch((error: unknown) => error);

    await expect.poll(() => service.executions.length).toBe(1);
    await engine.close();

    expect(await reading).toMatchObject({ code: 'aborted' });
    expect(service.executions.map(({ state }) => state)).toEqual(['CANCELLED']);
    await expect(engine.select('SELECT 1', { deadlineMs: 1_000 })).rejects.toMatchObject({ code: 'refused' });
  });
});

describe('faults of the service', () => {
  it.each(['StartQueryExecution', 'GetQueryExecution', 'GetQueryResults'])(
    'are waited out when %s is throttled',
    async (operation) => {
      const { engine, aws, service } = await athena({ engine: { sleep: async () => undefined } });
      aws.inject(throttledFirst(operation, 3));

      const rows = await allRows(engine, 'SELECT 1 AS one');

      expect(rows).toEqual([{ one: 1 }]);
      expect(service.executions).toHaveLength(1);
    },
  );

  it('start one query only, also when the answer to its start is lost', async () => {
    const { engine, aws, service } = await athena({ engine: { sleep: async () => undefined } });
    let lost = 0;
    aws.inject((request) => {
      if (request.operation !== 'StartQueryExecution' || lost === 2) return undefined;
      lost += 1;
      return { kind: 'lose-answer' };
    });

    const rows = await allRows(engine, 'SELECT 1 AS one');

    expect([rows, lost, service.executions.length]).toEqual([[{ one: 1 }], 2, 1]);
  });

  it('that last until the deadline are named in it', async () => {
    const { engine, aws } = await athena();
    aws.inject(throttledFirst('StartQueryExecution', Number.POSITIVE_INFINITY));

    const reading = allRows(engine, 'SELECT 1', 300);

    await expect(reading).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('TooManyRequestsException'),
    });
  });

  it.each([
    ['AccessDeniedException', 'denied', 'athena:StartQueryExecution'],
    ['UnrecognizedClientException', 'unavailable', 'renew them'],
    ['InvalidRequestException', 'invalid', 'refused the query'],
  ])('%s is %s', async (name, code, text) => {
    const { engine, aws } = await athena();
    aws.inject(() => ({ kind: 'answer', ...jsonError(400, name, 'no, \u001b[2Jnot here') }));

    const error = await allRows(engine, 'SELECT 1').catch((each) => each);

    expect(error).toMatchObject({ code, message: expect.stringContaining(text) });
    expect(error.message).not.toContain('\u001b');
    expect(error.cause).toBeInstanceOf(Error);
  });

  it('a workgroup that is not there is named', async () => {
    const { engine } = await athena({ engine: { workgroup: 'other' } });

    const reading = allRows(engine, 'SELECT 1');

    await expect(reading).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('WorkGroup other is not found'),
    });
  });
});

const endpoints = await awsEndpoints(fakeAthena({ lake: async () => new Map(), workgroups: ['primary'] }));

describe.each(endpoints)('over $name', ({ name, endpoint }) => {
  const client = new AthenaClient(clientOptions(endpoint));
  afterAll(() => client.destroy());

  it('a query is started, waited for and read', async () => {
    const engine = createAthenaEngine({ client, workgroup: 'primary', database: 'sshtrail', pollMs: 1 });
    if (name === 'moto') await cannedResult(endpoint);

    const result = await engine.select("SELECT 'alice' AS who, CAST(2 AS bigint) AS n", {
      deadlineMs: 20_000,
    });

    expect([result.columns, (await pagesOf(result)).flat()]).toEqual([
      [
        { name: 'who', type: 'varchar' },
        { name: 'n', type: 'bigint' },
      ],
      [{ who: 'alice', n: 2n }],
    ]);
  });
});

/** Moto runs no SQL; the next result it gives is the one that is put here. */
async function cannedResult(endpoint: string): Promise<void> {
  const column = (name: string, type: string) => ({ Name: name, Label: name, Type: type });
  const row = (...values: readonly string[]) => ({ Data: values.map((value) => ({ VarCharValue: value })) });
  const response = await fetch(`${endpoint}/moto-api/static/athena/query-results`, {
    method: 'POST',
    body: JSON.stringify({
      account_id: '123456789012',
      region: 'eu-central-1',
      results: [
        {
          rows: [row('who', 'n'), row('alice', '2')],
          column_info: [column('who', 'varchar'), column('n', 'bigint')],
        },
      ],
    }),
  });
  expect(response.status).toBe(201);
}
