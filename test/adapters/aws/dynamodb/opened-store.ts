import { randomUUID } from 'node:crypto';
import { type AttributeValue, type DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { onTestFinished } from 'vitest';
import type { ControlItem, ControlStore } from '#core/contract';
import { createDynamoControlStore } from '../../../../adapters/aws/dynamodb/index.ts';
import { createControlTable } from '../../../fakes/aws/dynamodb-control-table.ts';
import { type FakeAws, type FakeRequest, type Fault, startFakeAws } from '../../../fakes/aws/fake-aws.ts';

export const totp = { lastStep: 0, failures: 0, lockedUntilMs: 0 };
export const any = { kind: 'any' } as const;
export const absent = { kind: 'absent' } as const;
export const version = (number: number) => ({ kind: 'version', version: number }) as const;
export const deadline = { timeout: 5000, interval: 10 };

export type Used = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly store: ControlStore;
};

/** A table of the test's own and a store over it. */
export async function opened(endpoint: string, now: () => number = () => 1000): Promise<Used> {
  const { client, table } = await createControlTable(endpoint);
  return { client, table, store: storeOver(client, table, now) };
}

export function storeOver(
  client: DynamoDBClient,
  table: string,
  now: () => number = () => 1000,
): ControlStore {
  const store = createDynamoControlStore({ client, table, now });
  onTestFinished(() => store.close());
  return store;
}

/** The same service behind something that breaks calls. */
export async function faulty(endpoint: string): Promise<FakeAws> {
  const front = await startFakeAws({ services: [], upstream: endpoint });
  onTestFinished(() => front.close());
  return front;
}

/** A fault for the first `times` calls of an operation. */
export function first(
  times: number,
  operation: string,
  fault: Fault,
): (request: FakeRequest) => Fault | undefined {
  let left = times;
  return (request) => {
    if (request.operation !== operation || left === 0) return undefined;
    left -= 1;
    return fault;
  };
}

export function watched(store: ControlStore, latencyMs = 50) {
  const seen: ControlItem<'totp'>[] = [];
  const faults: Error[] = [];
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  store.watch('totp', {
    latencyMs,
    signal: stop.signal,
    onChange: (item) => void seen.push(item),
    onFault: (error) => void faults.push(error),
  });
  return { seen, faults };
}

export async function putAttributes({ client, table }: Used, attributes: Record<string, AttributeValue>) {
  const item = {
    pk: { S: 'totp' },
    sk: { S: 'alice' },
    version: { N: '1' },
    data: { S: JSON.stringify(totp) },
    changedAtMs: { N: '1000' },
    writeId: { S: randomUUID() },
    ...attributes,
  };
  await client.send(new PutItemCommand({ TableName: table, Item: item }));
}
