import { randomUUID } from 'node:crypto';
import { CreateTableCommand, DynamoDBClient, UpdateTimeToLiveCommand } from '@aws-sdk/client-dynamodb';
import { onTestFinished } from 'vitest';
import { controlTableDefinition, controlTableTtlAttribute } from '../../../adapters/aws/dynamodb/index.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';

/** A control table of its own for the test that calls, empty, and a client to use it with. */
export async function createControlTable(
  endpoint: string,
): Promise<{ readonly client: DynamoDBClient; readonly table: string }> {
  const client = dynamoClient(endpoint);
  const table = `control-${randomUUID()}`;
  await client.send(new CreateTableCommand({ TableName: table, ...controlTableDefinition }));
  await client.send(
    new UpdateTimeToLiveCommand({
      TableName: table,
      TimeToLiveSpecification: { AttributeName: controlTableTtlAttribute, Enabled: true },
    }),
  );
  return { client, table };
}

export function dynamoClient(endpoint: string): DynamoDBClient {
  const client = new DynamoDBClient(clientOptions(endpoint));
  onTestFinished(() => client.destroy());
  // moto looks at a condition and writes in two steps, on threads, so that of racing writers several win.
  if (endpoint === process.env['MOTO_ENDPOINT'])
    client.middlewareStack.add((next) => (args) => inTurn(() => next(args)), {
      step: 'finalizeRequest',
      name: 'inTurn',
    });
  return client;
}

let lastCall: Promise<unknown> = Promise.resolve();

function inTurn<Result>(call: () => Promise<Result>): Promise<Result> {
  const result = lastCall.then(call);
  lastCall = result.catch(() => undefined);
  return result;
}
