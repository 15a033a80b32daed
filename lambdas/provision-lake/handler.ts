import { CloudTrailClient } from '@aws-sdk/client-cloudtrail';
import { SSMClient } from '@aws-sdk/client-ssm';
import type { Handler } from 'aws-lambda';
import { createLog, readRegion } from '../shared/index.ts';
import { type ProvisionLakeAnswer, provisionLake } from './provision-lake.ts';

export const handler: Handler<unknown, ProvisionLakeAnswer> = (event, { awsRequestId: requestId }) => {
  const region = readRegion(process.env);
  const write = (line: string) => void process.stdout.write(`${line}\n`);
  return provisionLake(event, {
    cloudTrail: new CloudTrailClient({ region, maxAttempts: 4 }),
    ssm: new SSMClient({ region, maxAttempts: 4 }),
    log: createLog(write, { function: 'provision-lake', requestId, now: Date.now }),
  });
};
