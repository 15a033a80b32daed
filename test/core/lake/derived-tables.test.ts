import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openTemporaryLake } from '../../../adapters/local/duckdb/index.ts';
import type { AuditRecord } from '../../../core/contract/index.ts';
import {
  derivedTable,
  derivedTableNames,
  eventColumns,
  sessionColumnNames,
} from '../../../core/lake/index.ts';
import { givenRecords } from '../../../core/runbook/given-events.ts';
import { compileRunbook, parseRunbook, type Runbook } from '../../../core/runbook/index.ts';
import type { GivenEvent } from '../../../core/runbook/runbook.ts';
import { allRows } from '../../adapters/local/duckdb/sample-lake.ts';
import { TrinoSQL } from '../../support/trino-sql.ts';
import { lakeShapedRecords } from './lake-shapes.ts';

const nowMs = Date.UTC(2026, 10, 20, 12);
const folder = new URL('../../../runbooks/', import.meta.url);

function shippedRunbooks(): readonly Runbook[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.yaml'))
    .map((name) => {
      const parsed = parseRunbook(readFileSync(new URL(name, folder), 'utf8'), name);
      if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
      return parsed.runbook;
    });
}

/** All positive and negative sequences of all runbooks together, with the time in milliseconds that Lake wants. */
function manyRecords(): readonly AuditRecord[] {
  const records = shippedRunbooks().flatMap((runbook) =>
    runbook.tests.flatMap((test, index) =>
      givenRecords(
        test.given.map((given) => withSessions(given, `${runbook.id}-${index}`)),
        nowMs,
      ),
    ),
  );
  return records.map((record, index) =>
    Object.assign({}, record, {
      eventID: `e-${index}`,
      additionalEventData: Object.assign({}, record.additionalEventData, {
        eventTimeMs: String(Date.parse(record.eventTime)),
      }),
    }),
  );
}

/** Sessions of different tests are different sessions. */
function withSessions(given: GivenEvent, prefix: string): GivenEvent {
  const session = given.fields['session'];
  if (typeof session !== 'string') return given;
  return { ...given, fields: { ...given.fields, session: `${prefix}-${session}` } };
}

async function openLake(records: readonly AuditRecord[]) {
  const lake = await openTemporaryLake(records);
  onTestFinished(() => lake.close());
  return lake.engine;
}

describe('the derived tables', () => {
  it.each(derivedTableNames)('${%s} is SQL that Trino reads', (name) => {
    const parser = new TrinoSQL();

    const errors = (['athena', 'lake'] as const).map((engine) =>
      parser.validate(
        `SELECT * FROM ${derivedTable(name, { engine, window: { fromMs: 0, toMs: nowMs }, withoutRunbooks: true, cloudtrail: 'cloudtrail_records' })} AS e`,
      ),
    );

    expect(errors).toEqual([[], []]);
  });

  it('have the columns they say they have', async () => {
    const engine = await openLake([]);
    const columnsOf = async (name: 'events' | 'sessions') =>
      (
        await engine.select(`SELECT * FROM ${derivedTable(name, { engine: 'duckdb' })} AS e`, {
          deadlineMs: 20_000,
        })
      ).columns;

    const events = await columnsOf('events');
    const sessions = await columnsOf('sessions');

    const types = { text: 'varchar', time: 'timestamp with time zone', flag: 'boolean', count: 'bigint' };
    expect(events).toEqual(eventColumns.map(({ name, type }) => ({ name, type: types[type] })));
    expect(sessions.map(({ name }) => name)).toEqual(sessionColumnNames);
  });

  it('leave out what runbooks did, and only that', async () => {
    const acted = { agoMs: 60_000, repeat: 1, everyMs: 0, eventName: 'RevokeSession' as const };
    const engine = await openLake(
      givenRecords(
        [
          { ...acted, fields: { principal: 'runbook/SSH-002', type: 'ServiceIdentity' } },
          { ...acted, fields: { principal: 'runbook/SSH-002', type: 'LocalUser' } },
          { ...acted, fields: { principal: 'deploy-bot', type: 'ServiceIdentity' } },
        ],
        nowMs,
      ),
    );

    const rows = await allRows(
      engine,
      `SELECT user_name, principal_type FROM ${derivedTable('events', { engine: 'duckdb', withoutRunbooks: true })} AS e ORDER BY 1`,
    );

    expect(rows).toEqual([
      { user_name: 'deploy-bot', principal_type: 'ServiceIdentity' },
      { user_name: 'runbook/SSH-002', principal_type: 'LocalUser' },
    ]);
  });

  it('take a window by ingest time, its start in and its end out', async () => {
    const engine = await openLake(
      givenRecords(
        [
          {
            agoMs: 120_000,
            repeat: 3,
            everyMs: 60_000,
            eventName: 'StartSession',
            fields: { principal: 'p${n}' },
          },
          {
            agoMs: 600_000,
            repeat: 1,
            everyMs: 0,
            eventName: 'StartSession',
            fields: { principal: 'late', late: '500s' },
          },
        ],
        nowMs,
      ),
    );

    const rows = await allRows(
      engine,
      `SELECT user_name FROM ${derivedTable('events', { engine: 'duckdb', window: { fromMs: nowMs - 120_000, toMs: nowMs } })} AS e ORDER BY 1`,
    );

    expect(rows.map((row) => row['user_name'])).toEqual(['late', 'p1', 'p2']);
  });
});

describe.each(shippedRunbooks().map((runbook) => [runbook.id, runbook] as const))('%s', (_, runbook) => {
  const window = { fromMs: nowMs - runbook.trigger.lookbackMs, toMs: nowMs };

  it('compiles to SQL that Trino reads, for Athena and for CloudTrail Lake', () => {
    const parser = new TrinoSQL();

    const errors = (['athena', 'lake'] as const).map((engine) =>
      parser.validate(compileRunbook(runbook, { engine, ...window })),
    );

    expect(errors).toEqual([[], []]);
  });

  it('finds the same in all three shapes of the lake', async () => {
    const engine = await openLake(manyRecords());
    const found = async (sql: string) =>
      (await allRows(engine, sql, 50_000))
        .map((row) =>
          JSON.stringify(row, (__, value: unknown) => (typeof value === 'bigint' ? Number(value) : value)),
        )
        .sort();

    const local = await found(compileRunbook(runbook, { engine: 'duckdb', ...window }));
    const athena = await found(compileRunbook(runbook, { engine: 'athena', ...window }));
    const lake = await found(
      compileRunbook(runbook, { engine: 'lake', ...window, records: lakeShapedRecords }),
    );

    expect(local.length).toBeGreaterThan(1);
    expect(athena).toEqual(local);
    expect(lake).toEqual(local);
  });
});

it('the Trino parser that is the gate refuses what is not Trino', () => {
  const parser = new TrinoSQL();

  const accepted = [
    'SELECT x::bigint FROM t',
    'SELECT * EXCLUDE (a) FROM t',
    "SELECT ['a']",
    'SELEC 1',
  ].filter((sql) => parser.validate(sql).length === 0);

  expect(accepted).toEqual([]);
});
