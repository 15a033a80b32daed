import { spawn } from 'node:child_process';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { GetParameterCommand, PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { createDynamoControlStore, openKmsSigner } from '#adapters/aws';
import type { ControlStore } from '#core/contract';
import {
  formatKnownHostsLine,
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  parsePrivateKey,
  remoteSigner,
} from '#ssh';
import { writeAskpass } from '../../cli/demo/stage.ts';
import { startPrivateSshd } from '../../cli/playground/private-sshd.ts';
import { startMoto } from '../../scripts/python-tools.ts';
import type { FakeApi } from '../fakes/aws/api-gateway.ts';
import { fakeAthena } from '../fakes/aws/athena.ts';
import { fakeCloudTrailData } from '../fakes/aws/cloudtrail-data.ts';
import { fakeCloudTrailLake } from '../fakes/aws/cloudtrail-lake.ts';
import { startFakeAws } from '../fakes/aws/fake-aws.ts';
import { fakeKms } from '../fakes/aws/kms.ts';
import { type FakeSsmAutomation, fakeSsmAutomation } from '../fakes/aws/ssm-automation.ts';
import { compiledCode } from '../support/compiled-code.ts';
import { createStacks, type EmulatedAccount, type EmulatedStacks } from './emulated-stacks.ts';
import { bucketObjects } from './evidence-objects.ts';
import { createFunctions, type Functions } from './functions.ts';
import { type GatewayTask, type GatewayTasks, gatewayTasks, startGatewayTask } from './gateway-task.ts';
import { accountNumber, type Person, people } from './people.ts';
import { stopProcess } from './processes.ts';
import type { OpenSession } from './ssh-sessions.ts';
import { openStackApi } from './stack-api.ts';
import { readStackTemplates, type TemplateValue } from './stack-templates.ts';

const root = new URL('../..', import.meta.url).pathname;
const region = 'eu-central-1';
const credentials = {
  accessKeyId: 'AKIDEXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY',
};

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
  /** The table of the control stack; whoever opens it closes it. */
  openControl(): ControlStore;
  readonly eventDataStoreId: string;
  readonly s3: S3Client;
  readonly login: string;
  /** What ssh runs to have its questions answered: it says SSHTRAIL_DEMO_ANSWER. */
  readonly askpass: string;
  readonly gateway: GatewayTask;
  /** Sessions that outlive the step that opened them; they are stopped with the stage. */
  readonly sessions: Map<Person, OpenSession>;
  /** Further tasks of the same service. */
  readonly tasks: GatewayTasks;
  /** Every object of the evidence bucket. */
  evidence(): Promise<ReadonlyMap<string, Uint8Array>>;
  close(): Promise<void>;
};

type Opened = (() => Promise<void> | void)[];

/** Opens everything in order; `motoServer` is the emulator's program. */
export async function openStage(motoServer: string, say: (line: string) => void): Promise<Stage> {
  const opened: Opened = [];
  const close = async () => {
    for (const each of opened.splice(0).toReversed()) await each();
  };
  try {
    return { ...(await open(motoServer, say, opened)), close };
  } catch (error) {
    await close();
    throw error;
  }
}

async function open(
  motoServer: string,
  say: (line: string) => void,
  opened: Opened,
): Promise<Omit<Stage, 'close'>> {
  const folder = mkdtempSync(join(tmpdir(), 'sshtrail-aws-'));
  opened.push(() => rmSync(folder, { recursive: true, force: true }));
  const [assembly, moto] = await both(
    synthesise(folder),
    startMoto(motoServer).then((server) => {
      opened.push(() => server.stop());
      return server.endpoint;
    }),
  );
  say('the stacks are synthesised');

  const aws = await openAws(moto, opened);
  const { endpoint, lake, lakeEvents, automation } = aws;
  const account: EmulatedAccount = { endpoint, region, account: accountNumber, credentials };
  const stacks = await createStacks(readStackTemplates(assembly), account);
  const functions = createFunctions(stacks, account);
  opened.push(() => functions.close());
  aws.run(functions);
  say(`${stacks.count} resources of the templates exist in the emulated account`);

  const options = { region, endpoint, credentials };
  const s3 = new S3Client({ ...options, forcePathStyle: true });
  const ssm = new SSMClient(options);
  const evidenceBucket = stacks.created(
    stacks.one('AWS::S3::Bucket', ({ properties }) => properties['ObjectLockEnabled'] === true),
  ).ref;
  const evidence = bucketObjects(s3, evidenceBucket);
  aws.showEvidence(evidence);
  const [target] = await both(
    openTarget(folder, stacks, new KMSClient(options), opened),
    provisionLake(stacks, functions),
  );
  writeKeys(folder);
  const tasks = gatewayTasks(async (number, workers) => {
    await writeConfiguration(ssm, target, workers);
    const task = await startGatewayTask(stacks, account, number);
    await trustHostKey(folder, ssm, task.port);
    return task;
  });
  opened.push(() => tasks.close());
  const gateway = await tasks.take(1);
  const sessions: Stage['sessions'] = new Map();
  opened.push(async () => {
    for (const session of sessions.values()) await stopProcess(session.process);
  });
  const api = await openStackApi(stacks, functions);
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
    openControl: () =>
      createDynamoControlStore({
        client: new DynamoDBClient(options),
        table: stacks.created(stacks.one('AWS::DynamoDB::Table')).ref,
        now: Date.now,
      }),
    eventDataStoreId: lake.stores[0]?.id ?? '',
    s3,
    login: userInfo().username,
    askpass: writeAskpass(folder),
    gateway,
    sessions,
    tasks,
    evidence,
  };
}

/** The services that answer; what moto does not have, or has as a sketch, in the place of it. */
async function openAws(moto: string, opened: Opened) {
  let functions: Functions | undefined;
  let evidence: Stage['evidence'] = async () => new Map();
  const automation = fakeSsmAutomation({
    invoke: (functionArn, payload) =>
      functions?.invokeByName(functionArn, payload) ?? Promise.reject(new Error('no functions yet')),
  });
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
  const athena = fakeAthena({
    lake: () => evidence(),
    workgroups: ['sshtrail-runbooks'],
    databases: ['sshtrail'],
  });
  const { endpoint, close } = await startFakeAws({
    services: [fakeKms(), athena, lake, lakeEvents, automation],
    upstream: moto,
  });
  opened.push(close);
  return {
    endpoint,
    lake,
    lakeEvents,
    automation,
    /** What Automation invokes. */
    run(those: Functions): void {
      functions = those;
    },
    /** What Athena reads. */
    showEvidence(of: Stage['evidence']): void {
      evidence = of;
    },
  };
}

/** The templates as `cdk synth` writes them, without the functions' bundles: those run from source here. */
async function synthesise(folder: string): Promise<string> {
  const assembly = join(folder, 'cdk.out');
  const { context } = JSON.parse(readFileSync(join(root, 'cdk.json'), 'utf8')) as { context: object };
  const child = spawn(process.execPath, [join(root, 'bin', 'app.ts')], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...compiledCode,
      PATH: process.env['PATH'] ?? '',
      CDK_OUTDIR: assembly,
      // Whoever deploys has the templates checked; here that would be most of the wait.
      CDK_VALIDATION: 'false',
      CDK_CONTEXT_JSON: JSON.stringify({ ...context, 'aws:cdk:bundling-stacks': [] }),
    },
  });
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve);
  });
  const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`the synthesis failed:\n${out}${err}`);
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

type Target = { readonly port: number; readonly hostKey: string };

/** A private sshd that trusts the targets' authority of the stacks, and nothing else. */
async function openTarget(
  folder: string,
  stacks: EmulatedStacks,
  kms: KMSClient,
  opened: Opened,
): Promise<Target> {
  const key = stacks.one('AWS::KMS::Key', ({ logicalId }) => logicalId.startsWith('TargetAuthority'));
  const authority = remoteSigner(await openKmsSigner({ client: kms, keyId: stacks.created(key).ref }));
  const hostKey = generatePrivateKey('ed25519');
  const sshd = await startPrivateSshd({
    directory: join(folder, 'sshd'),
    authority: formatPublicKeyLine(authority.publicKey),
    hostKey: formatPrivateKey(hostKey, 'target'),
  });
  opened.push(() => sshd.stop());
  return { port: sshd.port, hostKey: formatPublicKeyLine(hostKey.publicKey) };
}

const policyText = `
@id("engineers")
permit (principal in Group::"engineers", action in [Action::"session", Action::"transfer"], resource in HostGroup::"env=prod");

@id("payments-by-approval")
permit (principal in Group::"engineers", action in Action::"session", resource in HostGroup::"team=pay")
when { context.approved };

@id("leads-oversee")
permit (principal in Group::"leads", action in Action::"oversight", resource)
when { context.mfa && context.mfaMethod == "iam" };
`;

async function writeConfiguration(ssm: SSMClient, { port, hostKey }: Target, workers: number): Promise<void> {
  const target = (name: string, label: string) => `  - name: ${name}
    host: 127.0.0.1
    port: ${port}
    labels: { ${label} }
    hostKeys: [${JSON.stringify(hostKey)}]
`;
  const configuration = `gateway: { workers: ${workers} }
awsIdentities:
  - arn: arn:aws:sts::${accountNumber}:assumed-role/Engineer/*
    groups: [engineers]
  - arn: arn:aws:sts::${accountNumber}:assumed-role/Lead/*
    groups: [leads]
targets:
${target('web-1', 'env: prod')}${target('db-1', 'team: pay')}runbooks:
  SSH-002: { mode: auto }
`;
  for (const [name, value] of [
    ['sshtrail.yaml', configuration],
    ['policies/main.cedar', policyText],
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

/** Both, or the first failure once neither is under way any more: what one of them opened has to be known by then. */
async function both<One, Other>(one: Promise<One>, other: Promise<Other>): Promise<[One, Other]> {
  await Promise.allSettled([one, other]);
  return Promise.all([one, other]);
}
