import {
  createDynamoControlStore,
  createObjectSpool,
  createS3BlobRemover,
  createS3BlobStore,
  createSnsNotifier,
} from '#adapters/aws';
import { groupsOf } from '#core/configuration';
import type { BlobStore, ControlStore, Journal } from '#core/contract';
import { readEnvironment } from '#core/deployment';
import type { PolicySet } from '#core/policy';
import { compileRules, redactText } from '#core/redaction';
import { type Gateway, startGateway } from '../gateway.ts';
import { accessSettings, limitsOf } from '../gateway-limits.ts';
import type { GatewayParts, GatewaySettings } from '../gateway-parts.ts';
import { createIdentityDirectory, type IdentityDirectory } from '../login/identity-directory.ts';
import type { KeptPolicies } from '../policy-keeper.ts';
import { createRecorder } from '../recording/index.ts';
import type { AuditMeter } from './audit-meter.ts';
import { createTaskClients, type TaskClients } from './task-clients.ts';
import { readTaskIdentity, type TaskIdentity } from './task-identity.ts';
import { loadTaskInstallation, type TaskInstallation } from './task-installation.ts';
import { instanceReach, taskCredentials, taskInventory } from './task-targets.ts';
import { openTaskTrail } from './task-trail.ts';

export type TaskOptions = {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly fetch: typeof fetch;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
  /** The module that runs this, for the processes that share the port. */
  readonly module: string;
  /** Writes one line of the log. */
  readonly write: (line: string) => void;
  /** Between two looks at the policies. */
  readonly policyLookMs?: number;
};

const revocationLatencyMs = 1_000;
const targetTimeoutMs = 10_000;

type Variables = ReturnType<typeof readEnvironment<'gateway'>>;

export type TaskContext = {
  readonly options: TaskOptions;
  readonly variables: Variables;
  readonly task: TaskIdentity;
  readonly clients: TaskClients;
  readonly installation: TaskInstallation;
  readonly report: (message: string) => void;
};

/** A gateway that runs, in this process or in others. */
export type Serving = {
  readonly gateway: Gateway;
  readonly control: ControlStore;
  readonly meter: AuditMeter;
  /** The audit trail cannot be written any more. */
  readonly failed: Promise<Error>;
  /** Ends the sessions, and seals what is open. The control store stays open. */
  close(reason: string): Promise<void>;
};

export type TaskStores = {
  readonly evidence: BlobStore;
  readonly unsealed: BlobStore;
  readonly remover: ReturnType<typeof createS3BlobRemover>;
  readonly control: ControlStore;
};

/** What every process of the task reads before it does anything. The policies only where there are none in force. */
export async function openTask(options: TaskOptions, inForce?: PolicySet): Promise<TaskContext> {
  const { environment, now } = options;
  const variables = readEnvironment('gateway', environment);
  const task = await readTaskIdentity(environment['ECS_CONTAINER_METADATA_URI_V4'], options.fetch);
  const clients = createTaskClients(environment['AWS_REGION'] ?? '');
  const installation = await loadTaskInstallation({
    ssm: clients.ssm,
    kms: clients.kms,
    parameterPath: variables.SSHTRAIL_PARAMETER_PATH,
    targetAuthorityKey: variables.SSHTRAIL_TARGET_AUTHORITY_KEY,
    engineerAuthorityKey: variables.SSHTRAIL_ENGINEER_AUTHORITY_KEY,
    policy: inForce,
  });
  const report = (message: string) =>
    options.write(JSON.stringify({ level: 'warn', at: new Date(now()).toISOString(), message }));
  return { options, variables, task, clients, installation, report };
}

/** The gateway in this process, with a stream of its own. `worker`: where it is one of several that share a port. */
export async function serveTask(
  context: TaskContext,
  proxyId: string,
  worker?: { readonly port: number; readonly policies: KeptPolicies },
): Promise<Serving> {
  const { options, variables, clients, installation, report } = context;
  const port = worker?.port ?? Number(variables.SSHTRAIL_SSH_PORT);
  const stores = openStores(variables, clients, options.now);
  const trail = await openTaskTrail(context, stores, proxyId);
  const { journal, meter } = trail;
  const policies = worker?.policies ?? trail.keepPolicies();
  const parts: GatewayParts = {
    ...partsOf(options, variables, clients, installation, stores, journal, { proxyId, port }, report),
    policies,
  };
  const gateway = await startGateway(parts, trail.failed);
  await trail.started(gateway, policies);
  return {
    gateway,
    control: stores.control,
    meter,
    failed: trail.failed,
    async close(reason) {
      await policies.close();
      await gateway.close(reason);
      await trail.close(reason);
      await parts.recorder.settled();
    },
  };
}

export function openStores(variables: Variables, clients: TaskClients, now: () => number): TaskStores {
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

function partsOf(
  options: TaskOptions,
  variables: Variables,
  clients: TaskClients,
  installation: TaskInstallation,
  { evidence, unsealed, remover, control }: TaskStores,
  journal: Journal,
  process: { readonly proxyId: string; readonly port: number },
  report: (line: string) => void,
): Omit<GatewayParts, 'policies'> {
  const { now, randomBytes } = options;
  const rules = compileRules(installation.configuration.redaction);
  return {
    settings: settingsOf(installation, variables, process, options.version),
    identities: identitiesOf(installation),
    inventory: taskInventory(installation.configuration, clients, now, report),
    journal,
    control,
    userAuthority: installation.targetAuthority,
    targetCredential: taskCredentials(
      installation.configuration,
      clients.ssm,
      variables.SSHTRAIL_PARAMETER_PATH,
    ),
    hostKeys: [{ privateKey: installation.hostKey }],
    hostAuthority: installation.hostAuthority,
    reach: instanceReach(clients, targetTimeoutMs),
    recorder: createRecorder({
      store: evidence,
      spool: createObjectSpool({ journal: unsealed, remover, now }),
      redaction: installation.configuration.redaction,
      now,
      onIndexFault: (error) => report(error.message),
    }),
    notifier: createSnsNotifier({
      client: clients.sns,
      topicArn: variables.SSHTRAIL_NOTICE_TOPIC,
      deployment: variables.SSHTRAIL_NAME,
    }),
    redact: (text) => redactText(text, rules).text,
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
  { proxyId, port }: { readonly proxyId: string; readonly port: number },
  version: string,
): GatewaySettings {
  const { access, gateway, certificate, recording } = configuration;
  return {
    proxyId,
    version,
    listen: { host: '0.0.0.0', port },
    ...limitsOf(gateway),
    proxiedFrom: variables.SSHTRAIL_PROXY_PROTOCOL_RANGES.split(',').filter((range) => range !== ''),
    targetTimeoutMs,
    certificateSeconds: certificate.validForSeconds,
    certificateBackdateSeconds: certificate.backdateSeconds,
    onRecordingFailure: recording.onFailure,
    revocationLatencyMs,
    access: accessSettings(access),
  };
}
