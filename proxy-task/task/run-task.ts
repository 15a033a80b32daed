import { setTimeout as sleep } from 'node:timers/promises';
import {
  createDynamoControlStore,
  createObjectSpool,
  createS3BlobRemover,
  createS3BlobStore,
  type OpenedObjectJournal,
  openObjectJournal,
} from '#adapters/aws';
import { groupsOf } from '#core/configuration';
import { type BlobStore, type ControlStore, type Journal, streamName } from '#core/contract';
import { readEnvironment } from '#core/deployment';
import { reportAuditLoss, startProxy, stopProxy } from '#core/event';
import { type Gateway, startGateway } from '../gateway.ts';
import { limitsOf } from '../gateway-limits.ts';
import type { GatewayParts, GatewaySettings } from '../gateway-parts.ts';
import { createIdentityDirectory, type IdentityDirectory } from '../identity-directory.ts';
import { createRecorder } from '../recording/index.ts';
import { createAuditMeter } from './audit-meter.ts';
import { startHealthServer } from './health-server.ts';
import { createTaskClients, type TaskClients } from './task-clients.ts';
import { startTaskDuties } from './task-duties.ts';
import { readTaskIdentity } from './task-identity.ts';
import { loadTaskInstallation, type TaskInstallation } from './task-installation.ts';
import { createTaskProtection } from './task-protection.ts';
import { createTaskSinks } from './task-sinks.ts';
import { instanceReach, taskInventory } from './task-targets.ts';

export type TaskOptions = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly fetch: typeof fetch;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  /** Writes one line of the log. */
  readonly write: (line: string) => void;
};

export type RunningTask = {
  readonly address: Gateway['address'];
  readonly healthPort: number;
  /** The audit trail cannot be written any more: the sessions end, and the task is to be replaced. */
  readonly failed: Promise<Error>;
  /** Takes no more sessions, gives the others until `graceMs`, ends them, and seals what is open. */
  stop(reason: string, graceMs: number): Promise<void>;
};

const revocationLatencyMs = 1_000;
const targetTimeoutMs = 10_000;

type Variables = ReturnType<typeof readEnvironment<'gateway'>>;
type Stores = {
  readonly evidence: BlobStore;
  readonly unsealed: BlobStore;
  readonly remover: ReturnType<typeof createS3BlobRemover>;
  readonly control: ControlStore;
};

/** Starts the gateway of a Fargate task from what the stacks put into its environment. */
export async function runTask(options: TaskOptions): Promise<RunningTask> {
  const { environment, now } = options;
  const variables = readEnvironment('gateway', environment);
  const report = (message: string) =>
    options.write(JSON.stringify({ level: 'warn', at: new Date(now()).toISOString(), message }));
  const task = await readTaskIdentity(environment['ECS_CONTAINER_METADATA_URI_V4'], options.fetch);
  const clients = createTaskClients(environment['AWS_REGION'] ?? '');
  const installation = await loadTaskInstallation({
    ssm: clients.ssm,
    kms: clients.kms,
    parameterPath: variables.SSHTRAIL_PARAMETER_PATH,
    targetAuthorityKey: variables.SSHTRAIL_TARGET_AUTHORITY_KEY,
    engineerAuthorityKey: variables.SSHTRAIL_ENGINEER_AUTHORITY_KEY,
  });
  const startedAtMs = now();
  const proxyId = `task-${task.id}`;
  const proxy = { proxyId, version: options.version };
  const meter = createAuditMeter();
  const failure = Promise.withResolvers<Error>();
  let problem: string | undefined;
  void failure.promise.then(() => {
    problem = 'the audit trail cannot be written';
  });

  const stores = openStores(variables, clients, now);
  const journal = await openTaskJournal(options, variables, clients, stores, {
    ...proxy,
    task: task.arn,
    report,
    onFailure: (error) => failure.resolve(error),
  });
  journal.subscribe((record) => meter.count(record));
  const gateway = await startGateway(
    partsOf(options, variables, clients, installation, stores, journal, proxyId, report),
    failure.promise,
  );
  const health = await startHealthServer(
    { host: '0.0.0.0', port: Number(variables.SSHTRAIL_HEALTH_PORT) },
    () => problem,
  );
  await journal.record(
    startProxy(proxy, now(), {
      listen: [`${gateway.address.host}:${gateway.address.port}`],
      tornBytes: 0,
      lostSessions: 0,
      policySha256: installation.policy.version,
      configurationSha256: installation.configurationVersion,
    }),
  );
  const duties = startTaskDuties({
    task,
    proxyId,
    startedAtMs,
    control: stores.control,
    protection: createTaskProtection({
      agentUri: environment['ECS_AGENT_URI'],
      fetch: options.fetch,
      now,
      report,
    }),
    meter,
    metricsNamespace: variables.SSHTRAIL_METRICS_NAMESPACE,
    maxDrainMs: Number(variables.SSHTRAIL_MAX_DRAIN_MINUTES) * 60_000,
    sessionCount: () => gateway.sessionCount,
    notice: (text) => gateway.notice(text),
    now,
    write: options.write,
    report,
  });

  async function stop(reason: string, graceMs: number): Promise<void> {
    const failed = problem !== undefined;
    problem ??= reason;
    gateway.stopAccepting();
    gateway.notice(
      `${reason}: this session ends within ${Math.round(graceMs / 1000)} seconds; connect again`,
    );
    if (!failed) await untilNoSession(gateway, now() + graceMs, now);
    try {
      await gateway.close(reason);
      if (!failed)
        await journal.record(stopProxy(proxy, now(), { reason, seconds: (now() - startedAtMs) / 1000 }));
      await duties.stop();
      await journal.close();
    } finally {
      await stores.control.close();
      await health.close();
    }
  }
  return { address: gateway.address, healthPort: health.port, failed: failure.promise, stop };
}

async function untilNoSession(gateway: Gateway, deadlineMs: number, now: () => number): Promise<void> {
  while (gateway.sessionCount > 0 && now() < deadlineMs) await sleep(200);
}

function openStores(variables: Variables, clients: TaskClients, now: () => number): Stores {
  const unsealed = { client: clients.s3, bucket: variables.SSHTRAIL_JOURNAL_BUCKET };
  return {
    evidence: createS3BlobStore({ client: clients.s3, bucket: variables.SSHTRAIL_EVIDENCE_BUCKET }),
    unsealed: createS3BlobStore(unsealed),
    remover: createS3BlobRemover(unsealed),
    control: createDynamoControlStore({
      client: clients.dynamo,
      table: variables.SSHTRAIL_CONTROL_TABLE,
      now,
    }),
  };
}

async function openTaskJournal(
  options: TaskOptions,
  variables: Variables,
  clients: TaskClients,
  stores: Stores,
  writer: {
    readonly proxyId: string;
    readonly version: string;
    readonly task: string;
    readonly report: (line: string) => void;
    readonly onFailure: (error: Error) => void;
  },
): Promise<OpenedObjectJournal> {
  const { proxyId, version, report } = writer;
  // Sinks put on record what they lose, in the journal that feeds them.
  const late: { journal?: Journal } = {};
  const sinks = await createTaskSinks({
    clients,
    bus: variables.SSHTRAIL_EVENT_BUS,
    lakeChannelParameter: variables.SSHTRAIL_LAKE_CHANNEL_PARAMETER,
    account: variables.SSHTRAIL_ACCOUNT,
    endpoint: options.environment['AWS_ENDPOINT_URL'],
    fetch: options.fetch,
    now: options.now,
    async onLakeLoss(reason) {
      await late.journal?.record(
        reportAuditLoss({ proxyId, version }, options.now(), { subject: 'cloudtrail-lake', reason }),
      );
    },
    report,
  });
  const journal = await openObjectJournal({
    journal: stores.unsealed,
    remover: stores.remover,
    evidence: stores.evidence,
    control: stores.control,
    stream: streamName(proxyId),
    origin: {
      eventSource: variables.SSHTRAIL_EVENT_SOURCE,
      awsRegion: clients.region,
      recipientAccountId: variables.SSHTRAIL_ACCOUNT,
    },
    proxyId,
    task: writer.task,
    role: 'gateway',
    now: options.now,
    randomBytes: options.randomBytes,
    sinks,
    onFault(error) {
      report(`the journal: ${error.message}`);
      if ('code' in error && (error.code === 'unwritable' || error.code === 'fenced'))
        writer.onFailure(error);
    },
  });
  late.journal = journal;
  return journal;
}

function partsOf(
  options: TaskOptions,
  variables: Variables,
  clients: TaskClients,
  installation: TaskInstallation,
  { evidence, unsealed, remover, control }: Stores,
  journal: Journal,
  proxyId: string,
  report: (line: string) => void,
): GatewayParts {
  const { now, randomBytes } = options;
  return {
    settings: settingsOf(installation, variables, proxyId, options.version),
    identities: identitiesOf(installation),
    policy: () => installation.policy,
    inventory: taskInventory(installation.configuration, clients, now, report),
    journal,
    control,
    userAuthority: installation.targetAuthority,
    hostKeys: [{ privateKey: installation.hostKey }],
    reach: instanceReach(clients, targetTimeoutMs),
    recorder: createRecorder({
      store: evidence,
      spool: createObjectSpool({ journal: unsealed, remover, now }),
      now,
    }),
    now,
    randomBytes,
    report,
  };
}

function identitiesOf({ configuration, engineerAuthority }: TaskInstallation): IdentityDirectory {
  return createIdentityDirectory(
    configuration.identities.map(({ totp, ...identity }) => ({
      ...identity,
      ...(totp?.kind === 'secret' ? { totpSecret: totp.secret } : {}),
    })),
    configuration.trustedUserAuthorities,
    {
      authorities: [engineerAuthority],
      groupsOf: (arn) => groupsOf(configuration.awsIdentities, arn),
    },
  );
}

function settingsOf(
  { configuration }: TaskInstallation,
  variables: Variables,
  proxyId: string,
  version: string,
): GatewaySettings {
  const { gateway, certificate, recording } = configuration;
  return {
    proxyId,
    version,
    listen: { host: '0.0.0.0', port: Number(variables.SSHTRAIL_SSH_PORT) },
    ...limitsOf(gateway),
    targetTimeoutMs,
    certificateSeconds: certificate.validForSeconds,
    certificateBackdateSeconds: certificate.backdateSeconds,
    onRecordingFailure: recording.onFailure,
    revocationLatencyMs,
  };
}
