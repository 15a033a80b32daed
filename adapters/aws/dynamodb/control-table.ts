import type { AttributeValue, CreateTableCommandInput } from '@aws-sdk/client-dynamodb';
import { ControlStoreError, type StoredControlItem } from '#core/control';

/** What `CreateTable` needs besides a name. A kind is one item collection: its items by id, and by their last change. */
export const controlTableDefinition = {
  AttributeDefinitions: [
    { AttributeName: 'pk', AttributeType: 'S' },
    { AttributeName: 'sk', AttributeType: 'S' },
    { AttributeName: 'changedAtMs', AttributeType: 'N' },
  ],
  KeySchema: [
    { AttributeName: 'pk', KeyType: 'HASH' },
    { AttributeName: 'sk', KeyType: 'RANGE' },
  ],
  LocalSecondaryIndexes: [
    {
      IndexName: 'by-change',
      KeySchema: [
        { AttributeName: 'pk', KeyType: 'HASH' },
        { AttributeName: 'changedAtMs', KeyType: 'RANGE' },
      ],
      Projection: { ProjectionType: 'ALL' },
    },
  ],
  BillingMode: 'PAY_PER_REQUEST',
} satisfies Omit<CreateTableCommandInput, 'TableName'>;

/** The attribute by which DynamoDB removes what expired, within days; until then it is present and counts as absent. */
export const controlTableTtlAttribute = 'expiresAt';

export const changeIndex = 'by-change';

/**
 * Attributes by what they hold, and the placeholders of their names: some are reserved words. `writeId` tells one write from
 * every other one, so that whoever lost the answer can see whether the item is their own.
 */
const attributeNames = {
  '#kind': 'pk',
  '#id': 'sk',
  '#version': 'version',
  '#data': 'data',
  '#expiresAtMs': 'expiresAtMs',
  '#ttl': controlTableTtlAttribute,
  '#changedAtMs': 'changedAtMs',
  '#writeId': 'writeId',
} as const;

/** DynamoDB refuses names that an expression does not use. */
export function namesIn(...expressions: readonly (string | undefined)[]): Record<string, string> {
  const used = new Set(expressions.flatMap((expression) => expression?.match(/#\w+/g) ?? []));
  return Object.fromEntries(Object.entries(attributeNames).filter(([placeholder]) => used.has(placeholder)));
}

/** An item as the table has it, with what the store keeps beside the data. */
export type TableItem = StoredControlItem & { readonly changedAtMs: number; readonly writeId: string };

/** @throws ControlStoreError `corrupt` where an attribute is missing or of another type. */
export function readTableItem(attributes: Readonly<Record<string, AttributeValue>>): TableItem {
  const id = attributes['sk']?.S;
  const data = attributes['data']?.S;
  const writeId = attributes['writeId']?.S;
  const version = wholeNumber(attributes['version']);
  const changedAtMs = wholeNumber(attributes['changedAtMs']);
  const expires = attributes['expiresAtMs'];
  const expiresAtMs = wholeNumber(expires);
  const whole = id !== undefined && data !== undefined && writeId !== undefined;
  if (!whole || !version || changedAtMs === undefined || (expires && expiresAtMs === undefined))
    throw new ControlStoreError(
      'corrupt',
      `the control store's item ${JSON.stringify(id ?? '')} lacks attributes that every item has; delete it`,
    );
  return { id, data, writeId, version, changedAtMs, expiresAtMs };
}

export function isLive(item: StoredControlItem, nowMs: number): boolean {
  return item.expiresAtMs === undefined || item.expiresAtMs > nowMs;
}

function wholeNumber(value: AttributeValue | undefined): number | undefined {
  const number = value?.N === undefined ? undefined : Number(value.N);
  return Number.isSafeInteger(number) ? number : undefined;
}
