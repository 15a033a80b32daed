import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { textLiteral } from '#core/lake';
import { isNotFound } from './lake-files.ts';

/** As the Glue table of that name has them. */
const columns: readonly (readonly [name: string, type: string])[] = [
  ['session_id', 'VARCHAR'],
  ['recording_id', 'VARCHAR'],
  ['said_at', 'VARCHAR'],
  ['seconds', 'DOUBLE'],
  ['text', 'VARCHAR'],
  ['outcome', 'VARCHAR'],
];
/** A row has 4,096 characters of text at most, each of which may take six in JSON. */
const maxRowBytes = 1 << 20;

/** `dt=YYYY-MM-DD/<session>/<channel>.ndjson.gz` under the folder, in order. Links and anything else there are passed over. */
export async function screenTextFiles(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch((error: unknown) => {
    if (isNotFound(error)) return [];
    throw error;
  });
  const place = /^dt=\d{4}-\d{2}-\d{2}\/s-[0-9a-f]{32}\/c[1-9][0-9]{0,9}\.ndjson\.gz$/;
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => place.test(path.slice(folder.length + 1)))
    .sort();
}

/** `screen_text`: what the screens of stored recordings said; empty where there are no files. */
export function createScreenTextView(files: readonly string[]): string {
  const view = 'CREATE TEMP VIEW screen_text AS';
  const names = columns.map(([name]) => name).join(', ');
  if (files.length === 0) {
    const none = columns.map(([name, type]) => `CAST(NULL AS ${type}) AS ${name}`).join(', ');
    return `${view} SELECT ${none}, CAST(NULL AS VARCHAR) AS dt WHERE false`;
  }
  const paths = files.map(textLiteral).join(', ');
  const types = columns.map(([name, type]) => `${name}: ${textLiteral(type)}`).join(', ');
  return `${view} SELECT ${names}, dt FROM read_json([${paths}], format='newline_delimited', compression='gzip', \
columns={${types}}, maximum_object_size=${maxRowBytes}, hive_partitioning=true, hive_types={'dt': VARCHAR})`;
}
