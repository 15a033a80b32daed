import { randomBytes } from 'node:crypto';
import { KMSClient } from '@aws-sdk/client-kms';
import type { APIGatewayProxyHandler } from 'aws-lambda';
import { openKmsSigner } from '#adapters/aws';
import { readEnvironment } from '#core/deployment';
import { type RemoteSigner, remoteSigner } from '#ssh';
import {
  answering,
  createCount,
  createInvocationClients,
  createLog,
  FunctionError,
  listOf,
  openInvocation,
  readRegion,
  writeLine,
} from '../shared/index.ts';
import { issueCertificate } from './issue-certificate.ts';

const functionName = 'issue-certificate';

/** What outlives an invocation; made at the first one, so that the module can be loaded without an environment. */
function prepare() {
  const region = readRegion(process.env);
  const environment = readEnvironment(functionName, process.env);
  const maxSeconds = Number(environment.SSHTRAIL_MAX_CERTIFICATE_SECONDS);
  if (!Number.isSafeInteger(maxSeconds) || maxSeconds < 60 || maxSeconds > 86_400)
    throw new FunctionError(
      'configuration',
      'SSHTRAIL_MAX_CERTIFICATE_SECONDS is no number from 60 to 86400; set certificateMaxMinutes and deploy again',
    );
  const kms = new KMSClient({ region, maxAttempts: 1 });
  let authority: Promise<RemoteSigner> | undefined;
  return {
    region,
    environment,
    maxSeconds,
    clients: createInvocationClients(region, process.env['AWS_ENDPOINT_URL']),
    authority: () => {
      authority ??= openKmsSigner({ client: kms, keyId: environment.SSHTRAIL_ENGINEER_AUTHORITY_KEY })
        .then(remoteSigner)
        .catch((error: unknown) => {
          // The next invocation asks again.
          authority = undefined;
          throw error;
        });
      return authority;
    },
  };
}
let prepared: ReturnType<typeof prepare> | undefined;

export const handler: APIGatewayProxyHandler = async (event, { awsRequestId: requestId }) => {
  prepared ??= prepare();
  const { region, environment, maxSeconds, clients, authority } = prepared;
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
    issueCertificate(event, {
      authority,
      journal: invocation.journal,
      maxSeconds,
      allowedAccounts: [environment.SSHTRAIL_ACCOUNT, ...listOf(environment.SSHTRAIL_ALLOWED_ACCOUNTS)],
      identityCenterMfaAccounts: listOf(environment.SSHTRAIL_IDENTITY_CENTER_MFA_ACCOUNTS),
      now,
      randomBytes,
    }),
  );
};
