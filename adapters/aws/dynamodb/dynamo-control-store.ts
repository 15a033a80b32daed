import { randomUUID } from 'node:crypto';
import {
  type AttributeValue,
  ConditionalCheckFailedException,
  DeleteItemCommand,
  type DynamoDBClient,
  GetItemCommand,
  QueryCommand,
  UpdateItemCommand,
} from '@aws-sdk/client-dynamodb';
import type { ControlItem, ControlKind, ControlStore, PutCondition } from '#core/contract';
import {
  ControlStoreError,
  type ControlStoreErrorCode,
  isControlId,
  readControlItem,
  type WritableControlItem,
  writableControlItem,
} from '#core/control';
import { type AttemptLimits, attempt, awsFaultKind, wasRepeated } from '../attempts.ts';
import { type ControlOperation, controlFault } from './control-fault.ts';
import { isLive, namesIn, readTableItem, type TableItem } from './control-table.ts';
import { watchChanges } from './watch-changes.ts';

export type DynamoControlStoreOptions = {
  /** Best with `maxAttempts: 1`: the store tries again itself, within its deadlines. It stays the caller's to destroy. */
  readonly client: DynamoDBClient;
  /** Made by `controlTableDefinition`. */
  readonly table: string;
  /** Clocks of all writers must agree within ten seconds, or a watcher may miss what they put. */
  readonly now: () => number;
  /** Another text at every call. */
  readonly newWriteId?: () => string;
};

/** A page of a list has the deadline for itself. */
const reading: AttemptLimits = { deadlineMs: 2_000, attemptMs: 1_000 };
const writing: AttemptLimits = { deadlineMs: 5_000, attemptMs: 2_000 };

/**
 * The control store in one DynamoDB table. Each write is one conditional UpdateItem, each read strongly consistent.
 * A put whose answer was lost is looked up by its `writeId`; where that cannot tell either, it rejects with `unwritable`.
 * A delete says true also where its answer was lost and the item is gone.
 */
export function createDynamoControlStore(options: DynamoControlStoreOptions): ControlStore {
  const { client, table, now, newWriteId = randomUUID } = options;
  const closing = new AbortController();
  const watching = new Set<Promise<void>>();
  const open = (code: ControlStoreErrorCode) => {
    if (closing.signal.aborted)
      throw new ControlStoreError(
        code,
        `the control table ${JSON.stringify(table)} is closed here; open it again`,
      );
  };
  return {
    async get(kind, id) {
      open('unreadable');
      const stored = isControlId(id) ? await getItem(client, table, kind, id) : undefined;
      return stored === undefined || !isLive(stored, now()) ? undefined : readControlItem(kind, stored);
    },
    async list(kind) {
      open('unreadable');
      return listItems(client, table, kind, now);
    },
    async put(kind, id, data, condition, expiresAtMs) {
      open('unwritable');
      const item = writableControlItem(kind, id, data, expiresAtMs);
      return putItem({ client, table, now }, item, condition, newWriteId());
    },
    async delete(kind, id) {
      open('unwritable');
      return isControlId(id) && deleteItem({ client, table, now }, kind, id);
    },
    watch(kind, watch) {
      if (closing.signal.aborted) return;
      const signal = AbortSignal.any([watch.signal, closing.signal]);
      const watcher = watchChanges(client, table, kind, { ...watch, signal }, now).finally(() =>
        watching.delete(watcher),
      );
      watching.add(watcher);
    },
    async close() {
      closing.abort();
      await Promise.all(watching);
    },
  };
}

type Writer = {
  readonly client: DynamoDBClient;
  readonly table: string;
  readonly now: () => number;
};

async function getItem(
  client: DynamoDBClient,
  table: string,
  kind: ControlKind,
  id: string,
): Promise<TableItem | undefined> {
  const command = new GetItemCommand({ TableName: table, Key: keyOf(kind, id), ConsistentRead: true });
  const { Item } = await translated(table, 'GetItem', () =>
    attempt(reading, (abortSignal) => client.send(command, { abortSignal })),
  );
  return Item === undefined ? undefined : readTableItem(Item);
}

async function listItems<Kind extends ControlKind>(
  client: DynamoDBClient,
  table: string,
  kind: Kind,
  now: () => number,
): Promise<ControlItem<Kind>[]> {
  const items: ControlItem<Kind>[] = [];
  let start: Record<string, AttributeValue> | undefined;
  do {
    const command = new QueryCommand({
      TableName: table,
      ConsistentRead: true,
      KeyConditionExpression: '#kind = :kind',
      ExpressionAttributeNames: namesIn('#kind'),
      ExpressionAttributeValues: { ':kind': { S: kind } },
      ExclusiveStartKey: start,
    });
    const page = await translated(table, 'Query', () =>
      attempt(reading, (abortSignal) => client.send(command, { abortSignal })),
    );
    for (const attributes of page.Items ?? []) {
      const stored = readTableItem(attributes);
      if (isLive(stored, now())) items.push(readControlItem(kind, stored));
    }
    start = page.LastEvaluatedKey;
  } while (start !== undefined);
  return items;
}

/** What one UpdateItem is told of the versions: `next` in the words of an expression. */
type Step = {
  readonly condition: string;
  readonly next: string;
  readonly values: Readonly<Record<string, AttributeValue>>;
};

const notExpired = '(attribute_not_exists(#expiresAtMs) OR #expiresAtMs > :now)';
const one = { ':one': { N: '1' } };

async function putItem(
  writer: Writer,
  item: WritableControlItem,
  condition: PutCondition,
  writeId: string,
): Promise<number | undefined> {
  switch (condition.kind) {
    case 'absent': {
      const made = await write(writer, item, writeId, makeItem);
      return made.ok ? 1 : decided(writer, item, made, 1);
    }
    case 'version': {
      const next = condition.version + 1;
      // No item has another version, and DynamoDB would refuse the number.
      if (condition.version < 1 || !Number.isSafeInteger(next)) return undefined;
      const changed = await write(writer, item, writeId, {
        condition: `#version = :expected AND ${notExpired}`,
        next: ':next',
        values: { ':expected': { N: String(condition.version) }, ':next': { N: String(next) } },
      });
      return changed.ok ? next : decided(writer, item, changed, next);
    }
    case 'any':
      return putAny(writer, item, writeId);
  }
}

const makeItem: Step = {
  condition: 'attribute_not_exists(#kind) OR #expiresAtMs <= :now',
  next: ':one',
  values: one,
};

/** Not where the item is our own already: the client may have sent it twice. */
const countUp: Step = {
  condition: `${notExpired} AND (attribute_not_exists(#writeId) OR #writeId <> :writeId)`,
  next: 'if_not_exists(#version, :zero) + :one',
  values: { ...one, ':zero': { N: '0' } },
};

/** An item that expired starts anew, which is another expression; which of the two holds may change between them. */
async function putAny(writer: Writer, item: WritableControlItem, writeId: string): Promise<number> {
  const deadline = performance.now() + writing.deadlineMs;
  for (;;) {
    const counted = await write(writer, item, writeId, countUp);
    if (counted.ok) return counted.version;
    const made = await write(writer, item, writeId, makeItem);
    if (made.ok) return made.version;
    if (performance.now() > deadline)
      throw new ControlStoreError(
        'unwritable',
        `the ${item.kind} ${JSON.stringify(item.id)} expires and comes back faster than it can be written; try again`,
      );
  }
}

type Written =
  | { readonly ok: true; readonly version: number }
  /** `ambiguous`: an attempt before may have been written all the same. */
  | { readonly ok: false; readonly found: TableItem | undefined; readonly ambiguous: boolean };

async function write(
  { client, table, now }: Writer,
  item: WritableControlItem,
  writeId: string,
  step: Step,
): Promise<Written> {
  let ambiguous = false;
  try {
    return await attempt(writing, async (abortSignal): Promise<Written> => {
      try {
        // The time is told anew at each attempt: a watcher looks back only so far.
        const command = updateCommand(table, item, writeId, step, Math.floor(now()));
        const { Attributes } = await client.send(command, { abortSignal });
        return { ok: true, version: Number(Attributes?.['version']?.N) };
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) {
          const found = error.Item === undefined ? undefined : readTableItem(error.Item);
          if (found?.writeId === writeId) return { ok: true, version: found.version };
          return { ok: false, found, ambiguous: ambiguous || wasRepeated(error) };
        }
        ambiguous ||= awsFaultKind(error) === 'unavailable';
        throw error;
      }
    });
  } catch (error) {
    throw controlFault(table, 'UpdateItem', error);
  }
}

function updateCommand(
  table: string,
  item: WritableControlItem,
  writeId: string,
  step: Step,
  nowMs: number,
): UpdateItemCommand {
  const expires = item.expiresAtMs;
  const update =
    `SET #version = ${step.next}, #data = :data, #changedAtMs = :now, #writeId = :writeId` +
    (expires === undefined ? ' REMOVE #expiresAtMs, #ttl' : ', #expiresAtMs = :expiresAtMs, #ttl = :ttl');
  return new UpdateItemCommand({
    TableName: table,
    Key: keyOf(item.kind, item.id),
    UpdateExpression: update,
    ConditionExpression: step.condition,
    ExpressionAttributeNames: namesIn(update, step.condition),
    ExpressionAttributeValues: {
      ':data': { S: item.data },
      ':now': { N: String(nowMs) },
      ':writeId': { S: writeId },
      ...step.values,
      ...(expires === undefined
        ? {}
        : { ':expiresAtMs': { N: String(expires) }, ':ttl': { N: String(Math.ceil(expires / 1000)) } }),
    },
    ReturnValues: 'UPDATED_NEW',
    ReturnValuesOnConditionCheckFailure: 'ALL_OLD',
  });
}

/** Undefined where the condition did not hold and nothing of ours was written before; a fault where that cannot be told. */
function decided(
  { table, now }: Writer,
  item: WritableControlItem,
  { found, ambiguous }: Extract<Written, { ok: false }>,
  wanted: number,
): undefined {
  if (!ambiguous) return undefined;
  // Ours would have made that version, or a later one; somebody else's is there, or an older one.
  if (found !== undefined && (found.version === wanted || (found.version < wanted && !isLive(found, now()))))
    return undefined;
  throw new ControlStoreError(
    'unwritable',
    `whether the ${item.kind} ${JSON.stringify(item.id)} was written to the control table ${JSON.stringify(table)} cannot be told, because the answer was lost and it changed since; read it again`,
  );
}

async function deleteItem({ client, table, now }: Writer, kind: ControlKind, id: string): Promise<boolean> {
  const condition = `attribute_exists(#kind) AND ${notExpired}`;
  let ambiguous = false;
  const gone = () =>
    attempt(writing, async (abortSignal) => {
      const command = new DeleteItemCommand({
        TableName: table,
        Key: keyOf(kind, id),
        ConditionExpression: condition,
        ExpressionAttributeNames: namesIn(condition),
        ExpressionAttributeValues: { ':now': { N: String(Math.floor(now())) } },
      });
      try {
        await client.send(command, { abortSignal });
        return true;
      } catch (error) {
        if (error instanceof ConditionalCheckFailedException) return ambiguous || wasRepeated(error);
        ambiguous ||= awsFaultKind(error) === 'unavailable';
        throw error;
      }
    });
  return translated(table, 'DeleteItem', gone);
}

function keyOf(kind: ControlKind, id: string): Record<string, AttributeValue> {
  return { pk: { S: kind }, sk: { S: id } };
}

async function translated<Result>(
  table: string,
  operation: ControlOperation,
  call: () => Promise<Result>,
): Promise<Result> {
  try {
    return await call();
  } catch (error) {
    throw controlFault(table, operation, error);
  }
}
