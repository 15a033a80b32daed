import { randomBytes } from 'node:crypto';
import { EC2Client } from '@aws-sdk/client-ec2';
import { SNSClient } from '@aws-sdk/client-sns';
import type { Handler } from 'aws-lambda';
import { createSecurityGroups, createSnsNotifier } from '#adapters/aws';
import { readEnvironment } from '#core/deployment';
import {
  closing,
  createCount,
  createInvocationClients,
  createLog,
  listOf,
  openInvocation,
  readRegion,
  writeLine,
} from '../shared/index.ts';
import { type CheckExposureSummary, checkExposure } from './check-exposure.ts';

const functionName = 'check-exposure';

/** What outlives an invocation; made at the first one, so that the module can be loaded without an environment. */
function prepare() {
  const region = readRegion(process.env);
  return {
    region,
    environment: readEnvironment(functionName, process.env),
    clients: createInvocationClients(region, process.env['AWS_ENDPOINT_URL']),
    sns: new SNSClient({ region, maxAttempts: 1 }),
    ec2: new EC2Client({ region, maxAttempts: 1 }),
  };
}
let prepared: ReturnType<typeof prepare> | undefined;

export const handler: Handler<unknown, CheckExposureSummary> = async (event, { awsRequestId: requestId }) => {
  prepared ??= prepare();
  const { region, environment, clients, sns, ec2 } = prepared;
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
    checkExposure(event, {
      invocation,
      groups: createSecurityGroups(ec2),
      notifier: createSnsNotifier({
        client: sns,
        topicArn: environment.SSHTRAIL_NOTICE_TOPIC,
        deployment: environment.SSHTRAIL_NAME,
      }),
      allowedGroups: listOf(environment.SSHTRAIL_EXPOSURE_ALLOWED_GROUPS),
      runId: requestId,
      log,
      count,
      now,
    }),
  );
};
