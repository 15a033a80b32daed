import { randomBytes } from 'node:crypto';
import { SNSClient } from '@aws-sdk/client-sns';
import type { Handler } from 'aws-lambda';
import { createSnsNotifier, sealDeadWriter, verifyObjectLake } from '#adapters/aws';
import { type AuditWriter, streamName } from '#core/contract';
import { readEnvironment } from '#core/deployment';
import packageFile from '../../package.json' with { type: 'json' };
import {
  closing,
  createCount,
  createInvocationClients,
  createLog,
  type Invocation,
  openInvocation,
  readRegion,
} from '../shared/index.ts';
import { type SealSummary, seal } from './seal.ts';

const functionName = 'seal';
const { version } = packageFile;

/** What outlives an invocation; made at the first one, so that the module can be loaded without an environment. */
function prepare() {
  const region = readRegion(process.env);
  return {
    region,
    environment: readEnvironment(functionName, process.env),
    clients: createInvocationClients(region, process.env['AWS_ENDPOINT_URL']),
    sns: new SNSClient({ region, maxAttempts: 1 }),
  };
}
let prepared: ReturnType<typeof prepare> | undefined;

export const handler: Handler<unknown, SealSummary> = async (event, context) => {
  prepared ??= prepare();
  const { region, environment, clients, sns } = prepared;
  const now = Date.now;
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  const log = createLog(write, { function: functionName, requestId: context.awsRequestId, now });
  const count = createCount(write, { function: functionName, now });
  const invocation = openInvocation({
    environment,
    region,
    clients,
    functionName,
    log,
    count,
    now,
    randomBytes,
    fetch,
  });
  return closing(invocation, log, () =>
    seal(event, {
      control: invocation.control,
      journal: invocation.journal,
      seal: (writer) => sealWriter(writer, invocation, now),
      verify: async (days) =>
        verifyObjectLake(invocation.evidence, {
          days,
          journal: invocation.stores.journal,
          liveSessions: new Set((await invocation.control.list('session')).map(({ id }) => id)),
        }),
      notifier: createSnsNotifier({
        client: sns,
        topicArn: environment.SSHTRAIL_NOTICE_TOPIC,
        deployment: environment.SSHTRAIL_NAME,
      }),
      version,
      log,
      count,
      now,
      remainingMs: () => context.getRemainingTimeInMillis(),
    }),
  );
};

async function sealWriter(writer: AuditWriter, { stores, origin }: Invocation, now: () => number) {
  return sealDeadWriter({
    journal: stores.journal,
    remover: stores.remover,
    evidence: stores.evidence,
    control: stores.control,
    stream: streamName(writer.stream),
    origin,
    proxyId: writer.proxyId,
    now,
    randomBytes,
    sinks: await stores.sinks(),
    version,
    onFault: () => undefined,
  });
}
