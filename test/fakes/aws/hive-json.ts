import { gunzipSync } from 'node:zlib';
import { topLevel } from './trino-runner.ts';

/** What Athena says of an object it cannot read. */
class HiveFault extends Error {}

type Columns = readonly (readonly [name: string, type: string])[];

/** Rows of `.ndjson.gz` objects as the Hive JSON SerDe reads them: one bad line fails them all. */
export function hiveRows(columns: Columns, key: string, bytes: Uint8Array): readonly object[] {
  return unzipped(key, bytes)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => hiveRow(columns, parsed(key, line)));
}

/** Rows of CloudTrail's own log files, `{"Records": [...]}`, as CloudTrailInputFormat splits them. */
export function cloudTrailRows(columns: Columns, key: string, bytes: Uint8Array): readonly object[] {
  const file = parsed(key, unzipped(key, bytes));
  const records = 'Records' in file && Array.isArray(file.Records) ? file.Records : [];
  return records.map((record: object) => hiveRow(columns, record));
}

/** Keys of rows and structs are found in any case; those of maps stay as they are, and what no column names is passed over. */
export function hiveRow(columns: Columns, record: object): object {
  const lower = lowerKeys(record);
  return Object.fromEntries(columns.map(([name, type]) => [name, hiveValue(type, lower[name])]));
}

function hiveValue(type: string, value: unknown): unknown {
  if (value === undefined || value === null) return null;
  const [, kind, inside = ''] = /^(array|map|struct)<(.*)>$/.exec(type) ?? [];
  if (kind === 'struct') {
    if (typeof value !== 'object') throw new HiveFault('HIVE_BAD_DATA: Start of Object expected');
    const lower = lowerKeys(value);
    return Object.fromEntries(
      topLevel(inside).map((field) => {
        const colon = field.indexOf(':');
        const name = field.slice(0, colon);
        return [name, hiveValue(field.slice(colon + 1), lower[name])];
      }),
    );
  }
  if (kind === 'map') {
    const [, valueType = 'string'] = topLevel(inside);
    return Object.fromEntries(
      Object.entries(value).map(([name, each]) => [name, hiveValue(valueType, each)]),
    );
  }
  if (kind === 'array') return Array.isArray(value) ? value.map((each) => hiveValue(inside, each)) : null;
  if (type === 'string') return typeof value === 'string' ? value : JSON.stringify(value);
  return value;
}

function lowerKeys(value: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(value).map(([name, each]) => [name.toLowerCase(), each]));
}

function unzipped(key: string, bytes: Uint8Array): string {
  try {
    return gunzipSync(bytes).toString('utf8');
  } catch (error) {
    throw new HiveFault(`HIVE_CANNOT_OPEN_SPLIT: Error opening Hive split ${key}`, { cause: error });
  }
}

function parsed(key: string, text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new HiveFault(`HIVE_CURSOR_ERROR: Row is not a valid JSON Object - JSONException in ${key}`);
}
