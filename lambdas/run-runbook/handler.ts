import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { AthenaClient } from '@aws-sdk/client-athena';
import { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import { SNSClient } from '@aws-sdk/client-sns';
import type { EventBridgeEvent, Handler } from 'aws-lambda';
import { createAthenaEngine, createAutomationStarter, createSnsNotifier } from '#adapters/aws';
import {
  type AuditRecord,
  automationDocumentName,
  type EventName,
  type RunbookRequest,
} from '#core/contract';
import { readEnvironment } from '#core/deployment';
import { parseCloudTrailRelation } from '#core/lake';
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
import { chooseLake } from './choose-lake.ts';
import { type RunSummary, runRunbooks } from './run-runbook.ts';

const functionName = 'run-runbook';

/** What outlives an invocation; made at the first one, so that the module can be loaded without an environment. */
function prepare() {
  const region = readRegion(process.env);
  const once = { region, maxAttempts: 1 };
  return {
    region,
    environment: readEnvironment(functionName, process.env),
    // Runbooks are files beside the bundle (the stacks copy runbooks/ there) and not part of it, so that the deployed function
    // and plain Node read the same YAML in the same way. Without a bundle they are the repository's.
    runbooks: readRunbooks(runbooksFolder(process.env['LAMBDA_TASK_ROOT'])),
    clients: createInvocationClients(region, process.env['AWS_ENDPOINT_URL']),
    athena: new AthenaClient(once),
    cloudTrail: new CloudTrailClient(once),
    sns: new SNSClient(once),
  };
}
let prepared: ReturnType<typeof prepare> | undefined;

type RunEvent = RunbookRequest | EventBridgeEvent<EventName, AuditRecord>;

export const handler: Handler<RunEvent, readonly RunSummary[]> = async (event, context) => {
  prepared ??= prepare();
  const { region, environment, runbooks, clients, athena, cloudTrail, sns } = prepared;
  const now = Date.now;
  const log = createLog(writeLine, { function: functionName, requestId: context.awsRequestId, now });
  const count = createCount(writeLine, { function: functionName, now });
  const common = { region, environment, clients, log, count, now };
  const invocation = openInvocation({ ...common, functionName, randomBytes, fetch });
  const starter = createAutomationStarter({ client: clients.ssm });
  const cloudtrail = parseCloudTrailRelation(environment.SSHTRAIL_ACCOUNT_TRAIL);
  return closing(invocation, log, () =>
    runRunbooks(event, {
      invocation,
      runbooks,
      settings: () => readRunbookSettings(clients.ssm, environment.SSHTRAIL_PARAMETER_PATH),
      athena: createAthenaEngine({
        client: athena,
        workgroup: environment.SSHTRAIL_ATHENA_WORKGROUP,
        database: environment.SSHTRAIL_GLUE_DATABASE,
      }),
      lake: () =>
        chooseLake({
          cloudTrail,
          ssm: clients.ssm,
          parameter: environment.SSHTRAIL_EVENT_DATA_STORE_PARAMETER,
        }),
      ...(cloudtrail === undefined ? {} : { cloudtrail }),
      startAutomation: async ({ runbookId, findingKey, dryRun, clientToken }) => {
        await starter.start({
          document: automationDocumentName(environment.SSHTRAIL_NAME, runbookId),
          parameters: { FindingKey: findingKey, DryRun: dryRun ? 'true' : 'false' },
          clientToken,
        });
      },
      notifier: createSnsNotifier({
        client: sns,
        topicArn: environment.SSHTRAIL_NOTICE_TOPIC,
        deployment: environment.SSHTRAIL_NAME,
      }),
      log,
      count,
      now,
      sleep: delay,
      remainingMs: () => context.getRemainingTimeInMillis(),
    }),
  );
};
