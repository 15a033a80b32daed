import type { AttributeValue } from '@aws-sdk/client-dynamodb';
import {
  checkItemSize,
  checkKeyValue,
  compareValues,
  type Item,
  invalid,
  isRecord,
  itemBytes,
  sameValue,
  typeOf,
} from './dynamodb-values.ts';

type Keys = { readonly hash: string; readonly range: string | undefined };
export type TableIndex = Keys & { readonly name: string; readonly kind: 'table' | 'local' | 'global' };

export type TableDefinition = {
  readonly keys: Keys;
  readonly types: ReadonlyMap<string, string>;
  readonly indexes: readonly TableIndex[];
  /** As it came. */
  readonly description: Readonly<Record<string, unknown>>;
};

const maxPageBytes = 1024 * 1024;

/** Reads the members of CreateTable. */
export function parseTable(take: (member: string) => unknown): TableDefinition {
  const definitions = take('AttributeDefinitions');
  const types = new Map(
    records(definitions).map(({ AttributeName, AttributeType }) => {
      if (typeof AttributeName !== 'string' || !['S', 'N', 'B'].includes(String(AttributeType)))
        throw invalid('AttributeDefinitions need a name and one of the types S, N and B');
      return [AttributeName, String(AttributeType)];
    }),
  );
  const keySchema = take('KeySchema');
  const keys = parseKeys(keySchema);
  const local = take('LocalSecondaryIndexes');
  const global = take('GlobalSecondaryIndexes');
  const indexes = [
    ...records(local).map((index) => parseIndex(index, 'local')),
    ...records(global).map((index) => parseIndex(index, 'global')),
  ];
  if (indexes.some(({ kind, hash }) => kind === 'local' && hash !== keys.hash))
    throw invalid('Index KeySchema does not have the same leading hash key as table KeySchema');
  const named = new Set(
    [keys, ...indexes].flatMap(({ hash, range }) => (range === undefined ? [hash] : [hash, range])),
  );
  if (named.size !== types.size || [...named].some((name) => !types.has(name)))
    throw invalid(
      'Number of attributes in KeySchema does not exactly match number of attributes defined in AttributeDefinitions',
    );
  const billing = take('BillingMode');
  if (billing !== 'PAY_PER_REQUEST')
    throw invalid('this fake has tables of BillingMode PAY_PER_REQUEST only');
  return {
    keys,
    types,
    indexes,
    description: {
      AttributeDefinitions: definitions,
      KeySchema: keySchema,
      ...(local === undefined ? {} : { LocalSecondaryIndexes: local }),
      ...(global === undefined ? {} : { GlobalSecondaryIndexes: global }),
      BillingModeSummary: { BillingMode: billing },
    },
  };
}

function parseKeys(schema: unknown): Keys {
  const keys = records(schema);
  const named = (type: string) => {
    const name = keys.find(({ KeyType }) => KeyType === type)?.['AttributeName'];
    return typeof name === 'string' ? name : undefined;
  };
  const hash = named('HASH');
  if (hash === undefined || keys.length > 2 || keys[0]?.['KeyType'] !== 'HASH')
    throw invalid('Invalid KeySchema: The first KeySchemaElement is not a HASH key type');
  return { hash, range: named('RANGE') };
}

function parseIndex(index: Record<string, unknown>, kind: 'local' | 'global'): TableIndex {
  const { IndexName, Projection } = index;
  if (typeof IndexName !== 'string') throw invalid('IndexName is missing');
  if (!isRecord(Projection) || Projection['ProjectionType'] !== 'ALL')
    throw invalid('this fake has indexes with Projection ALL only');
  return { ...parseKeys(index['KeySchema']), name: IndexName, kind };
}

function records(list: unknown): Record<string, unknown>[] {
  if (list === undefined) return [];
  if (!Array.isArray(list) || list.length === 0 || !list.every(isRecord))
    throw invalid('a list is empty or none');
  return list;
}

type PageOptions = {
  readonly holds: (item: Item) => boolean;
  readonly forward: boolean;
  readonly limit: number;
  readonly after: Item | undefined;
};

export class DynamoTable {
  readonly name: string;
  /** Attribute by which AWS removes items some day; this fake never does. */
  timeToLive: string | undefined;
  readonly #definition: TableDefinition;
  readonly #items = new Map<string, Item>();

  constructor(name: string, definition: TableDefinition) {
    this.name = name;
    this.#definition = definition;
  }

  describe(): Record<string, unknown> {
    return {
      TableName: this.name,
      TableStatus: 'ACTIVE',
      ItemCount: this.#items.size,
      ...this.#definition.description,
    };
  }

  items(): readonly Item[] {
    return [...this.#items.values()];
  }

  get(key: Item): Item | undefined {
    return this.#items.get(textOf(key));
  }

  put(item: Item): void {
    checkItemSize(item);
    for (const { hash, range, kind } of this.#definition.indexes)
      for (const [name, role] of [
        [hash, 'HASH'],
        [range, 'RANGE'],
      ] as const) {
        const value = name === undefined || kind === 'table' ? undefined : item[name];
        if (name !== undefined && value !== undefined) this.#checkKeyAttribute(name, value, role);
      }
    this.#items.set(textOf(this.keyOf(item)), item);
  }

  delete(key: Item): void {
    this.#items.delete(textOf(key));
  }

  /** The key within a whole item. */
  keyOf(item: Item): Item {
    const { hash, range } = this.#definition.keys;
    const key: Record<string, AttributeValue> = {};
    for (const [name, role] of [
      [hash, 'HASH'],
      [range, 'RANGE'],
    ] as const) {
      if (name === undefined) continue;
      const value = item[name];
      if (value === undefined)
        throw invalid(`One or more parameter values were invalid: Missing the key ${name} in the item`);
      this.#checkKeyAttribute(name, value, role);
      key[name] = value;
    }
    return key;
  }

  /** A key as a request gives it: its attributes and no other. */
  checkedKey(key: Item): Item {
    const checked = this.keyOf(key);
    if (Object.keys(key).length !== Object.keys(checked).length)
      throw invalid('The provided key element does not match the schema');
    return checked;
  }

  index(name: string | undefined): TableIndex {
    if (name === undefined) return { ...this.#definition.keys, name: '', kind: 'table' };
    const found = this.#definition.indexes.find((index) => index.name === name);
    if (found === undefined) throw invalid(`The table does not have the specified index: ${name}`);
    return found;
  }

  /** In the order of the index; ends after `limit` items, or with the one that reaches 1 MB. */
  page(
    index: TableIndex,
    partition: AttributeValue,
    options: PageOptions,
  ): { readonly items: readonly Item[]; readonly last: Item | undefined } {
    const order = (one: Item, other: Item) => (options.forward ? 1 : -1) * this.#order(index, one, other);
    const matching = this.items()
      .filter((item) => {
        const hash = item[index.hash];
        const indexed = index.range === undefined || item[index.range] !== undefined;
        return hash !== undefined && indexed && sameValue(hash, partition) && options.holds(item);
      })
      .sort(order);
    const { after } = options;
    if (after !== undefined && !this.#isStartKey(index, after))
      throw invalid('The provided starting key is invalid');
    const rest = after === undefined ? matching : matching.filter((item) => order(item, after) > 0);
    const items: Item[] = [];
    let bytes = 0;
    for (const item of rest) {
      items.push(item);
      bytes += itemBytes(item);
      if (items.length >= options.limit || bytes >= maxPageBytes) break;
    }
    const last = items.at(-1);
    const whole = items.length === rest.length && items.length < options.limit && bytes < maxPageBytes;
    return { items, last: whole || last === undefined ? undefined : this.#startKey(index, last) };
  }

  /** Items that are the same in the index stand by the table's own key, so that pages have a place to go on from. */
  #order(index: TableIndex, one: Item, other: Item): number {
    const { hash, range } = this.#definition.keys;
    for (const name of [index.range, hash, range]) {
      const [left, right] = name === undefined ? [] : [one[name], other[name]];
      const order = left === undefined || right === undefined ? 0 : (compareValues(left, right) ?? 0);
      if (order !== 0) return order;
    }
    return 0;
  }

  #startKey(index: TableIndex, item: Item): Item {
    return Object.fromEntries(Object.entries(item).filter(([name]) => this.#startNames(index).has(name)));
  }

  #isStartKey(index: TableIndex, key: Item): boolean {
    const names = this.#startNames(index);
    return Object.keys(key).length === names.size && Object.keys(key).every((name) => names.has(name));
  }

  #startNames(index: TableIndex): ReadonlySet<string> {
    const { hash, range } = this.#definition.keys;
    return new Set([hash, range, index.hash, index.range].filter((name) => name !== undefined));
  }

  #checkKeyAttribute(name: string, value: AttributeValue, role: 'HASH' | 'RANGE'): void {
    const expected = this.#definition.types.get(name);
    if (typeOf(value) !== expected)
      throw invalid(
        `One or more parameter values were invalid: Type mismatch for key ${name} expected: ${expected} actual: ${typeOf(value)}`,
      );
    checkKeyValue(name, value, role);
  }
}

function textOf(key: Item): string {
  return JSON.stringify(Object.entries(key).sort(([one], [other]) => (one < other ? -1 : 1)));
}
