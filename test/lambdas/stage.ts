import { randomBytes } from 'node:crypto';
import { gunzipSync } from 'node:zlib';
import { AthenaClient } from '@aws-sdk/client-athena';
import { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { S3Client } from '@aws-sdk/client-s3';
import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { onTestFinished } from 'vitest';
import { createAthenaEngine, createDynamoControlStore, createS3BlobStore } from '../../adapters/aws/index.ts';
import type { AuditRecord, ControlStore } from '../../core/contract/index.ts';
import { givenRecords, testSessionId } from '../../core/runbook/given-events.ts';
import { type ActParts, act } from '../../lambdas/act/act.ts';
import { chooseLake } from '../../lambdas/run-runbook/choose-lake.ts';
import { type AutomationStart, type RunParts, runRunbooks } from '../../lambdas/run-runbook/run-runbook.ts';
import {
  closing,
  createCount,
  createLog,
  openInvocation,
  readRunbookSettings,
  readRunbooks,
  runbooksFolder,
} from '../../lambdas/shared/index.ts';
import { eventObjects } from '../adapters/aws/lake-of-runbooks.ts';
import { fakeNotifier } from '../core/runbook/fakes.ts';
import { fakeAthena } from '../fakes/aws/athena.ts';
import { fakeCloudTrailLake } from '../fakes/aws/cloudtrail-lake.ts';
import { fakeDynamoDb } from '../fakes/aws/dynamodb.ts';
import { createControlTable } from '../fakes/aws/dynamodb-control-table.ts';
import { type FakeService, startFakeAws } from '../fakes/aws/fake-aws.ts';
import { fakeS3 } from '../fakes/aws/s3.ts';
import { fakeSsmParameters } from '../fakes/aws/ssm-parameters.ts';
import { clientOptions } from '../support/aws-endpoints.ts';

export const startMs = Date.UTC(2026, 10, 20, 12);
export const minuteMs = 60_000;
const executionId = '0f8fad5b-d9cb-469f-a165-70867728950e';

export type Stage = Awaited<ReturnType<typeof openStage>>;

export function sessionName(n: number): string {
  return testSessionId(`s${n}`);
}

/** Sessions of people without a second factor that started some minutes before. */
export function sessionsWithoutMfa(count: number, nowMs: number, from = 1): readonly AuditRecord[] {
  const given = Array.from({ length: count }, (_, index) => ({
    agoMs: 5 * minuteMs,
    repeat: 1,
    everyMs: 0,
    eventName: 'StartSession' as const,
    fields: { session: `s${from + index}`, principal: `user${from + index}`, mfa: false },
  }));
  return givenRecords(given, nowMs);
}

/** The functions' world over HTTP, with one deployment in it. Gone when the test is over. */
export async function openStage(
  options: {
    readonly mode?: 'auto' | 'dry-run' | 'off';
    readonly lakeParameter?: string;
    readonly services?: readonly FakeService[];
  } = {},
) {
  const s3 = fakeS3({ buckets: ['evidence', 'journal'] });
  const parameters = fakeSsmParameters();
  const athena = fakeAthena({
    lake: async () =>
      new Map(
        [...s3.objects('evidence')].flatMap(([key, { body }]) =>
          key.startsWith('events/') ? [[key, body]] : [],
        ),
      ),
  });
  const lake = fakeCloudTrailLake({ account: '123456789012', region: 'eu-central-1', entitled: false });
  const aws = await startFakeAws({
    services: [s3, fakeDynamoDb(), athena, parameters, lake, ...(options.services ?? [])],
  });
  onTestFinished(() => aws.close());
  const { client: dynamoDb, table } = await createControlTable(aws.endpoint);
  const made = clientOptions(aws.endpoint);
  const clients = {
    s3: new S3Client({ ...made, forcePathStyle: true }),
    dynamoDb,
    eventBridge: new EventBridgeClient(made),
    ssm: new SSMClient(made),
  };
  const athenaClient = new AthenaClient(made);
  const cloudTrail = new CloudTrailClient(made);
  onTestFinished(() => {
    for (const client of [clients.s3, clients.eventBridge, clients.ssm, athenaClient, cloudTrail])
      client.destroy();
  });
  await configure(clients.ssm, options.mode ?? 'auto');
  const clock = { nowMs: startMs };
  const now = () => clock.nowMs;
  const environment = {
    SSHTRAIL_NAME: 'sshtrail',
    SSHTRAIL_EVENT_SOURCE: 'ssh-proxy.example.com',
    SSHTRAIL_ACCOUNT: '123456789012',
    SSHTRAIL_EVIDENCE_BUCKET: 'evidence',
    SSHTRAIL_JOURNAL_BUCKET: 'journal',
    SSHTRAIL_CONTROL_TABLE: table,
    SSHTRAIL_EVENT_BUS: 'sshtrail',
    SSHTRAIL_LAKE_CHANNEL_PARAMETER: '',
  };
  const control: ControlStore = createDynamoControlStore({ client: dynamoDb, table, now });
  const evidence = createS3BlobStore({ client: clients.s3, bucket: 'evidence' });
  const notifier = fakeNotifier();
  const executions = new Map<string, AutomationStart>();
  const lines: string[] = [];
  const runbooks = readRunbooks(runbooksFolder(undefined));
  const state = {
    startFailure: undefined as Error | undefined,
    /** What happens while a function waits. */
    whileWaiting: async () => undefined as unknown,
  };

  function opened(functionName: 'run-runbook' | 'act') {
    const write = (line: string) => void lines.push(line);
    const log = createLog(write, { function: functionName, requestId: 'r-1', now });
    const count = createCount(write, { function: functionName, now });
    const invocation = openInvocation({
      environment,
      region: 'eu-central-1',
      clients,
      functionName,
      log,
      count,
      now,
      randomBytes,
      fetch,
    });
    const parts = {
      invocation,
      runbooks,
      settings: () => readRunbookSettings(clients.ssm, '/sshtrail/sshtrail'),
      notifier,
      log,
      count,
      now,
      sleep: async (ms: number) => {
        clock.nowMs += ms;
        await state.whileWaiting();
      },
    };
    return { invocation, log, parts };
  }

  return {
    aws,
    s3,
    athena,
    clients,
    clock,
    control,
    evidence,
    notifier,
    executions,
    lines,
    runbooks,
    state,
    environment,
    put: async (records: readonly AuditRecord[], name = 'task-1') => {
      for (const [key, bytes] of eventObjects(records))
        await evidence.putIfAbsent(key.replace('task-1', name), bytes);
    },
    openSession: (id: string) =>
      control.put(
        'session',
        id,
        {
          sessionId: id,
          identity: 'user1',
          principalId: 'user1',
          login: 'root',
          target: 'web-1',
          sourceIp: '203.0.113.9',
          userAgent: 'SSH-2.0-OpenSSH_9.9',
          mfa: false,
          mfaMethod: '',
          startedAtMs: startMs,
          proxyId: 'task-1',
          state: 'open',
        },
        { kind: 'any' },
      ),
    run: (input: unknown, overrides: Partial<RunParts> = {}) => {
      const { invocation, log, parts } = opened('run-runbook');
      return closing(invocation, log, () =>
        runRunbooks(input, {
          ...parts,
          athena: createAthenaEngine({
            client: athenaClient,
            workgroup: 'sshtrail',
            database: 'sshtrail',
            pollMs: 1,
          }),
          lake: () => chooseLake({ cloudTrail, ssm: clients.ssm, parameter: options.lakeParameter ?? '' }),
          startAutomation: async (start) => {
            if (state.startFailure !== undefined) throw state.startFailure;
            executions.set(start.clientToken, start);
          },
          remainingMs: () => 60_000,
          ...overrides,
        }),
      );
    },
    act: (input: unknown, overrides: Partial<ActParts> = {}) => {
      const { invocation, log, parts } = opened('act');
      return closing(invocation, log, () => act(input, { ...parts, ...overrides }));
    },
    schedule: (overrides: Readonly<Record<string, unknown>> = {}) => ({
      kind: 'schedule',
      runbookId: 'SSH-002',
      engine: 'athena',
      scheduledTime: new Date(clock.nowMs).toISOString(),
      ...overrides,
    }),
    /** Every event of functions, in the order of their streams and numbers. */
    recorded: () => recordsOf(s3.objects('evidence')),
    metrics: () =>
      lines
        .map((line): Readonly<Record<string, unknown>> => JSON.parse(line))
        .filter((line) => '_aws' in line)
        .flatMap((line) => Object.entries(line).filter(([name]) => name !== '_aws' && name !== 'Service')),
  };
}

export async function configure(ssm: SSMClient, mode: 'auto' | 'dry-run' | 'off'): Promise<void> {
  const put = (name: string, value: string) =>
    ssm.send(
      new PutParameterCommand({
        Name: `/sshtrail/sshtrail/config/${name}`,
        Value: value,
        Type: 'String',
        Overwrite: true,
      }),
    );
  await put('sshtrail.yaml', `runbooks: { SSH-002: { mode: ${mode} } }\n`);
  await put('policies/starter.cedar', 'permit (principal, action, resource);\n');
}

export function actRequest(findingKey: string, overrides: Readonly<Record<string, unknown>> = {}) {
  return {
    runbookId: 'SSH-002',
    findingKey,
    dryRun: 'false',
    automationExecutionId: executionId,
    ...overrides,
  };
}

function recordsOf(objects: ReadonlyMap<string, { readonly body: Buffer }>): readonly AuditRecord[] {
  return [...objects]
    .filter(([key]) => /^events\/.*\/(?:run-runbook|act)-[0-9a-f]{16}\//.test(key))
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([, { body }]) => gunzipSync(body).toString('utf8').trim().split('\n'))
    .map((line): AuditRecord => JSON.parse(line));
}
