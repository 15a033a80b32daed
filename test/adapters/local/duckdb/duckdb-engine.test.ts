import { mkdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { QueryError } from '../../../../core/lake/index.ts';
import { allRows, journalFiles, lines, pagesOf, sampleLake, sampleRecord } from './sample-lake.ts';

describe('reading the lake', () => {
  it('answers over an empty lake with columns and no rows', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    const result = await engine.select('SELECT event_time, user_name FROM events', { deadlineMs: 20_000 });

    expect(result.columns).toEqual([
      { name: 'event_time', type: 'timestamp with time zone' },
      { name: 'user_name', type: 'varchar' },
    ]);
    expect(await pagesOf(result)).toEqual([]);
  });

  it('reads sealed and open segments as one table, and says times as ISO text', async () => {
    const lake = await sampleLake();
    await lake.seal('2026-11-20', 'gateway-1', '000001', [sampleRecord({ userName: 'alice' })]);
    await lake.open(
      'gateway-1',
      '000002',
      lines([sampleRecord({ userName: 'bob', at: '2026-11-21T08:00:00.123Z' })]),
    );
    const engine = await lake.engine();

    const rows = await allRows(engine, 'SELECT user_name, event_time, dt FROM events ORDER BY user_name');

    expect(rows).toEqual([
      { user_name: 'alice', event_time: '2026-11-20T10:00:00.000Z', dt: '2026-11-20' },
      { user_name: 'bob', event_time: '2026-11-21T08:00:00.123Z', dt: '2026-11-21' },
    ]);
  });

  it('sees an event that was appended after the engine was opened', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();
    const before = await allRows(engine, 'SELECT count(*) AS n FROM events');

    await lake.open('gateway-1', '000001', lines([sampleRecord({})]));
    const after = await allRows(engine, 'SELECT count(*) AS n FROM events');

    expect([before, after]).toEqual([[{ n: 0n }], [{ n: 1n }]]);
  });

  it('leaves out the half-written last line of an open segment, even when it ends inside a character', async () => {
    const lake = await sampleLake();
    const whole = lines([sampleRecord({ userName: 'alice' })]);
    const half = Buffer.from(JSON.stringify(sampleRecord({ userName: 'Ж' })));
    const cut = half.indexOf(Buffer.from('Ж')) + 1;
    await lake.open('gateway-1', '000001', Buffer.concat([Buffer.from(whole), half.subarray(0, cut)]));
    const engine = await lake.engine();

    const rows = await allRows(engine, 'SELECT user_name FROM events');

    expect(rows).toEqual([{ user_name: 'alice' }]);
  });

  it('counts a record once when its segment has an open and a sealed form', async () => {
    const lake = await sampleLake();
    const records = [sampleRecord({}), sampleRecord({})];
    await lake.seal('2026-11-20', 'gateway-1', '000001', records);
    await lake.open('gateway-1', '000001', lines(records));
    const engine = await lake.engine();

    const rows = await allRows(engine, 'SELECT count(*) AS n FROM events');

    expect(rows).toEqual([{ n: 2n }]);
  });

  it('lists again when a segment was sealed between listing and reading', async () => {
    const lake = await sampleLake();
    const records = [sampleRecord({}), sampleRecord({})];
    const open = await lake.open('gateway-1', '000001', lines(records));
    let listings = 0;
    const engine = await lake.engine({
      openSegmentFiles: async (folder) => {
        listings += 1;
        const listed = await journalFiles(folder);
        if (listings === 1) {
          await lake.seal('2026-11-20', 'gateway-1', '000001', records);
          await rm(open);
        }
        return listed;
      },
    });

    const rows = await allRows(engine, 'SELECT count(*) AS n FROM events');

    expect({ rows, listings }).toEqual({ rows: [{ n: 2n }], listings: 2 });
  });

  it('does not follow a link in the journal', async () => {
    const lake = await sampleLake();
    const open = await lake.open('gateway-1', '000001', lines([sampleRecord({})]));
    await symlink(open, join(dirname(open), '000002.ndjson'));
    const engine = await lake.engine();

    const reading = allRows(engine, 'SELECT 1 FROM events');

    await expect(reading).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('gives up with the reason when what is listed never exists', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine({
      openSegmentFiles: async (folder) => [{ path: join(folder, 'journal', 'gateway-1', '9.ndjson') }],
    });

    const reading = allRows(engine, 'SELECT 1 FROM events');

    await expect(reading).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('reads only the days a query asks for', async () => {
    const lake = await sampleLake();
    await lake.seal('2026-11-20', 'gateway-1', '000001', [sampleRecord({})]);
    const other = await lake.seal('2026-11-10', 'gateway-1', '000000', [sampleRecord({})]);
    await writeFile(other, 'not gzip');
    const engine = await lake.engine();

    const rows = await allRows(engine, "SELECT count(*) AS n FROM events WHERE dt >= '2026-11-19'");

    expect(rows).toEqual([{ n: 1n }]);
  });

  it('passes over links and foreign files in the folder', async () => {
    const lake = await sampleLake();
    const sealed = await lake.seal('2026-11-20', 'gateway-1', '000001', [sampleRecord({})]);
    await writeFile(join(lake.dataDirectory, 'secret'), gzipSync(lines([sampleRecord({ userName: 'eve' })])));
    await symlink(join(lake.dataDirectory, 'secret'), join(dirname(sealed), '000002.ndjson.gz'));
    await writeFile(join(dirname(sealed), "x'; DROP TABLE.ndjson.gz"), 'junk');
    await writeFile(join(dirname(sealed), '.000003.ndjson.gz.tmp'), 'junk');
    const engine = await lake.engine();

    const rows = await allRows(engine, 'SELECT user_name FROM events');

    expect(rows).toEqual([{ user_name: 'alice' }]);
  });

  it.each([
    ['garbage', () => Buffer.from('garbage')],
    ['nothing', () => Buffer.alloc(0)],
    ['a line cut short', (gz: Buffer) => gzipSync(gunzipSync(gz).subarray(0, -20))],
    ['a gzip stream cut short', (gz: Buffer) => gz.subarray(0, gz.length - 40)],
  ])('names the sealed file that holds %s', async (_, damage) => {
    const lake = await sampleLake();
    const path = await lake.seal(
      '2026-11-20',
      'gateway-1',
      '000001',
      Array.from({ length: 50 }, () => sampleRecord({})),
    );
    await writeFile(path, damage(await readFile(path)));
    const engine = await lake.engine();

    const reading = allRows(engine, 'SELECT * FROM events');

    await expect(reading).rejects.toMatchObject({
      code: 'unreadable',
      message: expect.stringContaining('000001.ndjson.gz'),
    });
  });

  it('names the open segment that has a broken line before its last', async () => {
    const lake = await sampleLake();
    await lake.open(
      'gateway-1',
      '000007',
      `${lines([sampleRecord({})])}{"eventID":\n${lines([sampleRecord({})])}`,
    );
    const engine = await lake.engine();

    const reading = allRows(engine, 'SELECT * FROM events');

    await expect(reading).rejects.toMatchObject({
      code: 'unreadable',
      message: expect.stringContaining('000007.ndjson'),
    });
  });

  it('refuses a data folder whose name would be read as a pattern', async () => {
    const lake = await sampleLake();
    const odd = join(lake.dataDirectory, 'a[b]');
    await mkdir(odd);

    const opening = lake.engine({ dataDirectory: odd });

    await expect(opening).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('works in a folder whose path has quotes, spaces and an equals sign', async () => {
    const lake = await sampleLake();
    await lake.seal('2026-11-20', 'gateway-1', '000001', [sampleRecord({})]);
    const odd = `${lake.dataDirectory}/it's a=b`;
    await mkdir(odd);
    await rename(join(lake.dataDirectory, 'lake'), join(odd, 'lake'));
    const engine = await lake.engine({ dataDirectory: odd });

    const rows = await allRows(engine, 'SELECT user_name, dt FROM events');

    expect(rows).toEqual([{ user_name: 'alice', dt: '2026-11-20' }]);
  });
});

describe('views', () => {
  it('joins a session with its end, and leaves it open without one', async () => {
    const lake = await sampleLake();
    await lake.open(
      'gateway-1',
      '000001',
      lines([
        sampleRecord({ session: 's1', mfa: 'true' }),
        sampleRecord({ session: 's2' }),
        sampleRecord({
          eventName: 'EndSession',
          session: 's1',
          at: '2026-11-20T10:30:00.000Z',
          responseElements: { endReason: 'Revoked' },
        }),
      ]),
    );
    const engine = await lake.engine();

    const rows = await allRows(
      engine,
      'SELECT session_id, still_open, ended_at, end_reason, mfa FROM sessions ORDER BY session_id',
    );

    expect(rows).toEqual([
      {
        session_id: 's1',
        still_open: false,
        ended_at: '2026-11-20T10:30:00.000Z',
        end_reason: 'Revoked',
        mfa: true,
      },
      { session_id: 's2', still_open: true, ended_at: null, end_reason: null, mfa: null },
    ]);
  });

  it('lists commands and denials', async () => {
    const lake = await sampleLake();
    await lake.open(
      'gateway-1',
      '000001',
      lines([
        sampleRecord({
          eventName: 'ExecuteCommand',
          requestParameters: { command: "echo 'x'; rm -rf /" },
          responseElements: { exitStatus: '1' },
        }),
        sampleRecord({ eventName: 'DenyAccess', errorCode: 'AccessDenied' }),
        sampleRecord({ eventName: 'OpenPortForward', errorCode: 'AccessDenied' }),
        sampleRecord({}),
      ]),
    );
    const engine = await lake.engine();

    const commands = await allRows(engine, 'SELECT command, exit_status FROM commands');
    const denials = await allRows(engine, 'SELECT event_name FROM denials ORDER BY 1');

    expect(commands).toEqual([{ command: "echo 'x'; rm -rf /", exit_status: 1n }]);
    expect(denials).toEqual([{ event_name: 'DenyAccess' }, { event_name: 'OpenPortForward' }]);
  });

  it("runs the seed's queries over CloudTrailLogs as they are written", async () => {
    const lake = await sampleLake();
    await lake.open('gateway-1', '000001', lines([sampleRecord({ mfa: 'false' })]));
    const engine = await lake.engine();

    const surge = await allRows(
      engine,
      "SELECT * FROM CloudTrailLogs WHERE eventName = 'AuthorizeSecurityGroupIngress' AND errorCode = 'AccessDenied' AND eventSource = 'ssh-proxy-service.yourdomain.com' LIMIT 50",
    );
    const mfa = await allRows(
      engine,
      "SELECT * FROM CloudTrailLogs WHERE additionalEventData != 'MFAAuthenticated=True' AND eventSource LIKE '%ssh%' LIMIT 100",
    );

    expect(surge).toEqual([]);
    expect(mfa).toMatchObject([
      {
        eventname: 'StartSession',
        additionaleventdata: expect.stringContaining('"mfaAuthenticated":"false"'),
      },
    ]);
  });

  it('describes its columns', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    const rows = await allRows(engine, 'DESCRIBE events');

    expect(rows.map((row) => row['column_name'])).toContain('session_id');
  });
});

describe('the sandbox', () => {
  it.each([
    ['another file', "SELECT * FROM read_text('/etc/passwd')", 'refused'],
    ['a key beside the lake', "SELECT * FROM read_text('DATA/keys/ca')", 'refused'],
    ['a way up out of the folder', "SELECT * FROM read_text('DATA/lake/events/../../keys/ca')", 'refused'],
    ['a link out of the folder', "SELECT * FROM read_text('DATA/lake/events/link')", 'refused'],
    ['a listing', "SELECT * FROM glob('/*')", 'refused'],
    ['the network', "SELECT * FROM read_csv('http://192.0.2.1/x.csv')", 'refused'],
    ['an extension', 'INSTALL httpfs', 'refused'],
    ['writing inside the lake', "COPY (SELECT 1) TO 'DATA/lake/events/x.csv'", 'refused'],
    ['a setting', 'SET lock_configuration=false', 'refused'],
    ['a pragma', 'PRAGMA database_list', 'refused'],
    ['another database', "ATTACH 'DATA/x.db'", 'refused'],
    ['a procedure', 'CALL pragma_version()', 'refused'],
    ['two statements', 'SELECT 1; SELECT 2', 'refused'],
    ['a statement behind a SELECT', 'SELECT 1; DROP TABLE open_records', 'refused'],
    ['a writing statement behind WITH', 'WITH a AS (SELECT 1) DELETE FROM open_records', 'refused|invalid'],
    ['an explanation', 'EXPLAIN SELECT 1', 'refused'],
    ['nothing', ' -- only a comment', 'refused'],
    ['half a quote', "SELECT 'x", 'invalid'],
  ])('refuses %s', async (_, sql, codes) => {
    const lake = await sampleLake();
    await mkdir(join(lake.dataDirectory, 'keys'));
    await writeFile(join(lake.dataDirectory, 'keys', 'ca'), 'secret');
    const engine = await lake.engine();
    await symlink(join(lake.dataDirectory, 'keys', 'ca'), join(lake.dataDirectory, 'lake', 'events', 'link'));

    const reading = allRows(engine, sql.replaceAll('DATA', lake.dataDirectory));

    await expect(reading).rejects.toMatchObject({ code: expect.stringMatching(`^(${codes})$`) });
    expect(await allRows(engine, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('keeps terminal control bytes of a statement out of its message', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    const error: unknown = await allRows(engine, 'SELECT \u001b[2Jx FROM nowhere').catch(
      (reason: unknown) => reason,
    );

    expect(error).toBeInstanceOf(QueryError);
    expect(String(error)).not.toContain('\u001b');
  });
});

describe('limits', () => {
  const endless = 'SELECT count(*) FROM range(100000000000) AS a(x) WHERE x * x % 7 = 3';

  it('stops at the deadline', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    const reading = allRows(engine, endless, 200);

    await expect(reading).rejects.toMatchObject({ code: 'deadline' });
  });

  it('stops when the caller gives up', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();
    const controller = new AbortController();

    const reading = engine.select(endless, { deadlineMs: 60_000, signal: controller.signal });
    setTimeout(() => controller.abort(), 100);

    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
  });

  it('does not begin when the caller has given up already', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    const reading = engine.select('SELECT 1', { deadlineMs: 60_000, signal: AbortSignal.abort() });

    await expect(reading).rejects.toMatchObject({ code: 'aborted' });
  });

  it('hands rows out in pages, and can be left in the middle', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();
    const result = await engine.select('SELECT x FROM range(100000) AS a(x)', { deadlineMs: 20_000 });

    const sizes: number[] = [];
    for await (const page of result.rows) {
      sizes.push(page.length);
      if (sizes.length === 3) break;
    }

    expect(sizes).toEqual([2048, 2048, 2048]);
  });

  it('ends rows that nobody fetched at the deadline', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();
    const result = await engine.select('SELECT x FROM range(100000) AS a(x)', { deadlineMs: 100 });
    await new Promise((resolve) => setTimeout(resolve, 200));

    const reading = pagesOf(result);

    await expect(reading).rejects.toMatchObject({ code: 'deadline' });
  });

  it('ends what is running when it is closed', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();
    const result = await engine.select('SELECT x FROM range(100000) AS a(x)', { deadlineMs: 20_000 });

    await engine.close();

    await expect(pagesOf(result)).rejects.toBeInstanceOf(QueryError);
    await expect(engine.select('SELECT 1', { deadlineMs: 1_000 })).rejects.toMatchObject({ code: 'refused' });
  });

  it('runs many queries at once', async () => {
    const lake = await sampleLake();
    await lake.open('gateway-1', '000001', lines([sampleRecord({})]));
    const engine = await lake.engine();

    const answers = await Promise.all(
      Array.from({ length: 12 }, () => allRows(engine, 'SELECT count(*) AS n FROM events')),
    );

    expect(new Set(answers.map((rows) => rows[0]?.['n']))).toEqual(new Set([1n]));
  });

  it('fails rather than return less when a sealed file is cut while the rows are read', async () => {
    const lake = await sampleLake();
    const records = Array.from({ length: 200 }, () => sampleRecord({}));
    const path = await lake.seal('2026-11-20', 'gateway-1', '000001', records);
    const engine = await lake.engine();
    await truncate(path, 300);

    const reading = allRows(engine, 'SELECT * FROM events');

    await expect(reading).rejects.toMatchObject({ code: 'unreadable' });
  });
});

describe('cells', () => {
  it('keeps wide integers, and says everything else as text, number, list or object', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    const rows = await allRows(
      engine,
      `SELECT 9007199254740993 AS big, CAST(2 AS integer) AS small, 1.50 AS dec, CAST('1.123456789012345678901' AS decimal(30, 21)) AS wide,
        DATE '2026-11-20' AS day, from_iso8601_timestamp('2026-11-20T10:00:00.123456Z') AS micros,
        from_iso8601_timestamp('1969-12-31T23:59:59.999999Z') AS early,
        ARRAY[1, NULL] AS list, MAP(ARRAY['__proto__'], ARRAY['x']) AS map, CAST(ROW(1, 'a') AS ROW(n integer, t varchar)) AS pair,
        to_utf8('é') AS bytes, true AS yes, NULL AS nothing, 1 AS A, 2 AS a`,
    );

    expect(rows).toEqual([
      {
        big: 9007199254740993n,
        small: 2,
        dec: 1.5,
        wide: '1.123456789012345678901',
        day: '2026-11-20',
        micros: '2026-11-20T10:00:00.123456Z',
        early: '1969-12-31T23:59:59.999999Z',
        list: [1, null],
        map: Object.fromEntries([['__proto__', 'x']]),
        pair: { n: 1, t: 'a' },
        bytes: 'c3a9',
        yes: true,
        nothing: null,
        a: 1,
        a_1: 2,
      },
    ]);
  });
});
