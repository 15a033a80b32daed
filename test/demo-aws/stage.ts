import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { KMSClient } from '@aws-sdk/client-kms';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { openKmsSigner } from '#adapters/aws';
import { apiRoutes } from '#core/contract';
import {
  formatKnownHostsLine,
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  parsePrivateKey,
  remoteSigner,
} from '#ssh';
import { startPrivateSshd } from '../../cli/playground/private-sshd.ts';
import { type FakeApi, startFakeApi } from '../fakes/aws/api-gateway.ts';
import { fakeAthena } from '../fakes/aws/athena.ts';
import { fakeCloudTrailData } from '../fakes/aws/cloudtrail-data.ts';
import { fakeCloudTrailLake } from '../fakes/aws/cloudtrail-lake.ts';
import { type FakeAws, startFakeAws } from '../fakes/aws/fake-aws.ts';
import { fakeKms } from '../fakes/aws/kms.ts';
import { type FakeSsmAutomation, fakeSsmAutomation } from '../fakes/aws/ssm-automation.ts';
import { compiledCode } from '../support/compiled-code.ts';
import { createStacks, type EmulatedAccount, type EmulatedStacks } from './emulated-stacks.ts';
import { createFunctions, type Functions, functionEnvironment } from './functions.ts';
import { readStackTemplates, type TemplateValue } from './stack-templates.ts';

export const people = {
  alice: { accessKeyId: 'ASIAALICE', secretAccessKey: 'alice-secret', mfa: true },
  bob: { accessKeyId: 'ASIABOB', secretAccessKey: 'bob-secret', mfa: false },
} as const;
export type Person = keyof typeof people;

const accountNumber = '123456789012';
const root = new URL('../..', import.meta.url).pathname;

/** An AWS that answers over HTTP on this machine, with the stacks' resources in it, and the product running there. */
export type Stage = {
  readonly folder: string;
  readonly stacks: EmulatedStacks;
  readonly functions: Functions;
  readonly api: FakeApi;
  readonly automation: FakeSsmAutomation;
  /** What CloudTrail Lake's channel took. */
  readonly lakeEvents: ReturnType<typeof fakeCloudTrailData>;
  readonly evidenceBucket: string;
  /** For clients of the SDK. */
  readonly clientOptions: Pick<EmulatedAccount, 'region' | 'endpoint' | 'credentials'>;
  readonly controlTable: string;
  readonly eventDataStoreId: string;
  readonly s3: S3Client;
  readonly login: string;
  readonly gateway: GatewayProcess;
  /** Another task of the same service, with so many processes; it is stopped with the stage. */
  startTask(workers?: number): Promise<GatewayProcess>;
  /** Every object of the evidence bucket. */
  evidence(): Promise<ReadonlyMap<string, Uint8Array>>;
  close(): Promise<void>;
};

export type GatewayProcess = {
  readonly taskArn: string;
  readonly port: number;
  readonly process: ChildProcess;
  readonly log: () => string;
};

/** Opens everything in order; `moto` is the emulator's base URL. */
export async function openStage(moto: string, say: (line: string) => void): Promise<Stage> {
  const opened: (() => Promise<void> | void)[] = [];
  try {
    return await open(moto, say, opened);
  } catch (error) {
    for (const close of opened.toReversed()) await close();
    throw error;
  }
}

async function open(
  moto: string,
  say: (line: string) => void,
  opened: (() => Promise<void> | void)[],
): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'sshtrail-aws-'));
  opened.push(() => rmSync(folder, { recursive: true, force: true }));
  const assembly = synthesise(folder);
  say('the stacks are synthesised');

  let functions: Functions | undefined;
  let evidence: () => Promise<ReadonlyMap<string, Uint8Array>> = async () => new Map();
  const automation = fakeSsmAutomation({
    invoke: (functionArn, payload) =>
      functions?.invokeByName(functionArn, payload) ?? Promise.reject(new Error('no functions yet')),
  });
  const region = 'eu-central-1';
  const credentials = {
    accessKeyId: 'AKIDEXAMPLE',
    secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
  };
  const lakeEvents = fakeCloudTrailData({
    account: accountNumber,
    channels: () => lake.channelArns(),
    secrets: { [credentials.accessKeyId]: credentials.secretAccessKey },
  });
  const lake = fakeCloudTrailLake({
    account: accountNumber,
    region,
    entitled: true,
    events: () => lakeEvents.accepted,
  });
  const aws: FakeAws = await startFakeAws({
    services: [
      fakeKms(),
      fakeAthena({
        lake: () => evidence(),
        workgroups: ['sshtrail-runbooks'],
        databases: ['sshtrail'],
      }),
      lake,
      lakeEvents,
      automation,
    ],
    upstream: moto,
  });
  opened.push(() => aws.close());
  await fetch(`${moto}/moto-api/reset`, { method: 'POST' });
  const account: EmulatedAccount = { endpoint: aws.endpoint, region, account: accountNumber, credentials };
  const stacks = await createStacks(readStackTemplates(assembly), account);
  functions = createFunctions(stacks, account);
  say(`${stacks.count} resources of the templates exist in the emulated account`);

  const options = { region, endpoint: aws.endpoint, credentials };
  const s3 = new S3Client({ ...options, forcePathStyle: true });
  const ssm = new SSMClient(options);
  const evidenceBucket = stacks.created(
    stacks.one('AWS::S3::Bucket', ({ properties }) => properties['ObjectLockEnabled'] === true),
  ).ref;
  evidence = () => objectsOf(s3, evidenceBucket);
  await provisionLake(stacks, functions);

  const target = await openTarget(folder, stacks, new KMSClient(options));
  opened.push(() => target.sshd.stop());
  writeKeys(folder);
  let tasks = 0;
  const startTask = async (workers = 1) => {
    tasks += 1;
    await writeConfiguration(ssm, target, workers);
    const taskArn = `arn:aws:ecs:${region}:${accountNumber}:task/sshtrail/${String(tasks).padStart(32, '0')}`;
    const metadata = await startMetadata(taskArn);
    opened.push(() => closeServer(metadata.server));
    const task = await startGatewayTask(stacks, account, metadata.url, taskArn);
    opened.push(() => stopProcess(task.process));
    await trustHostKey(folder, ssm, task.port);
    return task;
  };
  const gateway = await startTask();
  const api = await openApi(stacks, functions);
  opened.push(() => api.close());

  return {
    folder,
    stacks,
    functions,
    api,
    automation,
    lakeEvents,
    evidenceBucket,
    clientOptions: options,
    controlTable: stacks.created(stacks.one('AWS::DynamoDB::Table')).ref,
    eventDataStoreId: lake.stores[0]?.id ?? '',
    s3,
    login: userInfo().username,
    gateway,
    startTask,
    evidence,
    async close() {
      for (const close of opened.toReversed()) await close();
    },
  };
}

/** The templates as `cdk synth` writes them, without the functions' bundles: those run from source here. */
function synthesise(folder: string): string {
  const assembly = join(folder, 'cdk.out');
  const { context } = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')) as { context: object };
  const result = spawnSync(process.execPath, [join(root, 'bin', 'app.ts')], {
    cwd: root,
    encoding: 'utf8',
    env: {
      ...compiledCode,
      PATH: process.env['PATH'] ?? '',
      CDK_OUTDIR: assembly,
      // Whoever deploys has the templates checked; here that would be most of the wait.
      CDK_VALIDATION: 'false',
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, 'aws:cdk:bundling-stacks': [] }),
    },
  });
  if (result.status !== 0) throw new Error(`the synthesis failed:\n${result.stdout}${result.stderr}`);
  return assembly;
}

/** CloudFormation would call the custom resource; here its properties are taken from the template. */
async function provisionLake(stacks: EmulatedStacks, functions: Functions): Promise<void> {
  const resource = stacks.one('Custom::SshtrailCloudTrailLake');
  const properties = stacks.resolver.resolve(resource.stack, withoutToken(resource.properties));
  const answer = (await functions.invoke('provision-lake', {
    RequestType: 'Create',
    ResourceProperties: properties,
  })) as { Data: { Status: string; Reason: string } };
  if (answer.Data.Status !== 'available')
    throw new Error(`CloudTrail Lake is unavailable: ${answer.Data.Reason}`);
}

function withoutToken(properties: Readonly<Record<string, TemplateValue>>): TemplateValue {
  return Object.fromEntries(Object.entries(properties).filter(([name]) => name !== 'ServiceToken'));
}

type OpenTarget = Awaited<ReturnType<typeof openTarget>>;

/** A private sshd that trusts the targets' authority of the stacks, and nothing else. */
async function openTarget(folder: string, stacks: EmulatedStacks, kms: KMSClient) {
  const key = stacks.one('AWS::KMS::Key', ({ logicalId }) => logicalId.startsWith('TargetAuthority'));
  const authority = remoteSigner(await openKmsSigner({ client: kms, keyId: stacks.created(key).ref }));
  const hostKey = generatePrivateKey('ed25519');
  const sshd = await startPrivateSshd({
    directory: join(folder, 'sshd'),
    authority: formatPublicKeyLine(authority.publicKey),
    hostKey: formatPrivateKey(hostKey, 'target'),
  });
  return { sshd, hostKey: formatPublicKeyLine(hostKey.publicKey) };
}

async function writeConfiguration(
  ssm: SSMClient,
  { sshd, hostKey }: OpenTarget,
  workers: number,
): Promise<void> {
  const configuration = `gateway: { workers: ${workers} }
awsIdentities:
  - arn: arn:aws:sts::${accountNumber}:assumed-role/Engineer/*
    groups: [engineers]
targets:
  - name: web-1
    host: 127.0.0.1
    port: ${sshd.port}
    labels: { env: prod }
    hostKeys: [${JSON.stringify(hostKey)}]
runbooks:
  SSH-002: { mode: auto }
`;
  const policy = '@id("engineers") permit (principal in Group::"engineers", action, resource);\n';
  for (const [name, value] of [
    ['sshtrail.yaml', configuration],
    ['policies/main.cedar', policy],
  ] as const)
    await ssm.send(
      new PutParameterCommand({
        Name: `/sshtrail/sshtrail/config/${name}`,
        Type: 'SecureString',
        Value: value,
        Overwrite: true,
      }),
    );
}

/** What ECS gives a task: who it is, and the agent that protects it. */
async function startMetadata(taskArn: string): Promise<{ readonly url: string; readonly server: Server }> {
  const server = createServer((request, response) => {
    request.resume();
    response.setHeader('content-type', 'application/json');
    response.end(
      request.url === '/v4/task'
        ? JSON.stringify({
            TaskARN: taskArn,
            Revision: '1',
            AvailabilityZone: 'eu-central-1a',
          })
        : JSON.stringify({ protection: {} }),
    );
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

/** The task's own main, with the environment of the task definition; only its ports are any free ones. */
async function startGatewayTask(
  stacks: EmulatedStacks,
  account: EmulatedAccount,
  metadataUrl: string,
  taskArn: string,
): Promise<GatewayProcess> {
  const definition = stacks.one('AWS::ECS::TaskDefinition');
  const containers = stacks.resolver.resolve(
    definition.stack,
    (definition.properties['ContainerDefinitions'] as readonly { readonly Environment: TemplateValue }[])[0]
      ?.Environment ?? [],
  ) as readonly { readonly Name: string; readonly Value: string }[];
  const environment = Object.fromEntries(containers.map(({ Name, Value }) => [Name, Value]));
  let log = '';
  const child = spawn(process.execPath, [join(root, 'proxy-task', 'main.ts')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...functionEnvironment(account),
      ...environment,
      SSHTRAIL_SSH_PORT: '0',
      SSHTRAIL_HEALTH_PORT: '0',
      ECS_CONTAINER_METADATA_URI_V4: `${metadataUrl}/v4`,
      ECS_AGENT_URI: metadataUrl,
    },
  });
  child.stdout.on('data', (chunk: Buffer) => (log += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
  const port = await until(
    'the gateway task listens',
    30_000,
    () => {
      const found = /listens on [\d.]+:(\d+)/.exec(log)?.[1];
      if (child.exitCode !== null) throw new Error(`the gateway task ended:\n${log}`);
      return found === undefined ? undefined : Number(found);
    },
    () => log,
  );
  return { taskArn, port, process: child, log: () => log };
}

/** The gateways' host key, for the clients: every task has the same. */
async function trustHostKey(folder: string, ssm: SSMClient, port: number): Promise<void> {
  const { Parameter } = await ssm.send(
    new GetParameterCommand({ Name: '/sshtrail/sshtrail/host-key', WithDecryption: true }),
  );
  const hostKey = parsePrivateKey(Parameter?.Value ?? '');
  appendFileSync(
    join(folder, 'known_hosts'),
    `${formatKnownHostsLine({ patterns: [`[127.0.0.1]:${port}`], publicKey: hostKey.publicKey })}\n`,
  );
}

function writeKeys(folder: string): void {
  mkdirSync(join(folder, 'keys'), { mode: 0o700 });
  for (const person of Object.keys(people)) {
    const key = generatePrivateKey('ed25519');
    const file = join(folder, 'keys', person);
    writeFileSync(file, formatPrivateKey(key, person), { mode: 0o600 });
    writeFileSync(`${file}.pub`, `${formatPublicKeyLine(key.publicKey)}\n`);
  }
}

async function openApi(stacks: EmulatedStacks, functions: Functions): Promise<FakeApi> {
  const api = stacks.one('AWS::ApiGateway::RestApi');
  const policy = stacks.resolver.resolve(api.stack, api.properties['Policy'] ?? {}) as {
    Statement: readonly Record<string, unknown>[];
  };
  const invoke = (name: 'issue-certificate' | 'control-api') => async (event: unknown) =>
    (await functions.invoke(name, event)) as { statusCode: number; body: string };
  return startFakeApi({
    routes: [
      { method: 'POST', path: apiRoutes.certificateWithMfa, handler: invoke('issue-certificate') },
      { method: 'POST', path: apiRoutes.certificate, handler: invoke('issue-certificate') },
      { method: 'GET', path: apiRoutes.sessions, handler: invoke('control-api') },
      { method: 'POST', path: apiRoutes.revokeSession, handler: invoke('control-api') },
      { method: 'GET', path: apiRoutes.locks, handler: invoke('control-api') },
      { method: 'POST', path: apiRoutes.locks, handler: invoke('control-api') },
      { method: 'DELETE', path: apiRoutes.lock, handler: invoke('control-api') },
    ],
    resourcePolicy: policy.Statement,
    credentials: Object.entries(people).map(([name, { accessKeyId, secretAccessKey, mfa }]) => ({
      accessKeyId,
      secretAccessKey,
      arn: `arn:aws:sts::${accountNumber}:assumed-role/Engineer/${name}`,
      principalId: `AROAEXAMPLE:${name}`,
      mfa,
    })),
  });
}

async function objectsOf(s3: S3Client, bucket: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const objects = new Map<string, Uint8Array>();
  const { Contents = [] } = await s3.send(new ListObjectsV2Command({ Bucket: bucket }));
  for (const { Key = '' } of Contents) {
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key }));
    objects.set(Key, (await Body?.transformToByteArray()) ?? new Uint8Array());
  }
  return objects;
}

/** Asks until there is something, or fails with what the context says. */
export async function until<Found>(
  what: string,
  deadlineMs: number,
  look: () => Promise<Found | undefined> | Found | undefined,
  context: () => string = () => '',
): Promise<Found> {
  const deadline = Date.now() + deadlineMs;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (Date.now() > deadline) throw new Error(`not within ${deadlineMs / 1000} s: ${what}\n${context()}`);
    await sleep(200);
  }
}

export async function stopProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  child.kill(signal);
  await gone;
}

function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
