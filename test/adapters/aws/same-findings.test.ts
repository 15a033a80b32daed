import { gzipSync } from 'node:zlib';
import { AthenaClient } from '@aws-sdk/client-athena';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createAthenaEngine } from '../../../adapters/aws/athena/index.ts';
import { openTemporaryLake } from '../../../adapters/local/duckdb/index.ts';
import type { AuditRecord, QueryEngine } from '../../../core/contract/index.ts';
import type { LakeEngine } from '../../../core/lake/index.ts';
import { type Runbook, type RunOptions, runRunbook, runWindow } from '../../../core/runbook/index.ts';
import { fakeActions, fakeJournal, fakeNotifier, memoryControlStore } from '../../core/runbook/fakes.ts';
import { sampleRunbook } from '../../core/runbook/sample-runbook.ts';
import { fakeAthena } from '../../fakes/aws/athena.ts';
import { startFakeAws } from '../../fakes/aws/fake-aws.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';
import { eventObjects, nowMs, recordsOfTests, shippedRunbooks, trinoProblems } from './lake-of-runbooks.ts';
import { lakePlace } from './lake-place.ts';

type Place = Pick<RunOptions, 'lakeEngine' | 'records' | 'cloudtrail'> & { readonly engine: QueryEngine };

const trail = [
  {
    eventID: '11111111-0000-4000-8000-000000000001',
    eventTime: '2026-11-20T11:45:00Z',
    eventName: 'AuthorizeSecurityGroupIngress',
    eventSource: 'ec2.amazonaws.com',
    eventCategory: 'Management',
    awsRegion: 'eu-central-1',
    sourceIPAddress: '203.0.113.9',
    recipientAccountId: '123456789012',
    requestParameters: { groupId: 'sg-1' },
    userIdentity: {
      type: 'IAMUser',
      principalId: 'AIDAEXAMPLE',
      arn: 'arn:aws:iam::123456789012:user/alice',
      userName: 'alice',
    },
  },
];

/** The same records behind each of the three engines. */
async function places(records: readonly AuditRecord[]): Promise<Readonly<Record<LakeEngine, Place>>> {
  const local = await openTemporaryLake(records);
  onTestFinished(() => local.close());
  const key = 'AWSLogs/123456789012/CloudTrail/eu-central-1/2026/11/20/x.json.gz';
  const aws = await startFakeAws({
    services: [
      fakeAthena({
        lake: async () => eventObjects(records),
        accountTrail: async () => new Map([[key, gzipSync(JSON.stringify({ Records: trail }))]]),
        trinoProblems,
      }),
    ],
  });
  onTestFinished(() => aws.close());
  const client = new AthenaClient(clientOptions(aws.endpoint));
  onTestFinished(() => client.destroy());
  const lake = await lakePlace({ lake: { managementEvents: () => trail } });
  await lake.sink.deliver(records);
  return {
    duckdb: { lakeEngine: 'duckdb', engine: local.engine },
    athena: {
      lakeEngine: 'athena',
      engine: createAthenaEngine({ client, workgroup: 'sshtrail', database: 'sshtrail', pollMs: 1 }),
      cloudtrail: { engine: 'athena', relation: 'cloudtrail_records' },
    },
    lake: {
      lakeEngine: 'lake',
      engine: lake.engine,
      records: lake.storeId,
      cloudtrail: { engine: 'lake', relation: lake.trailId },
    },
  };
}

/** What a run makes of its rows: findings, their columns and what is decided for each. */
async function foreseen(runbook: Runbook, place: Place) {
  const report = await runRunbook({
    control: memoryControlStore({ nowMs }),
    journal: fakeJournal(),
    notifier: fakeNotifier(),
    actions: fakeActions(),
    now: () => nowMs,
    ...place,
    runbook,
    window: runWindow(runbook.trigger, undefined, nowMs),
    dryRun: true,
    trigger: 'schedule',
  });
  return report.findings;
}

describe.each(shippedRunbooks().map((runbook) => [runbook.id, runbook] as const))('%s', (_, runbook) => {
  it('comes to the same findings and decisions on DuckDB, Athena and CloudTrail Lake', async () => {
    const { duckdb, athena, lake } = await places(recordsOfTests());

    const local = await foreseen(runbook, duckdb);

    expect(local.length).toBeGreaterThan(1);
    expect(await foreseen(runbook, athena)).toEqual(local);
    expect(await foreseen(runbook, lake)).toEqual(local);
  });
});

it('a session and the calls of the same person to AWS meet in one query, on Athena and on CloudTrail Lake', async () => {
  const first = recordsOfTests().find(({ errorCode }) => errorCode === undefined);
  if (first === undefined) throw new Error('no record');
  const record: AuditRecord = {
    ...first,
    eventName: 'StartSession',
    eventTime: '2026-11-20T11:40:00.000Z',
    userIdentity: { type: 'IAMUser', principalId: 'AIDAEXAMPLE', userName: 'alice' },
    additionalEventData: { sessionId: 's-1', ingestTime: '2026-11-20T11:40:00.000Z' },
  };
  const { athena, lake } = await places([record]);
  const runbook = sampleRunbook((yaml) =>
    yaml.replace(
      'FROM ${sessions} AS s\n',
      'FROM ${sessions} AS s JOIN ${cloudtrail} AS c ON c.person = s.user_name AND c.principal_id = s.principal_id\n',
    ),
  );

  const findings = await Promise.all([foreseen(runbook, athena), foreseen(runbook, lake)]);

  for (const found of findings)
    expect(found.map(({ finding }) => finding.columns)).toEqual([
      { session_id: 's-1', user_name: 'alice', still_open: 'true' },
    ]);
});
