import { readFileSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { glueTables } from '../../../core/contract/index.ts';
import { identityFromArn } from '../../../core/federation/index.ts';
import {
  cloudTrailColumns,
  derivedTable,
  derivedTableNames,
  eventColumns,
  parseCloudTrailRelation,
  sqlTokens,
} from '../../../core/lake/index.ts';
import { compileRunbook } from '../../../core/runbook/index.ts';
import { allRows, lines, sampleLake, sampleRecord } from '../../adapters/local/duckdb/sample-lake.ts';
import { sampleRunbook } from '../runbook/sample-runbook.ts';

const at = '2026-11-20T10:00:00Z';
const storeId = '0a1b2c3d-0000-4000-8000-0123456789ab';
const window = { fromMs: Date.UTC(2026, 10, 20, 9), toMs: Date.UTC(2026, 10, 20, 11) };

/** Somebody whom IAM knows, as CloudTrail spells them. */
const people = {
  user: {
    arn: 'arn:aws:iam::123456789012:user/team/alice',
    principalId: 'AIDAEXAMPLE',
    type: 'IAMUser',
    userName: 'alice',
  },
  person: {
    arn: 'arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_Engineers_0123456789abcdef/bob@example.com',
    principalId: 'AROAEXAMPLE:bob@example.com',
    type: 'AssumedRole',
  },
  role: {
    arn: 'arn:aws:sts::123456789012:assumed-role/Deploy/ci-42',
    principalId: 'AROAOTHER:ci-42',
    type: 'AssumedRole',
  },
} as const;

function trailRecord(identity: object, fields: object = {}): object {
  return {
    eventVersion: '1.11',
    userIdentity: { accountId: '123456789012', accessKeyId: 'ASIAEXAMPLE', ...identity },
    eventTime: at,
    eventSource: 'ec2.amazonaws.com',
    eventName: 'AuthorizeSecurityGroupIngress',
    awsRegion: 'eu-central-1',
    sourceIPAddress: '203.0.113.9',
    userAgent: 'aws-cli/2.32.0',
    requestParameters: { groupId: 'sg-1', ipPermissions: { items: [{ toPort: 22 }] } },
    responseElements: null,
    eventID: '11111111-0000-4000-8000-000000000001',
    readOnly: false,
    eventType: 'AwsApiCall',
    managementEvent: true,
    recipientAccountId: '123456789012',
    eventCategory: 'Management',
    ...fields,
  };
}

async function trailFile(dataDirectory: string, records: readonly object[] | Buffer): Promise<string> {
  const folder = join(
    dataDirectory,
    'lake',
    'cloudtrail',
    'AWSLogs',
    '123456789012',
    'CloudTrail',
    'eu-central-1',
  );
  await mkdir(folder, { recursive: true });
  const path = join(folder, '123456789012_CloudTrail_eu-central-1_20261120T1005Z_abc.json.gz');
  await writeFile(path, Buffer.isBuffer(records) ? records : gzipSync(JSON.stringify({ Records: records })));
  return path;
}

describe('${cloudtrail} over local files', () => {
  it('ties the SSH sessions of a person to their calls of AWS, in all three spellings of an identity', async () => {
    const lake = await sampleLake();
    const callers = Object.values(people).map(({ arn, principalId }) => {
      const identity = identityFromArn(arn, principalId);
      if (!identity.ok) throw new Error(identity.message);
      return identity.caller;
    });
    await lake.open(
      'gateway-1',
      '000001',
      lines(
        callers.map((caller) =>
          sampleRecord({
            session: `s-${caller.name}`,
            userIdentity: {
              type: caller.type,
              principalId: caller.principalId,
              userName: caller.name,
              arn: caller.arn,
            },
          }),
        ),
      ),
    );
    const strangers = [
      { type: 'Root', principalId: '123456789012', arn: 'arn:aws:iam::123456789012:root' },
      { type: 'AWSService', invokedBy: 'ec2.amazonaws.com' },
      { ...people.role, arn: 'arn:aws:sts::123456789012:assumed-role/AWSReservedSSO_x/ci-42' },
    ];
    await trailFile(
      lake.dataDirectory,
      [...Object.values(people), ...strangers].map((who) => trailRecord(who)),
    );
    const engine = await lake.engine();

    const joined = await allRows(
      engine,
      `SELECT s.session_id, s.user_name, c.event_name, c.user_name AS aws_user FROM ${derivedTable('sessions', { engine: 'duckdb' })} AS s
       JOIN ${derivedTable('cloudtrail', { engine: 'duckdb', cloudtrail: 'cloudtrail_records', window })} AS c
       ON c.person = s.user_name AND c.principal_id = s.principal_id ORDER BY 2`,
    );
    const persons = await allRows(engine, 'SELECT person FROM cloudtrail ORDER BY person NULLS LAST');

    expect(joined).toEqual(
      [
        ['Deploy+ci-42', 'ci-42'],
        ['alice', 'alice'],
        ['bob@example.com', 'bob@example.com'],
      ].map(([name, awsUser]) => ({
        session_id: `s-${name}`,
        user_name: name,
        event_name: 'AuthorizeSecurityGroupIngress',
        aws_user: awsUser,
      })),
    );
    expect(persons.map((row) => row['person'])).toEqual([
      'AWSReservedSSO_x+ci-42',
      'Deploy+ci-42',
      'alice',
      'bob@example.com',
      null,
      null,
    ]);
  });

  it('has typed columns, and the parameters as JSON text', async () => {
    const lake = await sampleLake();
    await trailFile(lake.dataDirectory, [
      trailRecord({
        ...people.user,
        sessionContext: { attributes: { mfaAuthenticated: 'true', creationDate: at } },
      }),
    ]);
    const engine = await lake.engine();

    const result = await engine.select('SELECT * FROM cloudtrail', { deadlineMs: 20_000 });
    const [row] = await allRows(
      engine,
      "SELECT c.*, json_extract_scalar(c.request, '$.groupId') AS group_id FROM cloudtrail AS c",
    );

    const types = { text: 'varchar', time: 'timestamp with time zone', flag: 'boolean', count: 'bigint' };
    expect(result.columns).toEqual(cloudTrailColumns.map(({ name, type }) => ({ name, type: types[type] })));
    expect(row).toMatchObject({
      event_time: '2026-11-20T10:00:00.000Z',
      mfa: true,
      user_name: 'alice',
      access_key_id: 'ASIAEXAMPLE',
      error_code: null,
      group_id: 'sg-1',
    });
  });

  it('keeps to management events and to the window', async () => {
    const lake = await sampleLake();
    const { eventCategory: _, ...old } = { ...trailRecord(people.user), eventCategory: '', eventName: 'Old' };
    await trailFile(lake.dataDirectory, [
      old,
      trailRecord(people.user, { eventName: 'GetObject', eventCategory: 'Data' }),
      trailRecord(people.user, { eventName: 'Before', eventTime: '2026-11-20T08:59:59Z' }),
      trailRecord(people.user, { eventName: 'First', eventTime: '2026-11-20T09:00:00Z' }),
      trailRecord(people.user, { eventName: 'After', eventTime: '2026-11-20T11:00:00Z' }),
    ]);
    const engine = await lake.engine();

    const rows = await allRows(
      engine,
      `SELECT c.event_name FROM ${derivedTable('cloudtrail', { engine: 'duckdb', cloudtrail: 'cloudtrail_records', window })} AS c ORDER BY 1`,
    );

    expect(rows.map((row) => row['event_name'])).toEqual(['First', 'Old']);
  });

  it('is empty where there are no files', async () => {
    const lake = await sampleLake();
    const engine = await lake.engine();

    expect(await allRows(engine, 'SELECT count(*) AS n FROM cloudtrail')).toEqual([{ n: 0n }]);
  });

  it('does not follow a link out of its folder, to a file or to another folder', async () => {
    const lake = await sampleLake();
    const path = await trailFile(lake.dataDirectory, [trailRecord(people.user)]);
    const secret = join(lake.dataDirectory, 'secret');
    await mkdir(secret);
    await writeFile(
      join(secret, 'x.json.gz'),
      gzipSync(JSON.stringify({ Records: [trailRecord(people.role)] })),
    );
    await symlink(join(secret, 'x.json.gz'), join(dirname(path), 'x.json.gz'));
    await symlink(secret, join(dirname(path), 'secret'));
    const engine = await lake.engine();

    const rows = await allRows(engine, 'SELECT user_name FROM cloudtrail');

    expect(rows).toEqual([{ user_name: 'alice' }]);
    await expect(
      allRows(
        engine,
        `SELECT * FROM read_json('${join(dirname(path), 'secret', 'x.json.gz')}') -- cloudtrail`,
      ),
    ).rejects.toMatchObject({ code: 'refused' });
  });

  it('names the file that is damaged', async () => {
    const lake = await sampleLake();
    await trailFile(lake.dataDirectory, Buffer.from('junk'));
    const engine = await lake.engine();

    await expect(allRows(engine, 'SELECT count(*) AS n FROM cloudtrail')).rejects.toMatchObject({
      code: 'unreadable',
      message: expect.stringContaining('20261120T1005Z_abc.json.gz'),
    });
  });
});

it('the page on queries describes every column', () => {
  const page = readFileSync(new URL('../../../docs/query.md', import.meta.url), 'utf8');
  const types = { text: 'varchar', time: 'timestamp with time zone', flag: 'boolean', count: 'bigint' };

  const missing = cloudTrailColumns.filter(
    ({ name, type, help }) => !page.includes(`| \`${name}\` | ${types[type]} | ${help} |`),
  );

  expect(missing).toEqual([]);
});

describe('the Glue tables', () => {
  /** Names that stand behind `r.` in the statement, but for functions. */
  function columnsRead(sql: string): readonly string[] {
    const tokens = sqlTokens(sql);
    return [
      ...new Set(
        tokens.flatMap((token, index) =>
          token.text === 'r' && tokens[index + 1]?.text === '.' ? [tokens[index + 2]?.text ?? ''] : [],
        ),
      ),
    ];
  }

  /** Paths like `useridentity.arn` in the statement, each with the struct it must be in. */
  function pathsRead(sql: string): readonly string[] {
    return [...new Set(sql.match(/(?<=\br\.)[a-z]+(?:\.[a-z]+)+/g) ?? [])];
  }

  it.each([
    ['events', glueTables.events, derivedTableNames.filter((name) => name !== 'cloudtrail')],
    ['accountTrail', glueTables.accountTrail, ['cloudtrail'] as const],
  ] as const)('%s has every column that Athena is asked for', (_, table, names) => {
    const known = new Map([...table.columns, ...table.partitionKeys]);
    const sql = names
      .map((name) =>
        derivedTable(name, { engine: 'athena', window, withoutRunbooks: true, cloudtrail: table.name }),
      )
      .join('\n');

    const missing = columnsRead(sql).filter((name) => !known.has(name));
    const missingFields = pathsRead(sql).filter((path) => {
      const [column = '', ...fields] = path.split('.');
      return !fields.every((field) => known.get(column)?.includes(`${field}:`));
    });

    expect(columnsRead(sql).length).toBeGreaterThan(12);
    expect([missing, missingFields]).toEqual([[], []]);
    expect(sql).toContain(`FROM ${table.name} AS r`);
  });

  it.each(Object.values(glueTables))(
    '$name is lower case, and its partitions are in its template',
    (table) => {
      const columns = [...table.columns, ...table.partitionKeys];

      expect(
        columns.filter(([name, type]) => name !== name.toLowerCase() || type !== type.toLowerCase()),
      ).toEqual([]);
      expect(new Set(columns.map(([name]) => name)).size).toBe(columns.length);
      for (const [name] of table.partitionKeys) {
        expect(table.partitionTemplate).toContain(`\${${name}}`);
        expect(table.parameters).toHaveProperty([`projection.${name}.type`]);
      }
      expect(JSON.parse(JSON.stringify(table))).toEqual(table);
    },
  );
});

describe('the columns of ${events}', () => {
  it('are as many as are named, and one more that tells records apart', () => {
    const sql = derivedTable('events', {
      engine: 'lake',
      records: storeId,
      columns: new Set(['mfa', 'mfa_at']),
    });

    const named = eventColumns.filter(({ name }) => sql.includes(` AS ${name}`)).map(({ name }) => name);

    expect(named).toEqual(['event_id', 'mfa', 'mfa_at']);
  });
});

describe('a runbook that reads ${cloudtrail}', () => {
  const runbook = sampleRunbook((yaml) =>
    yaml.replace(
      'FROM ${sessions} AS s\n',
      'FROM ${sessions} AS s JOIN ${cloudtrail} AS c ON c.person = s.user_name AND c.principal_id = s.principal_id\n',
    ),
  );

  it('is compiled for the table of its engine, within the days of the window', () => {
    const sql = compileRunbook(runbook, {
      engine: 'athena',
      ...window,
      cloudtrail: { engine: 'athena', relation: 'audit.cloudtrail_records' },
    });

    expect(sql).toContain('FROM audit.cloudtrail_records AS r');
    expect(sql).toContain("r.day BETWEEN '2026/11/20' AND '2026/11/21'");
  });

  it('is compiled for an event data store, without quotes', () => {
    const sql = compileRunbook(runbook, {
      engine: 'lake',
      ...window,
      records: '11111111-0000-4000-8000-0123456789ab',
      cloudtrail: { engine: 'lake', relation: storeId },
    });

    expect(sql).toContain(`FROM ${storeId} AS r WHERE`);
    expect(sql.length).toBeLessThan(10_000);
  });

  it.each(['athena', 'lake'] as const)(
    'says on %s that there is no such source, where there is none',
    (engine) => {
      expect(() => compileRunbook(runbook, { engine, ...window })).toThrow(
        expect.objectContaining({ code: 'source', message: expect.stringContaining('SSH-900') }),
      );
    },
  );

  it('says so where the source is of another engine', () => {
    const cloudtrail = { engine: 'lake', relation: storeId } as const;

    expect(() => compileRunbook(runbook, { engine: 'athena', ...window, cloudtrail })).toThrow(
      expect.objectContaining({ code: 'source', message: expect.stringContaining('CloudTrail Lake') }),
    );
  });
});

describe('the setting of the source', () => {
  it.each([
    ['cloudtrail_records', { engine: 'athena', relation: 'cloudtrail_records' }],
    [' audit.trail ', { engine: 'athena', relation: 'audit.trail' }],
    [storeId, { engine: 'lake', relation: storeId }],
    ['', undefined],
    ['  ', undefined],
  ])('%j is %j', (text, expected) => {
    expect(parseCloudTrailRelation(text)).toEqual(expected);
  });

  it.each(['x; DROP TABLE y', 'a.b.c', '(SELECT 1)', 'x--', '"x"', `${storeId}0`, "x'y", 'a b'])(
    '%j is refused',
    (text) => {
      expect(() => parseCloudTrailRelation(text)).toThrow(expect.objectContaining({ code: 'refused' }));
    },
  );
});
