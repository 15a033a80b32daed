import { randomUUID } from 'node:crypto';
import {
  type AttributeValue,
  CreateTableCommand,
  DeleteItemCommand,
  DescribeTableCommand,
  DescribeTimeToLiveCommand,
  type DynamoDBClient,
  PutItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fakeDynamoDb } from '../../../fakes/aws/dynamodb.ts';
import { createControlTable, dynamoClient } from '../../../fakes/aws/dynamodb-control-table.ts';
import type { FakeRequest } from '../../../fakes/aws/fake-aws.ts';
import { awsEndpoints } from '../../../support/aws-endpoints.ts';

type Used = { readonly client: DynamoDBClient; readonly table: string };

function item(id: string, changedAtMs: number, more: Record<string, AttributeValue> = {}) {
  return { pk: { S: 'k' }, sk: { S: id }, changedAtMs: { N: String(changedAtMs) }, ...more };
}

async function put(
  { client, table }: Used,
  ...items: readonly Record<string, AttributeValue>[]
): Promise<void> {
  for (const each of items) await client.send(new PutItemCommand({ TableName: table, Item: each }));
}

function query(table: string, more: Partial<ConstructorParameters<typeof QueryCommand>[0]> = {}) {
  return new QueryCommand({
    TableName: table,
    KeyConditionExpression: '#k = :k',
    ExpressionAttributeNames: { '#k': 'pk' },
    ExpressionAttributeValues: { ':k': { S: 'k' } },
    ...more,
  });
}

// What the fake and the other emulator agree on, so that neither is believed alone.
describe.each(await awsEndpoints(fakeDynamoDb()))('DynamoDB as $name has it', ({ endpoint }) => {
  it('describes the table as it was made', async () => {
    const { client, table } = await createControlTable(endpoint);

    const { Table } = await client.send(new DescribeTableCommand({ TableName: table }));
    const { TimeToLiveDescription } = await client.send(new DescribeTimeToLiveCommand({ TableName: table }));

    expect(Table).toMatchObject({ TableName: table, TableStatus: 'ACTIVE' });
    expect(Table?.LocalSecondaryIndexes).toMatchObject([{ IndexName: 'by-change' }]);
    expect(TimeToLiveDescription).toEqual({ TimeToLiveStatus: 'ENABLED', AttributeName: 'expiresAt' });
  });

  it('queries an index in its order and direction, page by page', async () => {
    const used = await createControlTable(endpoint);
    await put(used, item('a', 30), item('b', 10), item('c', 20), { pk: { S: 'other' }, sk: { S: 'd' } });
    const ids: (string | undefined)[] = [];
    let start: Record<string, AttributeValue> | undefined;
    do {
      const page = await used.client.send(
        query(used.table, {
          IndexName: 'by-change',
          Limit: 2,
          ScanIndexForward: false,
          ExclusiveStartKey: start,
        }),
      );
      ids.push(...(page.Items ?? []).map(({ sk }) => sk?.S));
      start = page.LastEvaluatedKey;
    } while (start !== undefined);

    expect(ids).toEqual(['a', 'c', 'b']);
  });

  it('compares numbers as numbers, and filters after reading', async () => {
    const used = await createControlTable(endpoint);
    await put(used, item('a', 9), item('b', 10, { kept: { BOOL: true } }), item('c', 100));

    const { Items } = await used.client.send(
      query(used.table, {
        IndexName: 'by-change',
        KeyConditionExpression: '#k = :k AND changedAtMs >= :from',
        FilterExpression: 'attribute_exists(kept)',
        ExpressionAttributeValues: { ':k': { S: 'k' }, ':from': { N: '10' } },
      }),
    );

    expect(Items?.map(({ sk }) => sk?.S)).toEqual(['b']);
  });

  it('shows the item that failed a condition to those who ask', async () => {
    const used = await createControlTable(endpoint);
    await put(used, item('a', 1));
    const command = (ReturnValuesOnConditionCheckFailure: 'ALL_OLD' | 'NONE') =>
      new DeleteItemCommand({
        TableName: used.table,
        Key: { pk: { S: 'k' }, sk: { S: 'a' } },
        ConditionExpression: 'changedAtMs > :n OR NOT attribute_exists(changedAtMs)',
        ExpressionAttributeValues: { ':n': { N: '5' } },
        ReturnValuesOnConditionCheckFailure,
      });

    const asked = await used.client.send(command('ALL_OLD')).catch((error: unknown) => error);
    const silent = await used.client.send(command('NONE')).catch((error: unknown) => error);

    expect(asked).toMatchObject({ name: 'ConditionalCheckFailedException', Item: { sk: { S: 'a' } } });
    expect(silent).toMatchObject({ name: 'ConditionalCheckFailedException' });
    expect(silent).not.toHaveProperty('Item.sk');
  });

  it('updates what is not there yet, and says what it made of it', async () => {
    const { client, table } = await createControlTable(endpoint);
    const count = new UpdateItemCommand({
      TableName: table,
      Key: { pk: { S: 'k' }, sk: { S: 'a' } },
      UpdateExpression: 'SET n = if_not_exists(n, :zero) + :one REMOVE gone',
      ExpressionAttributeValues: { ':zero': { N: '0' }, ':one': { N: '1' } },
      ReturnValues: 'UPDATED_NEW',
    });

    expect((await client.send(count)).Attributes?.['n']).toEqual({ N: '1' });
    expect((await client.send(count)).Attributes?.['n']).toEqual({ N: '2' });
  });

  it('refuses a placeholder that nothing uses or defines, and a missing table', async () => {
    const { client, table } = await createControlTable(endpoint);
    const idle = query(table, { ExpressionAttributeNames: { '#k': 'pk', '#x': 'x' } });
    const unknown = query(`${table}-x`);

    await expect(client.send(idle)).rejects.toMatchObject({ name: 'ValidationException' });
    await expect(client.send(unknown)).rejects.toMatchObject({ name: 'ResourceNotFoundException' });
  });

  it('reads no global index consistently', async () => {
    const client = dynamoClient(endpoint);
    const table = `global-${randomUUID()}`;
    await client.send(
      new CreateTableCommand({
        TableName: table,
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [
          { AttributeName: 'pk', AttributeType: 'S' },
          { AttributeName: 'owner', AttributeType: 'S' },
        ],
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
        GlobalSecondaryIndexes: [
          {
            IndexName: 'by-owner',
            KeySchema: [{ AttributeName: 'owner', KeyType: 'HASH' }],
            Projection: { ProjectionType: 'ALL' },
          },
        ],
      }),
    );
    await client.send(new PutItemCommand({ TableName: table, Item: { pk: { S: 'a' }, owner: { S: 'k' } } }));
    await client.send(new PutItemCommand({ TableName: table, Item: { pk: { S: 'b' } } }));
    const names = { IndexName: 'by-owner', ExpressionAttributeNames: { '#k': 'owner' } };

    expect((await client.send(query(table, names))).Items).toEqual([{ pk: { S: 'a' }, owner: { S: 'k' } }]);
    await expect(client.send(query(table, { ...names, ConsistentRead: true }))).rejects.toMatchObject({
      name: 'ValidationException',
    });
  });
});

describe('fakeDynamoDb', () => {
  const request = (operation: string, body: unknown): FakeRequest => ({
    service: 'dynamodb',
    region: 'eu-central-1',
    operation,
    method: 'POST',
    path: '/',
    query: new URLSearchParams(),
    headers: {},
    body: Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)),
  });
  const withTable = () => {
    const fake = fakeDynamoDb();
    fake.handle(
      request('CreateTable', {
        TableName: 'table',
        BillingMode: 'PAY_PER_REQUEST',
        AttributeDefinitions: [{ AttributeName: 'pk', AttributeType: 'S' }],
        KeySchema: [{ AttributeName: 'pk', KeyType: 'HASH' }],
      }),
    );
    return fake;
  };
  const key = { pk: { S: 'a' } };

  it.each([
    ['an attribute that is two', 'PutItem', { Item: { ...key, x: { S: 'a', N: '1' } } }],
    ['an empty key', 'PutItem', { Item: { pk: { S: '' } } }],
    ['a key of another type', 'PutItem', { Item: { pk: { N: '1' } } }],
    ['no key', 'PutItem', { Item: { x: { S: 'a' } } }],
    ['too large an item', 'PutItem', { Item: { ...key, x: { S: 'x'.repeat(400 * 1024) } } }],
    ['a key with more than the key', 'GetItem', { Key: { ...key, x: { S: 'a' } } }],
    ['half a character', 'PutItem', { Item: { ...key, x: { S: '\ud800' } } }],
    ['a number that is none', 'PutItem', { Item: { ...key, x: { N: 'NaN' } } }],
    ['a reserved word', 'PutItem', { Item: key, ConditionExpression: 'attribute_exists(data)' }],
    ['half an expression', 'PutItem', { Item: key, ConditionExpression: 'attribute_exists(pk) AND' }],
    ['a function it does not know', 'PutItem', { Item: key, ConditionExpression: 'size(x) > pk' }],
    ['a value nobody defined', 'PutItem', { Item: key, ConditionExpression: 'x = :x' }],
    ['a member it does not know', 'PutItem', { Item: key, Expected: {} }],
    ['a change of the key', 'UpdateItem', { Key: key, UpdateExpression: 'REMOVE pk' }],
    ['two changes of one attribute', 'UpdateItem', { Key: key, UpdateExpression: 'REMOVE x, x' }],
    ['a sum of what is not there', 'UpdateItem', { Key: key, UpdateExpression: 'SET x = y + y' }],
    ['a query without the key', 'Query', { KeyConditionExpression: 'x = pk' }],
  ])('refuses %s', (_name, operation, members) => {
    const fake = withTable();

    const response = fake.handle(request(operation, { TableName: 'table', ...members }));

    expect(response).toMatchObject({ status: 400 });
    expect(JSON.parse(String(response?.body))).toMatchObject({
      __type: expect.stringMatching(/#(ValidationException|SerializationException)$/),
    });
    expect(fake.tables.get('table')?.items()).toEqual([]);
  });

  it('leaves what it does not know to others', () => {
    expect(fakeDynamoDb().handle(request('ExecuteStatement', {}))).toBeUndefined();
  });

  it('answers any bytes and any expression with an answer', () => {
    const fake = withTable();
    const word = fc.constantFrom(
      'a',
      '#a',
      ':a',
      '(',
      ')',
      '=',
      '<>',
      ',',
      'AND',
      'OR',
      'NOT',
      'SET',
      'REMOVE',
      '+',
    );
    const words = fc.array(word, { maxLength: 12 }).map((each) => each.join(' '));
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json(), words), (text) => {
        const update = { TableName: 'table', Key: key, UpdateExpression: text };
        for (const body of [text, update, { TableName: 'table', Item: key, ConditionExpression: text }])
          for (const operation of ['UpdateItem', 'PutItem', 'Query'])
            expect(fake.handle(request(operation, body))).toMatchObject({ body: expect.any(String) });
      }),
      { numRuns: 300 },
    );
  });
});
