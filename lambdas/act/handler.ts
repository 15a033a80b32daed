import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SNSClient } from '@aws-sdk/client-sns';
import type { Handler } from 'aws-lambda';
import { createSnsNotifier } from '#adapters/aws';
import type { ActRequest } from '#core/contract';
import { readEnvironment } from '#core/deployment';
import {
  closing,
  createCount,
  createInvocationClients,
  createLog,
  openInvocation,
  readRegion,
  readRunbookSettings,
  readRunbooks,
  runbooksFolder,
  writeLine,
} from '../shared/index.ts';
import { type ActSummary, act } from './act.ts';

const functionName = 'act';

/** What outlives an invocation; made at the first one, so that the module can be loaded without an environment. */
function prepare() {
  const region = readRegion(process.env);
  return {
    region,
    environment: readEnvironment(functionName, process.env),
    runbooks: readRunbooks(runbooksFolder(process.env['LAMBDA_TASK_ROOT'])),
    clients: createInvocationClients(region, process.env['AWS_ENDPOINT_URL']),
    sns: new SNSClient({ region, maxAttempts: 1 }),
  };
}
let prepared: ReturnType<typeof prepare> | undefined;

export const handler: Handler<ActRequest, ActSummary> = async (event, { awsRequestId: requestId }) => {
  prepared ??= prepare();
  const { region, environment, runbooks, clients, sns } = prepared;
  const now = Date.now;
  const log = createLog(writeLine, { function: functionName, requestId, now });
  const count = createCount(writeLine, { function: functionName, now });
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
    act(event, {
      invocation,
      runbooks,
      settings: () => readRunbookSettings(clients.ssm, environment.SSHTRAIL_PARAMETER_PATH),
      notifier: createSnsNotifier({
        client: sns,
        topicArn: environment.SSHTRAIL_NOTICE_TOPIC,
        deployment: environment.SSHTRAIL_NAME,
      }),
      log,
      count,
      now,
      sleep: delay,
    }),
  );
};
