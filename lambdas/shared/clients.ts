import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { S3Client } from '@aws-sdk/client-s3';
import { SSMClient } from '@aws-sdk/client-ssm';
import type { InvocationClients } from './invocation.ts';

/**
 * For a composition root. Endpoints and credentials come from the environment, as the SDK reads it; `endpoint` is AWS_ENDPOINT_URL
 * for what the SDK has no client for.
 */
export function createInvocationClients(region: string, endpoint: string | undefined): InvocationClients {
  // The adapters try again by themselves, since only they know what may be repeated.
  const options = { region, maxAttempts: 1 };
  return {
    s3: new S3Client(options),
    dynamoDb: new DynamoDBClient(options),
    eventBridge: new EventBridgeClient(options),
    ssm: new SSMClient(options),
    ...(endpoint === undefined ? {} : { lakeEndpoint: endpoint }),
  };
}
