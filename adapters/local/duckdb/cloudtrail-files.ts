import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { textLiteral } from '#core/lake';
import { isNotFound } from './lake-files.ts';

/** Fields of CloudTrail's own records that `cloudtrail` reads. Names must have the JSON's case, or they read as NULL. */
const fields: readonly (readonly [string, string])[] = [
  ['eventID', 'VARCHAR'],
  ['eventTime', 'VARCHAR'],
  ['eventName', 'VARCHAR'],
  ['eventSource', 'VARCHAR'],
  ['eventCategory', 'VARCHAR'],
  ['awsRegion', 'VARCHAR'],
  ['sourceIPAddress', 'VARCHAR'],
  ['userAgent', 'VARCHAR'],
  ['errorCode', 'VARCHAR'],
  ['errorMessage', 'VARCHAR'],
  ['recipientAccountId', 'VARCHAR'],
  ['requestParameters', 'JSON'],
  ['responseElements', 'JSON'],
  [
    'userIdentity',
    'STRUCT("type" VARCHAR, principalId VARCHAR, arn VARCHAR, accountId VARCHAR, userName VARCHAR, accessKeyId VARCHAR, sessionContext STRUCT(attributes STRUCT(mfaAuthenticated VARCHAR, creationDate VARCHAR)))',
  ],
];

/** Log files of the account's trail under the folder, as CloudTrail wrote them, in order. Links and other files are passed over. */
export async function cloudTrailFiles(folder: string): Promise<readonly string[]> {
  const found: string[] = [];
  const entries = await readdir(folder, { withFileTypes: true, recursive: true }).catch((error: unknown) => {
    if (isNotFound(error)) return [];
    throw error;
  });
  for (const entry of entries)
    if (entry.isFile() && /^[A-Za-z0-9._-]+\.json\.gz$/.test(entry.name))
      found.push(join(entry.parentPath, entry.name));
  return found.filter((path) => !/[*?[\]{}]/.test(path)).sort();
}

/** Uncompressed; CloudTrail starts a new file at 50 MB. Each reading thread takes twice as much memory. */
const maxFileBytes = 56 << 20;

/** `cloudtrail_records`: the records of these files, each `{"Records": [...]}`; none where there are no files. */
export function createCloudTrailView(files: readonly string[]): string {
  const view = 'CREATE TEMP VIEW cloudtrail_records AS';
  const type = `STRUCT(${fields.map(([name, each]) => `${name} ${each}`).join(', ')})`;
  const columns = fields.map(([name, each]) =>
    each === 'JSON' ? `CAST(record.${name} AS VARCHAR) AS ${name}` : `record.${name} AS ${name}`,
  );
  if (files.length === 0)
    return `${view} SELECT ${columns.join(', ')} FROM (SELECT CAST(NULL AS ${type}) AS record) WHERE false`;
  const paths = files.map(textLiteral).join(', ');
  return `${view} SELECT ${columns.join(', ')} FROM (SELECT unnest("Records") AS record FROM read_json([${paths}], \
format='unstructured', compression='gzip', columns={Records: ${textLiteral(`${type}[]`)}}, maximum_object_size=${maxFileBytes}))`;
}
