import { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import { SSMClient } from '@aws-sdk/client-ssm';
import type { Handler } from 'aws-lambda';
import { createLog, readRegion, writeLine } from '../shared/index.ts';
import { type ProvisionLakeAnswer, provisionLake } from './provision-lake.ts';

export const handler: Handler<unknown, ProvisionLakeAnswer> = (event, { awsRequestId: requestId }) => {
  const region = readRegion(process.env);
  return provisionLake(event, {
    cloudTrail: new CloudTrailClient({ region, maxAttempts: 4 }),
    ssm: new SSMClient({ region, maxAttempts: 4 }),
    log: createLog(writeLine, { function: 'provision-lake', requestId, now: Date.now }),
  });
};
