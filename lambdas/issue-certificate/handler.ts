import { randomBytes } from 'node:crypto';
import { KMSClient } from '@aws-sdk/client-kms';
import type { APIGatewayProxyHandler } from 'aws-lambda';
import { openKmsSigner } from '#adapters/aws';
import { readEnvironment } from '#core/deployment';
import { type RemoteSigner, remoteSigner } from '#ssh';
import {
  closing,
  createCount,
  createInvocationClients,
  createLog,
  errorResponse,
  openInvocation,
  readRegion,
} from '../shared/index.ts';
import { issueCertificate } from './issue-certificate.ts';

const functionName = 'issue-certificate';

/** What outlives an invocation; made at the first one, so that the module can be loaded without an environment. */
function prepare() {
  const region = readRegion(process.env);
  const environment = readEnvironment(functionName, process.env);
  const kms = new KMSClient({ region, maxAttempts: 1 });
  let authority: Promise<RemoteSigner> | undefined;
  return {
    region,
    environment,
    clients: createInvocationClients(region, process.env['AWS_ENDPOINT_URL']),
    authority() {
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
  const { region, environment, clients, authority } = prepared;
  const now = Date.now;
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  const log = createLog(write, { function: functionName, requestId, now });
  const count = createCount(write, { function: functionName, now });
  try {
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
    return await closing(invocation, log, () =>
      issueCertificate(event, {
        authority,
        journal: invocation.journal,
        maxSeconds: Number(environment.SSHTRAIL_MAX_CERTIFICATE_SECONDS),
        allowedAccounts: listOf(environment.SSHTRAIL_ALLOWED_ACCOUNTS),
        identityCenterMfaAccounts: listOf(environment.SSHTRAIL_IDENTITY_CENTER_MFA_ACCOUNTS),
        now,
        randomBytes,
      }),
    );
  } catch {
    // The log has it; outside only the request's id is of use.
    return errorResponse(
      500,
      'internal',
      `no certificate could be issued; tell who runs sshtrail this id: ${requestId}`,
    );
  }
};

function listOf(text: string): readonly string[] {
  return text.split(',').filter((part) => part !== '');
}
