import { type OpenedObjectJournal, openObjectJournal } from '#adapters/aws';
import { type EventOrigin, type EventSink, type Journal, streamName } from '#core/contract';
import { type ProxyFacts, reportAuditLoss, startProxy, stopProxy } from '#core/event';
import type { Gateway } from '../gateway.ts';
import { type KeptPolicies, keepPolicy, type PolicyKeeper } from '../policy-keeper.ts';
import { type AuditMeter, createAuditMeter } from './audit-meter.ts';
import type { TaskContext, TaskStores } from './serve-task.ts';
import { watchTaskPolicies } from './task-policies.ts';
import { createTaskSinks } from './task-sinks.ts';

/** The audit stream of one process of the task, from its start to its stop. */
export type TaskTrail = {
  readonly journal: Journal;
  readonly meter: AuditMeter;
  /** It cannot be written any more. */
  readonly failed: Promise<Error>;
  /** Keeps the policies in force as Parameter Store has them. */
  keepPolicies(): PolicyKeeper;
  /** Puts on record that it serves, by which policies, and with how many workers where it supervises some. */
  started(gateway: Gateway, policies: KeptPolicies, workers?: number): Promise<void>;
  /** Puts the stop on record, and seals what is open. */
  close(reason: string): Promise<void>;
};

const defaultPolicyLookMs = 15_000;

export async function openTaskTrail(
  context: TaskContext,
  stores: TaskStores,
  proxyId: string,
): Promise<TaskTrail> {
  const { options, installation } = context;
  const { now } = options;
  const startedAtMs = now();
  const proxy = { proxyId, version: options.version };
  const meter = createAuditMeter();
  const failure = Promise.withResolvers<Error>();
  let failed = false;
  void failure.promise.then(() => {
    failed = true;
  });
  const journal = await openTaskJournal(context, stores, proxyId, (error) => failure.resolve(error));
  journal.subscribe((record) => meter.count(record));
  return {
    journal,
    meter,
    failed: failure.promise,
    keepPolicies: () => keepTaskPolicies(context, proxy, journal),
    async started({ address }, policies, workers) {
      await journal.record(
        startProxy(proxy, now(), {
          listen: [`${address.host}:${address.port}`],
          tornBytes: 0,
          lostSessions: 0,
          policySha256: policies.current().version,
          configurationSha256: installation.configurationVersion,
          workers,
        }),
      );
    },
    async close(reason) {
      if (!failed)
        await journal.record(stopProxy(proxy, now(), { reason, seconds: (now() - startedAtMs) / 1000 }));
      await journal.close();
    },
  };
}

function keepTaskPolicies(
  { options, variables, clients, installation, report }: TaskContext,
  proxy: ProxyFacts,
  journal: Pick<Journal, 'record'>,
): PolicyKeeper {
  return keepPolicy({
    initial: installation.policy,
    sources: watchTaskPolicies({
      ssm: clients.ssm,
      parameterPath: variables.SSHTRAIL_PARAMETER_PATH,
      report,
    }),
    everyMs: options.policyLookMs ?? defaultPolicyLookMs,
    proxy,
    journal,
    now: options.now,
    report,
  });
}

async function openTaskJournal(
  context: TaskContext,
  stores: TaskStores,
  proxyId: string,
  onFailure: (error: Error) => void,
): Promise<OpenedObjectJournal> {
  const { options, report, task } = context;
  const { version } = options;
  // Sinks put on record what they lose, in the journal that feeds them.
  const late: { journal?: Journal } = {};
  const sinks = await openTaskSinks(context, async (reason) => {
    await late.journal?.record(
      reportAuditLoss({ proxyId, version }, options.now(), { subject: 'cloudtrail-lake', reason }),
    );
  });
  const journal = await openObjectJournal({
    journal: stores.unsealed,
    remover: stores.remover,
    evidence: stores.evidence,
    control: stores.control,
    stream: streamName(proxyId),
    origin: originOf(context),
    proxyId,
    task: task.arn,
    role: 'gateway',
    now: options.now,
    randomBytes: options.randomBytes,
    sinks,
    onFault(error) {
      report(`the journal: ${error.message}`);
      if ('code' in error && (error.code === 'unwritable' || error.code === 'fenced')) onFailure(error);
    },
  });
  late.journal = journal;
  return journal;
}

export function openTaskSinks(
  { options, variables, clients, report }: TaskContext,
  onLakeLoss: (reason: string) => Promise<void>,
): Promise<readonly EventSink[]> {
  return createTaskSinks({
    clients,
    bus: variables.SSHTRAIL_EVENT_BUS,
    lakeChannelParameter: variables.SSHTRAIL_LAKE_CHANNEL_PARAMETER,
    account: variables.SSHTRAIL_ACCOUNT,
    endpoint: options.environment['AWS_ENDPOINT_URL'],
    fetch: options.fetch,
    now: options.now,
    onLakeLoss,
    report,
  });
}

export function originOf({ variables, clients }: TaskContext): EventOrigin {
  return {
    eventSource: variables.SSHTRAIL_EVENT_SOURCE,
    awsRegion: clients.region,
    recipientAccountId: variables.SSHTRAIL_ACCOUNT,
  };
}
