import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { SNSClient } from '@aws-sdk/client-sns';
import type { APIGatewayProxyHandler } from 'aws-lambda';
import { createSnsNotifier } from '#adapters/aws';
import { readEnvironment } from '#core/deployment';
import {
  answering,
  createCount,
  createInvocationClients,
  createLog,
  listOf,
  openInvocation,
  readRegion,
  writeLine,
} from '../shared/index.ts';
import { readAccessRules } from './access-rules.ts';
import { controlApi } from './control-api.ts';
import { factorApi, isFactorRoute } from './factors.ts';

const functionName = 'control-api';

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

export const handler: APIGatewayProxyHandler = async (event, { awsRequestId: requestId }) => {
  prepared ??= prepare();
  const { region, environment, clients, sns } = prepared;
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
  return answering(invocation, { log, count, requestId }, () =>
    isFactorRoute(event.resource)
      ? factorApi(event, { control: invocation.control, journal: invocation.journal, now, randomBytes })
      : controlApi(event, {
          control: invocation.control,
          journal: invocation.journal,
          rules: () => readAccessRules(clients.ssm, environment.SSHTRAIL_PARAMETER_PATH),
          notifier: createSnsNotifier({
            client: sns,
            topicArn: environment.SSHTRAIL_NOTICE_TOPIC,
            deployment: environment.SSHTRAIL_NAME,
          }),
          identityCenterMfaAccounts: listOf(environment.SSHTRAIL_IDENTITY_CENTER_MFA_ACCOUNTS),
          now,
          sleep: delay,
          randomBytes,
        }),
  );
};
