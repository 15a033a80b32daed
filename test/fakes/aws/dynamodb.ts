import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import {
  applyChanges,
  type Condition,
  holds,
  parseCondition,
  parseUpdate,
  placeholders,
} from './dynamodb-expressions.ts';
import { DynamoTable, parseTable } from './dynamodb-table.ts';
import { DynamoFault, type Item, invalid, isRecord, parseItem, wireItem } from './dynamodb-values.ts';
import type { FakeRequest, FakeResponse, FakeService } from './fake-aws.ts';

/** What a test may look at, and put there past every condition. */
export type FakeDynamoDb = Omit<FakeService, 'handle'> & {
  handle(request: FakeRequest): FakeResponse | undefined;
  readonly tables: ReadonlyMap<string, DynamoTable>;
};

/**
 * DynamoDB in memory: tables with indexes, single items under conditions, queries with pages. Strict: what it does not know it
 * refuses, so that nothing passes here that AWS would read in another way. Expired items stay, as they do for days in AWS.
 */
export function fakeDynamoDb(): FakeDynamoDb {
  const tables = new Map<string, DynamoTable>();
  return {
    service: 'dynamodb',
    tables,
    handle({ operation, body }) {
      const run = operation === undefined ? undefined : operations.get(operation);
      if (run === undefined) return undefined;
      try {
        return answer(200, run(tables, new Input(body)));
      } catch (error) {
        if (error instanceof DynamoFault) return faultAnswer(error);
        throw error;
      }
    },
  };
}

/** What AWS answers where a partition is asked too much; for `inject`. */
export const dynamoThrottling: FakeResponse = faultAnswer(
  new DynamoFault(
    'ProvisionedThroughputExceededException',
    'The level of configured provisioned throughput for the table was exceeded',
  ),
);

function answer(status: number, value: unknown): FakeResponse {
  return {
    status,
    headers: { 'content-type': 'application/x-amz-json-1.0' },
    body: JSON.stringify(value),
  };
}

function faultAnswer({ code, message, item }: DynamoFault): FakeResponse {
  const family =
    code === 'SerializationException' ? 'com.amazon.coral.service' : 'com.amazonaws.dynamodb.v20120810';
  return answer(400, {
    __type: `${family}#${code}`,
    message,
    ...(item === undefined ? {} : { Item: wireItem(item) }),
  });
}

type Tables = Map<string, DynamoTable>;

/** The members of one request; one that nobody asked for is one this fake does not know. */
class Input {
  readonly #members: Record<string, unknown>;
  readonly #asked = new Set<string>();

  constructor(body: Buffer) {
    let parsed: unknown;
    try {
      parsed = JSON.parse(body.toString('utf8'));
    } catch {
      throw new DynamoFault('SerializationException', 'the body is not JSON');
    }
    if (!isRecord(parsed)) throw new DynamoFault('SerializationException', 'the body is no structure');
    this.#members = parsed;
  }

  take(name: string): unknown {
    this.#asked.add(name);
    return this.#members[name];
  }

  choice<Choice extends string>(name: string, ...[first, ...others]: readonly [Choice, ...Choice[]]): Choice {
    const value = this.take(name) ?? first;
    const found = [first, ...others].find((choice) => choice === value);
    if (found === undefined)
      throw invalid(
        `1 validation error detected: Value '${JSON.stringify(value)}' at '${name}' failed to satisfy constraint: Member must satisfy enum value set`,
      );
    return found;
  }

  checkKnown(): void {
    const unknown = Object.keys(this.#members).filter((name) => !this.#asked.has(name));
    if (unknown.length > 0) throw invalid(`this fake does not know ${unknown.join(', ')} here`);
  }
}

const operations: ReadonlyMap<string, (tables: Tables, input: Input) => unknown> = new Map([
  ['CreateTable', createTable],
  ['DescribeTable', (tables, input) => ({ Table: tableOf(tables, input).describe() })],
  ['UpdateTimeToLive', updateTimeToLive],
  [
    'DescribeTimeToLive',
    (tables, input) => {
      const { timeToLive } = tableOf(tables, input);
      return {
        TimeToLiveDescription:
          timeToLive === undefined
            ? { TimeToLiveStatus: 'DISABLED' }
            : { TimeToLiveStatus: 'ENABLED', AttributeName: timeToLive },
      };
    },
  ],
  ['GetItem', getItem],
  ['PutItem', putItem],
  ['UpdateItem', updateItem],
  ['DeleteItem', deleteItem],
  ['Query', query],
]);

function tableOf(tables: Tables, input: Input): DynamoTable {
  const table = tables.get(String(input.take('TableName')));
  if (table === undefined) throw new DynamoFault('ResourceNotFoundException', 'Requested resource not found');
  return table;
}

function createTable(tables: Tables, input: Input): unknown {
  const name = input.take('TableName');
  if (typeof name !== 'string' || !/^[a-zA-Z0-9_.-]{3,255}$/.test(name))
    throw invalid('TableName must be at least 3 characters long and at most 255 characters long');
  if (tables.has(name)) throw new DynamoFault('ResourceInUseException', `Table already exists: ${name}`);
  const table = new DynamoTable(
    name,
    parseTable((member) => input.take(member)),
  );
  input.checkKnown();
  tables.set(name, table);
  return { TableDescription: table.describe() };
}

function updateTimeToLive(tables: Tables, input: Input): unknown {
  const table = tableOf(tables, input);
  const specification = input.take('TimeToLiveSpecification');
  input.checkKnown();
  if (
    !isRecord(specification) ||
    typeof specification['AttributeName'] !== 'string' ||
    typeof specification['Enabled'] !== 'boolean'
  )
    throw invalid('TimeToLiveSpecification needs AttributeName and Enabled');
  if (specification['Enabled'] === (table.timeToLive !== undefined))
    throw invalid(`TimeToLive is already ${specification['Enabled'] ? 'enabled' : 'disabled'}`);
  table.timeToLive = specification['Enabled'] ? specification['AttributeName'] : undefined;
  return { TimeToLiveSpecification: specification };
}

function getItem(tables: Tables, input: Input): unknown {
  const table = tableOf(tables, input);
  const key = table.checkedKey(parseItem(input.take('Key'), 'Key'));
  input.take('ConsistentRead');
  input.checkKnown();
  const item = table.get(key);
  return item === undefined ? {} : { Item: wireItem(item) };
}

/** Condition and placeholders of a write, read and checked before anything happens. */
function writeCondition(
  input: Input,
  changesOf: (known: ReturnType<typeof placeholders>) => void,
): Condition | undefined {
  const known = placeholders(input.take('ExpressionAttributeNames'), input.take('ExpressionAttributeValues'));
  const text = input.take('ConditionExpression');
  const condition = text === undefined ? undefined : parseCondition('ConditionExpression', text, known);
  changesOf(known);
  known.checkUsed();
  return condition;
}

function checkCondition(
  condition: Condition | undefined,
  item: Item | undefined,
  wanted: 'NONE' | 'ALL_OLD',
): void {
  if (condition !== undefined && !holds(condition, item))
    throw new DynamoFault(
      'ConditionalCheckFailedException',
      'The conditional request failed',
      wanted === 'ALL_OLD' ? item : undefined,
    );
}

function putItem(tables: Tables, input: Input): unknown {
  const table = tableOf(tables, input);
  const item = parseItem(input.take('Item'), 'Item');
  const condition = writeCondition(input, () => undefined);
  const returned = input.choice('ReturnValues', 'NONE', 'ALL_OLD');
  const onFailure = input.choice('ReturnValuesOnConditionCheckFailure', 'NONE', 'ALL_OLD');
  input.checkKnown();
  const old = table.get(table.keyOf(item));
  checkCondition(condition, old, onFailure);
  table.put(item);
  return returned === 'ALL_OLD' && old !== undefined ? { Attributes: wireItem(old) } : {};
}

function deleteItem(tables: Tables, input: Input): unknown {
  const table = tableOf(tables, input);
  const key = table.checkedKey(parseItem(input.take('Key'), 'Key'));
  const condition = writeCondition(input, () => undefined);
  const returned = input.choice('ReturnValues', 'NONE', 'ALL_OLD');
  const onFailure = input.choice('ReturnValuesOnConditionCheckFailure', 'NONE', 'ALL_OLD');
  input.checkKnown();
  const old = table.get(key);
  checkCondition(condition, old, onFailure);
  table.delete(key);
  return returned === 'ALL_OLD' && old !== undefined ? { Attributes: wireItem(old) } : {};
}

function updateItem(tables: Tables, input: Input): unknown {
  const table = tableOf(tables, input);
  const key = table.checkedKey(parseItem(input.take('Key'), 'Key'));
  let changes: ReturnType<typeof parseUpdate> = [];
  const condition = writeCondition(input, (known) => {
    changes = parseUpdate(input.take('UpdateExpression'), known);
  });
  const returned = input.choice('ReturnValues', 'NONE', 'ALL_OLD', 'UPDATED_OLD', 'ALL_NEW', 'UPDATED_NEW');
  const onFailure = input.choice('ReturnValuesOnConditionCheckFailure', 'NONE', 'ALL_OLD');
  input.checkKnown();
  const keyAttribute = changes.find(({ path }) => key[path] !== undefined);
  if (keyAttribute !== undefined)
    throw invalid(
      `One or more parameter values were invalid: Cannot update attribute ${keyAttribute.path}. This attribute is part of the key`,
    );
  const old = table.get(key);
  checkCondition(condition, old, onFailure);
  const item = applyChanges(changes, old ?? key);
  table.put(item);
  const touched = new Set(changes.map(({ path }) => path));
  const only = (whole: Item) =>
    Object.fromEntries(Object.entries(whole).filter(([name]) => touched.has(name)));
  switch (returned) {
    case 'NONE':
      return {};
    case 'ALL_OLD':
      return old === undefined ? {} : { Attributes: wireItem(old) };
    case 'UPDATED_OLD':
      return old === undefined ? {} : { Attributes: wireItem(only(old)) };
    case 'ALL_NEW':
      return { Attributes: wireItem(item) };
    case 'UPDATED_NEW':
      return { Attributes: wireItem(only(item)) };
  }
}

function query(tables: Tables, input: Input): unknown {
  const table = tableOf(tables, input);
  const indexName = input.take('IndexName');
  if (indexName !== undefined && typeof indexName !== 'string') throw invalid('IndexName is no text');
  const index = table.index(indexName);
  if (input.take('ConsistentRead') === true && index.kind === 'global')
    throw invalid('Consistent reads are not supported on global secondary indexes');
  const known = placeholders(input.take('ExpressionAttributeNames'), input.take('ExpressionAttributeValues'));
  const keyCondition = parseCondition('KeyConditionExpression', input.take('KeyConditionExpression'), known);
  const partition = partitionOf(keyCondition, index.hash, index.range);
  const filterText = input.take('FilterExpression');
  const filter = filterText === undefined ? undefined : parseCondition('FilterExpression', filterText, known);
  known.checkUsed();
  const limit = input.take('Limit');
  if (limit !== undefined && (!Number.isInteger(limit) || Number(limit) < 1))
    throw invalid('Limit must be at least 1');
  const forward = input.take('ScanIndexForward') !== false;
  const start = input.take('ExclusiveStartKey');
  input.checkKnown();
  const page = table.page(index, partition, {
    holds: (item) => holds(keyCondition, item),
    forward,
    limit: limit === undefined ? Number.POSITIVE_INFINITY : Number(limit),
    after: start === undefined ? undefined : parseItem(start, 'ExclusiveStartKey'),
  });
  const items = page.items.filter((item) => filter === undefined || holds(filter, item));
  return {
    Items: items.map(wireItem),
    Count: items.length,
    ScannedCount: page.items.length,
    ...(page.last === undefined ? {} : { LastEvaluatedKey: wireItem(page.last) }),
  };
}

/** The value the partition key must equal; all else of the condition may be about the sort key only, once. */
function partitionOf(condition: Condition, hash: string, range: string | undefined): AttributeValue {
  const parts = condition.kind === 'and' ? condition.parts : [condition];
  let partition: AttributeValue | undefined;
  let ranges = 0;
  for (const part of parts) {
    const left =
      part.kind === 'compare'
        ? part.left
        : part.kind === 'between'
          ? part.subject
          : part.kind === 'begins'
            ? { path: part.path }
            : undefined;
    const path = left !== undefined && 'path' in left ? left.path : undefined;
    if (path === hash && part.kind === 'compare' && part.operator === '=' && 'value' in part.right)
      partition = part.right.value;
    else if (path !== undefined && path === range && !(part.kind === 'compare' && part.operator === '<>'))
      ranges += 1;
    else throw invalid('Query key condition not supported');
  }
  if (partition === undefined || ranges > 1 || parts.length > 2)
    throw invalid(`Query condition missed key schema element: ${hash}`);
  return partition;
}
