import { randomBytes } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { APIGatewayProxyHandler } from 'aws-lambda';
import { readEnvironment } from '#core/deployment';
import {
  closing,
  createCount,
  createInvocationClients,
  createLog,
  errorResponse,
  openInvocation,
  readRegion,
} from '../shared/index.ts';
import { controlApi } from './control-api.ts';

const functionName = 'control-api';

/** What outlives an invocation; made at the first one, so that the module can be loaded without an environment. */
function prepare() {
  const region = readRegion(process.env);
  return {
    region,
    environment: readEnvironment(functionName, process.env),
    clients: createInvocationClients(region, process.env['AWS_ENDPOINT_URL']),
  };
}
let prepared: ReturnType<typeof prepare> | undefined;

export const handler: APIGatewayProxyHandler = async (event, { awsRequestId: requestId }) => {
  prepared ??= prepare();
  const { region, environment, clients } = prepared;
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
      controlApi(event, { control: invocation.control, now, sleep: delay }),
    );
  } catch {
    return errorResponse(
      500,
      'internal',
      `that could not be done; tell who runs sshtrail this id: ${requestId}`,
    );
  }
};
