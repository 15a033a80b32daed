import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DuckDBBlobValue,
  type DuckDBConnection,
  DuckDBDateValue,
  DuckDBDecimalValue,
  DuckDBInstance,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
} from '@duckdb/node-api';
import { prelude } from '../../../adapters/local/duckdb/prelude.ts';
import { trinoToDuckDb } from '../../../adapters/local/duckdb/trino-bridge.ts';

/** A table with Hive types; rows are objects with those column names. */
export type TrinoTable = {
  readonly name: string;
  readonly columns: readonly (readonly [name: string, type: string])[];
  readonly rows: readonly object[];
};

export type TrinoResult = {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  /** As Athena prints them; undefined for NULL. */
  readonly rows: readonly (readonly (string | undefined)[])[];
};

/** Runs Trino SQL on DuckDB over these tables and nothing else, in a database of its own. */
export async function runTrino(sql: string, tables: readonly TrinoTable[]): Promise<TrinoResult> {
  const folder = await mkdtemp(join(tmpdir(), 'sshtrail-trino-'));
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  try {
    const connection = await instance.connect();
    for (const statement of prelude) await connection.run(statement);
    for (const [index, table] of tables.entries())
      await load(connection, table, join(folder, `${index}.ndjson`));
    await connection.run('SET enable_external_access=false');
    const result = await connection.run(trinoToDuckDb(sql));
    const rows = await result.getRows();
    return {
      columns: result.columnTypes().map((type, index) => ({
        name: result.columnNames()[index] ?? '',
        type: athenaType(type),
      })),
      rows: rows.map((row) => row.map((value) => (value === null ? undefined : printed(value)))),
    };
  } finally {
    instance.closeSync();
    await rm(folder, { recursive: true, force: true });
  }
}

async function load(connection: DuckDBConnection, table: TrinoTable, path: string): Promise<void> {
  const name = `"${table.name}"`;
  const columns = table.columns.map(([column, type]) => [column, duckDbType(type)] as const);
  await connection.run(
    `CREATE TABLE ${name} (${columns.map(([column, type]) => `"${column}" ${type}`).join(', ')})`,
  );
  if (table.rows.length === 0) return;
  await writeFile(path, table.rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const types = columns.map(([column, type]) => `"${column}": '${type}'`).join(', ');
  await connection.run(
    `INSERT INTO ${name} SELECT ${columns.map(([column]) => `"${column}"`).join(', ')} FROM read_json('${path}', format='newline_delimited', columns={${types}}, maximum_object_size=67108864)`,
  );
}

/** `struct<a:string,b:map<string,string>>` as DuckDB writes it. */
function duckDbType(hive: string): string {
  const composite = /^(array|map|struct)<(.*)>$/.exec(hive);
  const [, kind, inside = ''] = composite ?? [];
  if (kind === 'array') return `${duckDbType(inside)}[]`;
  if (kind === 'map') return `MAP(${topLevel(inside).map(duckDbType).join(', ')})`;
  if (kind === 'struct') {
    const fields = topLevel(inside).map((field) => {
      const colon = field.indexOf(':');
      return `"${field.slice(0, colon)}" ${duckDbType(field.slice(colon + 1))}`;
    });
    return `STRUCT(${fields.join(', ')})`;
  }
  const plain: Readonly<Record<string, string>> = {
    string: 'VARCHAR',
    boolean: 'BOOLEAN',
    int: 'INTEGER',
    bigint: 'BIGINT',
    double: 'DOUBLE',
    timestamp: 'TIMESTAMP',
  };
  const found = plain[hive];
  if (found === undefined) throw new Error(`no such Hive type: ${hive}`);
  return found;
}

/** Parts between commas that stand in no angle brackets. */
export function topLevel(text: string): readonly string[] {
  const parts = [''];
  let depth = 0;
  for (const character of text) {
    if (character === '<') depth += 1;
    if (character === '>') depth -= 1;
    if (character === ',' && depth === 0) parts.push('');
    else parts[parts.length - 1] += character;
  }
  return parts;
}

function athenaType(type: DuckDBType): string {
  switch (type.typeId) {
    case DuckDBTypeId.BOOLEAN:
      return 'boolean';
    case DuckDBTypeId.TINYINT:
      return 'tinyint';
    case DuckDBTypeId.SMALLINT:
      return 'smallint';
    case DuckDBTypeId.INTEGER:
      return 'integer';
    case DuckDBTypeId.BIGINT:
    case DuckDBTypeId.HUGEINT:
      return 'bigint';
    case DuckDBTypeId.DOUBLE:
      return 'double';
    case DuckDBTypeId.FLOAT:
      return 'float';
    case DuckDBTypeId.DECIMAL:
      return 'decimal';
    case DuckDBTypeId.DATE:
      return 'date';
    case DuckDBTypeId.TIMESTAMP:
      return 'timestamp';
    case DuckDBTypeId.TIMESTAMP_TZ:
      return 'timestamp with time zone';
    case DuckDBTypeId.LIST:
    case DuckDBTypeId.ARRAY:
      return 'array';
    case DuckDBTypeId.MAP:
      return 'map';
    case DuckDBTypeId.STRUCT:
      return 'row';
    default:
      return 'varchar';
  }
}

/** As Trino prints a value into a cell of text. */
function printed(value: DuckDBValue): string {
  if (value === null) return 'null';
  if (value instanceof DuckDBTimestampTZValue) return `${timeText(value.micros)} UTC`;
  if (value instanceof DuckDBTimestampValue) return timeText(value.micros);
  if (value instanceof DuckDBListValue) return `[${value.items.map(printed).join(', ')}]`;
  if (value instanceof DuckDBStructValue)
    return `{${Object.entries(value.entries)
      .map(([name, each]) => `${name}=${printed(each)}`)
      .join(', ')}}`;
  if (value instanceof DuckDBMapValue)
    return `{${value.entries.map((entry) => `${printed(entry.key)}=${printed(entry.value)}`).join(', ')}}`;
  if (value instanceof DuckDBBlobValue)
    return [...value.bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  if (value instanceof DuckDBDateValue || value instanceof DuckDBDecimalValue) return value.toString();
  return String(value);
}

/** Three digits of the second, as a timestamp(3) has. */
function timeText(micros: bigint): string {
  return new Date(Number(micros / 1_000n)).toISOString().replace('T', ' ').slice(0, -1);
}
