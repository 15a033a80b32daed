import { randomBytes } from 'node:crypto';
import { KMSClient } from '@aws-sdk/client-kms';
import { SNSClient } from '@aws-sdk/client-sns';
import type { Handler } from 'aws-lambda';
import { createSnsNotifier, openKmsSigner } from '#adapters/aws';
import type { Signer } from '#core/contract';
import { readEnvironment } from '#core/deployment';
import packageFile from '../../package.json' with { type: 'json' };
import {
  closing,
  createCount,
  createInvocationClients,
  createLog,
  openInvocation,
  readRegion,
  writeLine,
} from '../shared/index.ts';
import { type SealSummary, seal } from './seal.ts';

const functionName = 'seal';
const { version } = packageFile;

/** What outlives an invocation; made at the first one, so that the module can be loaded without an environment. */
function prepare() {
  const region = readRegion(process.env);
  const environment = readEnvironment(functionName, process.env);
  const kms = new KMSClient({ region, maxAttempts: 1 });
  let signer: Promise<Signer> | undefined;
  return {
    region,
    environment,
    signer: () => {
      signer ??= openKmsSigner({ client: kms, keyId: environment.SSHTRAIL_EVIDENCE_KEY }).catch(
        (error: unknown) => {
          // The next invocation asks again.
          signer = undefined;
          throw error;
        },
      );
      return signer;
    },
    clients: createInvocationClients(region, process.env['AWS_ENDPOINT_URL']),
    sns: new SNSClient({ region, maxAttempts: 1 }),
  };
}
let prepared: ReturnType<typeof prepare> | undefined;

export const handler: Handler<unknown, SealSummary> = async (event, context) => {
  prepared ??= prepare();
  const { region, environment, clients, sns, signer } = prepared;
  const { awsRequestId: requestId } = context;
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
    seal(event, {
      invocation,
      notifier: createSnsNotifier({
        client: sns,
        topicArn: environment.SSHTRAIL_NOTICE_TOPIC,
        deployment: environment.SSHTRAIL_NAME,
      }),
      signer,
      version,
      sealerId: `seal-${requestId}`,
      log,
      count,
      now,
      randomBytes,
      remainingMs: () => context.getRemainingTimeInMillis(),
    }),
  );
};
