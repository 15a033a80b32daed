import { StartQueryCommand } from '@aws-sdk/client-cloudtrail';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { AuditRecord } from '../../../../core/contract/index.ts';
import { derivedTable } from '../../../../core/lake/index.ts';
import { type Fault, jsonError } from '../../../fakes/aws/fake-aws.ts';
import { allRows, pagesOf, sampleRecord } from '../../local/duckdb/sample-lake.ts';
import { lakePlace } from '../lake-place.ts';

function record(fields: Parameters<typeof sampleRecord>[0]): AuditRecord {
  return sampleRecord(fields) as AuditRecord;
}

function faultFirst(operation: string, times: number, code: string) {
  let left = times;
  return (request: { readonly operation: string | undefined }): Fault | undefined => {
    if (request.operation !== operation || left === 0) return undefined;
    left -= 1;
    return { kind: 'answer', ...jsonError(400, code, 'no') };
  };
}

describe('rows', () => {
  it('have the types of the columns whose names they bear, and are text elsewhere', async () => {
    const { engine, sink, storeId } = await lakePlace();
    await sink.deliver([
      record({
        eventName: 'EndSession',
        session: 's-1',
        mfa: 'true',
        at: '2026-11-20T10:15:30.412Z',
        responseElements: { exitStatus: '9007199254740993', seconds: '7' },
      }),
    ]);

    const events = derivedTable('events', {
      engine: 'lake',
      records: storeId,
      columns: new Set([
        'mfa',
        'event_time',
        'exit_status',
        'break_glass',
        'session_id',
        'user_name',
        'seconds',
      ]),
    });

    const rows = await allRows(
      engine,
      `SELECT e.mfa, e.event_time, e.exit_status, e.break_glass, e.session_id, e.user_name,
       max(e.event_time) AS last_seen, count(*) AS n, max(e.seconds) AS seconds, 'true' AS word, ARRAY['a', 'b'] AS list
       FROM ${events} AS e GROUP BY 1, 2, 3, 4, 5, 6`,
    );

    expect(rows).toEqual([
      {
        mfa: true,
        event_time: '2026-11-20T10:15:30.412Z',
        exit_status: 9007199254740993n,
        break_glass: null,
        session_id: 's-1',
        user_name: 'alice',
        last_seen: '2026-11-20T10:15:30.412Z',
        n: '1',
        seconds: 7n,
        word: 'true',
        list: '[a, b]',
      },
    ]);
  });

  it('leave the text of a text column alone, whatever it looks like', async () => {
    const { engine, sink, storeId } = await lakePlace({ sink: { includeCommands: true } });
    await sink.deliver([
      record({ eventName: 'ExecuteCommand', requestParameters: { command: '2026-11-20 10:15:30.412 UTC' } }),
    ]);
    const commands = derivedTable('commands', {
      engine: 'lake',
      records: storeId,
      columns: new Set(['command']),
    });

    const rows = await allRows(engine, `SELECT c.command FROM ${commands} AS c`);

    expect(rows).toEqual([{ command: '2026-11-20 10:15:30.412 UTC' }]);
  });

  it('come in pages of a thousand', async () => {
    const { engine, storeId, aws } = await lakePlace();

    const result = await engine.select(
      `SELECT t.i FROM (SELECT count(*) AS n FROM ${storeId}) AS one CROSS JOIN UNNEST(sequence(1, 2500)) AS t(i)`,
      { deadlineMs: 20_000 },
    );
    const pages = await pagesOf(result);

    expect(pages.map((page) => page.length)).toEqual([1000, 1000, 500]);
    expect(result.columns).toEqual([{ name: 'i', type: 'varchar' }]);
    expect(aws.calls.filter((call) => call === 'cloudtrail:GetQueryResults')).toHaveLength(3);
  });

  it('are none where there are none', async () => {
    const { engine, storeId } = await lakePlace();

    const rows = await allRows(engine, `SELECT eventid FROM ${storeId}`);

    expect(rows).toEqual([]);
  });

  it('hold a record once that was delivered twice', async () => {
    const { engine, sink, storeId } = await lakePlace();
    const one = record({ session: 's-1' });
    await sink.deliver([one]);
    await sink.deliver([one]);
    const events = derivedTable('events', {
      engine: 'lake',
      records: storeId,
      columns: new Set(['session_id']),
    });

    const raw = await allRows(engine, `SELECT count(*) AS n FROM ${storeId}`);
    const rows = await allRows(engine, `SELECT e.session_id FROM ${events} AS e`);

    expect([raw, rows]).toEqual([[{ n: '2' }], [{ session_id: 's-1' }]]);
  });

  it('take values for each ? as quoted text', async () => {
    const { engine, storeId } = await lakePlace();

    const result = await engine.select(`SELECT ? AS who, '?' AS mark, count(*) AS n FROM ${storeId}`, {
      deadlineMs: 20_000,
      parameters: ["o'brien' OR 1=1 --"],
    });

    expect((await pagesOf(result)).flat()).toEqual([{ who: "o'brien' OR 1=1 --", mark: '?', n: '0' }]);
  });
});

describe('a statement', () => {
  it('of more than ten thousand characters is refused before the call, with its length', async () => {
    const { engine, storeId, aws } = await lakePlace();
    const before = aws.calls.length;

    const reading = allRows(engine, `SELECT '${'x'.repeat(10_000)}' AS x FROM ${storeId}`);

    await expect(reading).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringMatching(/has 100\d\d characters and CloudTrail Lake takes 10000/),
    });
    expect(aws.calls.length).toBe(before);
  });

  it('that reads another place than the event data store is refused', async () => {
    const { engine, storeId } = await lakePlace();

    const reading = allRows(engine, 'SELECT 1 FROM ssh_records');

    await expect(reading).rejects.toMatchObject({
      code: 'refused',
      message: expect.stringContaining(`FROM ${storeId}`),
    });
  });

  it.each(['DELETE FROM x', 'SELECT 1; SELECT 2'])('%s is refused', async (sql) => {
    const { engine } = await lakePlace();

    await expect(allRows(engine, sql)).rejects.toMatchObject({ code: 'refused' });
  });

  it('that fails says why', async () => {
    const { engine, storeId } = await lakePlace();

    const reading = allRows(engine, `SELECT nothing FROM ${storeId}`);

    await expect(reading).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('failed at CloudTrail Lake'),
    });
  });
});

describe('limits', () => {
  it('of ten queries at a time are waited for', async () => {
    const { engine, client, lake, storeId, aws } = await lakePlace();
    for (let n = 0; n < 10; n += 1)
      await client.send(new StartQueryCommand({ QueryStatement: `SELECT ${n} FROM ${storeId}` }));
    const reading = allRows(engine, `SELECT count(*) AS n FROM ${storeId}`);

    await expect
      .poll(() => aws.calls.filter((call) => call === 'cloudtrail:StartQuery').length)
      .toBeGreaterThan(10);
    const before = lake.queries.length;
    for (const query of lake.queries) Object.assign(query, { state: 'CANCELLED' });

    expect(before).toBe(10);
    expect(await reading).toEqual([{ n: '0' }]);
  });

  it('that last until the deadline are named in it', async () => {
    const { engine, client, storeId } = await lakePlace();
    for (let n = 0; n < 10; n += 1)
      await client.send(new StartQueryCommand({ QueryStatement: `SELECT ${n} FROM ${storeId}` }));

    const reading = allRows(engine, `SELECT count(*) AS n FROM ${storeId}`, 300);

    await expect(reading).rejects.toMatchObject({
      code: 'deadline',
      message: expect.stringContaining('MaxConcurrentQueriesException'),
    });
  });

  it.each(['StartQuery', 'DescribeQuery', 'GetQueryResults'])(
    'of the rate of %s are waited out',
    async (operation) => {
      const { engine, aws, storeId } = await lakePlace({ engine: { sleep: async () => undefined } });
      aws.inject(faultFirst(operation, 3, 'ThrottlingException'));

      const rows = await allRows(engine, `SELECT count(*) AS n FROM ${storeId}`);

      expect(rows).toEqual([{ n: '0' }]);
    },
  );

  it('of time cancel the query', async () => {
    const { engine, lake, storeId } = await lakePlace({ lake: { looks: { queued: 1, running: 1_000_000 } } });

    const reading = allRows(engine, `SELECT count(*) AS n FROM ${storeId}`, 300);

    await expect(reading).rejects.toMatchObject({ code: 'deadline' });
    expect(lake.queries.map(({ state }) => state)).toEqual(['CANCELLED']);
  });

  it('of the caller cancel it too', async () => {
    const { engine, lake, storeId } = await lakePlace({ lake: { looks: { queued: 1, running: 1_000_000 } } });
    const controller = new AbortController();
    const reading = engine.select(`SELECT count(*) AS n FROM ${storeId}`, {
      deadlineMs: 20_000,
      signal: controller.signal,
    });

    await expect.poll(() => lake.queries.length).toBe(1);
    controller.abort();

    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
    expect(lake.queries.map(({ state }) => state)).toEqual(['CANCELLED']);
  });

  it('that CloudTrail sets itself are told', async () => {
    const { engine, lake, storeId } = await lakePlace({ lake: { looks: { queued: 1, running: 1_000_000 } } });
    const reading = allRows(engine, `SELECT count(*) AS n FROM ${storeId}`);
    const watching = setInterval(() => {
      for (const query of lake.queries) Object.assign(query, { state: 'CANCELLED' });
    }, 5);
    onTestFinished(() => clearInterval(watching));

    await expect(reading).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('faults', () => {
  it.each([
    ['AccessDeniedException', 'denied', 'cloudtrail:StartQuery'],
    ['UnsupportedOperationException', 'unavailable', 'run on Athena'],
    ['InactiveEventDataStoreException', 'unavailable', 'event data store'],
    ['InvalidQueryStatementException', 'invalid', 'refused the query'],
    ['ExpiredTokenException', 'unavailable', 'renew them'],
  ])('%s is %s', async (name, code, text) => {
    const { engine, aws, storeId } = await lakePlace();
    aws.inject(faultFirst('StartQuery', 1, name));

    const reading = allRows(engine, `SELECT count(*) AS n FROM ${storeId}`);

    await expect(reading).rejects.toMatchObject({ code, message: expect.stringContaining(text) });
  });
});
