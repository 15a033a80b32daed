import { DynamoDBClient } from '@aws-sdk/client-dynamodb';
import { EC2Client } from '@aws-sdk/client-ec2';
import { EC2InstanceConnectClient } from '@aws-sdk/client-ec2-instance-connect';
import { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import { KMSClient } from '@aws-sdk/client-kms';
import { S3Client } from '@aws-sdk/client-s3';
import { SNSClient } from '@aws-sdk/client-sns';
import { SSMClient } from '@aws-sdk/client-ssm';

export type TaskClients = ReturnType<typeof createTaskClients>;

/** Region, endpoints and credentials come from the environment, as the SDK reads it. */
export function createTaskClients(region: string) {
  const retries = { region, maxAttempts: 3 };
  // The stores retry by themselves, since only they know what may be repeated.
  const once = { region, maxAttempts: 1 };
  return {
    region,
    s3: new S3Client(once),
    dynamo: new DynamoDBClient(once),
    kms: new KMSClient(retries),
    ssm: new SSMClient(retries),
    ec2: new EC2Client(retries),
    instanceConnect: new EC2InstanceConnectClient(retries),
    events: new EventBridgeClient(retries),
    sns: new SNSClient(once),
  };
}
