import { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import { SSMClient } from '@aws-sdk/client-ssm';
import type { Handler } from 'aws-lambda';
import { createLakeResources, deleteParameter, putParameter } from '#adapters/aws';
import { createLog, readRegion, writeLine } from '../shared/index.ts';
import { type ProvisionLakeAnswer, provisionLake } from './provision-lake.ts';

/** Called a few times in the life of a deployment, so nothing outlives an invocation. */
export const handler: Handler<unknown, ProvisionLakeAnswer> = (event, { awsRequestId: requestId }) => {
  const region = readRegion(process.env);
  const cloudTrail = new CloudTrailClient({ region, maxAttempts: 1 });
  const ssm = new SSMClient({ region, maxAttempts: 1 });
  return provisionLake(event, {
    resources: (name, tags) => createLakeResources({ client: cloudTrail, name, tags }),
    parameters: {
      put: (name, value, there) => putParameter(ssm, name, value, there),
      delete: (name) => deleteParameter(ssm, name),
    },
    log: createLog(writeLine, { function: 'provision-lake', requestId, now: Date.now }),
  });
};
