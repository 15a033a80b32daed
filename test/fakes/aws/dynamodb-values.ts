import type { AttributeValue } from '@aws-sdk/client-dynamodb';

export type Item = Readonly<Record<string, AttributeValue>>;

/** What DynamoDB answers with a status of 400. */
export class DynamoFault extends Error {
  readonly code: string;
  /** The item that failed the condition, where the caller wants it. */
  readonly item: Item | undefined;

  constructor(code: string, message: string, item?: Item) {
    super(message);
    this.code = code;
    this.item = item;
  }
}

export function invalid(message: string): DynamoFault {
  return new DynamoFault('ValidationException', message);
}

const maxItemBytes = 400 * 1024;
const maxKeyBytes = { HASH: 2048, RANGE: 1024 } as const;

/** Of the types this fake knows: S, N, B, BOOL and NULL. Numbers come back as DynamoDB writes them. */
function parseValue(value: unknown): AttributeValue {
  if (!isRecord(value)) throw new DynamoFault('SerializationException', 'Start of structure expected');
  const [type, ...more] = Object.keys(value);
  if (type === undefined || more.length > 0)
    throw invalid(
      'Supplied AttributeValue has more than one datatypes set, must contain exactly one of the supported datatypes',
    );
  const held = value[type];
  switch (type) {
    case 'S':
    case 'B':
      if (typeof held !== 'string' || !held.isWellFormed())
        throw new DynamoFault('SerializationException', `${type} is not well-formed text`);
      return type === 'S' ? { S: held } : { B: Buffer.from(held, 'base64') };
    case 'N':
      return { N: parseNumber(held) };
    case 'BOOL':
      if (typeof held !== 'boolean') throw new DynamoFault('SerializationException', 'BOOL is not a boolean');
      return { BOOL: held };
    case 'NULL':
      if (held !== true)
        throw invalid(
          'One or more parameter values were invalid: Null attribute value types must have the value of true',
        );
      return { NULL: true };
    default:
      throw invalid(`this fake has no attributes of type ${type}`);
  }
}

function parseNumber(text: unknown): string {
  if (typeof text !== 'string')
    throw new DynamoFault('SerializationException', 'NUMBER_VALUE cannot be converted to String');
  const digits = /^[-+]?(\d*)\.?(\d*)(?:[eE][-+]?\d{1,3})?$/.exec(text);
  if (digits === null || `${digits[1]}${digits[2]}` === '')
    throw invalid('The parameter cannot be converted to a numeric value');
  if (`${digits[1]}${digits[2]}`.replace(/^0+|0+$/g, '').length > 38)
    throw invalid('Attempting to store more than 38 significant digits in a Number');
  if (Math.abs(Number(text)) > Number.MAX_SAFE_INTEGER)
    throw invalid('this fake keeps no numbers beyond 2^53, since it could not keep them exactly');
  return String(Number(text));
}

export function parseItem(value: unknown, subject: string): Item {
  if (!isRecord(value)) throw invalid(`The parameter ${subject} is missing or no map`);
  return Object.fromEntries(Object.entries(value).map(([name, held]) => [name, parseValue(held)]));
}

/** As AWS counts: names and values in UTF-8 bytes, numbers about a byte for two digits. */
export function itemBytes(item: Item): number {
  return Object.entries(item).reduce(
    (sum, [name, value]) => sum + Buffer.byteLength(name) + valueBytes(value),
    0,
  );
}

export function checkItemSize(item: Item): void {
  if (itemBytes(item) > maxItemBytes) throw invalid('Item size has exceeded the maximum allowed size');
}

export function checkKeyValue(name: string, value: AttributeValue, role: 'HASH' | 'RANGE'): void {
  const length = value.S === undefined ? (value.B?.length ?? 1) : Buffer.byteLength(value.S);
  if (length === 0)
    throw invalid(
      `One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: ${name}`,
    );
  if (length > maxKeyBytes[role])
    throw invalid(
      `One or more parameter values were invalid: Size of ${role === 'HASH' ? 'hashkey' : 'rangekey'} has exceeded the maximum size limit of ${maxKeyBytes[role]} bytes`,
    );
}

export function typeOf(value: AttributeValue): string {
  return Object.keys(value)[0] ?? '';
}

/** Undefined where the two are not of one type that has an order. */
export function compareValues(one: AttributeValue, other: AttributeValue): number | undefined {
  if (one.N !== undefined && other.N !== undefined) return Number(one.N) - Number(other.N);
  if (one.S !== undefined && other.S !== undefined)
    return Buffer.compare(Buffer.from(one.S), Buffer.from(other.S));
  if (one.B !== undefined && other.B !== undefined) return Buffer.compare(one.B, other.B);
  return undefined;
}

export function sameValue(one: AttributeValue, other: AttributeValue): boolean {
  const order = compareValues(one, other);
  if (order !== undefined) return order === 0;
  return (
    typeOf(one) === typeOf(other) && one.BOOL === other.BOOL && one.NULL === other.NULL && one.S === other.S
  );
}

/** As JSON has it. */
export function wireItem(item: Item): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(item).map(([name, value]) => [
      name,
      value.B === undefined ? value : { B: Buffer.from(value.B).toString('base64') },
    ]),
  );
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function valueBytes(value: AttributeValue): number {
  if (value.S !== undefined) return Buffer.byteLength(value.S);
  if (value.N !== undefined) return Math.ceil(value.N.length / 2) + 1;
  return value.B?.length ?? 1;
}
