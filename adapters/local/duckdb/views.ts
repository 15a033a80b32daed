import { derivedTable, derivedTableNames, localCloudTrailRelation, textLiteral } from '#core/lake';
import type { Segment } from './lake-files.ts';

/** Fields of a record with the type they are read as. Names must have the JSON's case, or they read as NULL. */
const recordTypes: readonly (readonly [string, string])[] = [
  ['eventVersion', 'VARCHAR'],
  ['eventID', 'VARCHAR'],
  ['eventTime', 'VARCHAR'],
  ['eventSource', 'VARCHAR'],
  ['eventName', 'VARCHAR'],
  ['eventCategory', 'VARCHAR'],
  ['eventType', 'VARCHAR'],
  ['awsRegion', 'VARCHAR'],
  ['recipientAccountId', 'VARCHAR'],
  ['readOnly', 'BOOLEAN'],
  ['sourceIPAddress', 'VARCHAR'],
  ['userAgent', 'VARCHAR'],
  [
    'userIdentity',
    'STRUCT("type" VARCHAR, principalId VARCHAR, userName VARCHAR, arn VARCHAR, accountId VARCHAR, sessionContext STRUCT(attributes STRUCT(mfaAuthenticated VARCHAR, creationDate VARCHAR)))',
  ],
  ['requestParameters', 'MAP(VARCHAR, VARCHAR)'],
  ['responseElements', 'MAP(VARCHAR, VARCHAR)'],
  ['additionalEventData', 'MAP(VARCHAR, VARCHAR)'],
  ['errorCode', 'VARCHAR'],
  ['errorMessage', 'VARCHAR'],
];

/** The same for from_json, which wants the structure as JSON. */
const recordStructure = JSON.stringify({
  ...Object.fromEntries(recordTypes),
  userIdentity: {
    type: 'VARCHAR',
    principalId: 'VARCHAR',
    userName: 'VARCHAR',
    arn: 'VARCHAR',
    accountId: 'VARCHAR',
    sessionContext: { attributes: { mfaAuthenticated: 'VARCHAR', creationDate: 'VARCHAR' } },
  },
});

const fieldNames = recordTypes.map(([name]) => name);

export const createOpenRecords = `CREATE TEMP TABLE open_records (${recordTypes.map(([name, type]) => `${name} ${type}`).join(', ')}, dt VARCHAR, segment VARCHAR)`;

/** Takes lines ($1, joined by line feeds) of the segment $2. */
export const insertOpenRecords = `INSERT INTO open_records SELECT ${fieldNames.map((name) => `j.${name}`).join(', ')}, \
left(coalesce(j.additionalEventData['ingestTime'], j.eventTime), 10), $2 FROM (\
SELECT from_json(line, ${textLiteral(recordStructure)}) AS j FROM (SELECT unnest(string_split($1, chr(10))) AS line) WHERE line <> '')`;

/** `ssh_records`: every record once, with maps for the three places of flat strings. */
export function createRecordsView(sealed: readonly Segment[]): string {
  const fields = fieldNames.join(', ');
  const open = `SELECT ${fields}, dt FROM open_records`;
  if (sealed.length === 0) return `CREATE TEMP VIEW ssh_records AS ${open}`;
  const files = sealed.map((segment) => textLiteral(segment.path)).join(', ');
  const columns = recordTypes.map(([name, type]) => `${name}: ${textLiteral(type)}`).join(', ');
  return `CREATE TEMP VIEW ssh_records AS SELECT ${fields}, dt FROM read_json([${files}], format='newline_delimited', compression='gzip', \
columns={${columns}}, maximum_object_size=16777216, hive_partitioning=true, hive_types={'dt': VARCHAR}) UNION ALL ${open}`;
}

/** Views people write queries against, by lower-case name. */
export const queryViews: ReadonlyMap<string, string> = new Map([
  ...derivedTableNames.map((name): [string, string] => [
    name,
    `CREATE TEMP VIEW ${name} AS SELECT * FROM ${derivedTable(name, { engine: 'duckdb', cloudtrail: localCloudTrailRelation.relation })} AS t`,
  ]),
  ['cloudtraillogs', `CREATE TEMP VIEW CloudTrailLogs AS ${cloudTrailLogs()}`],
]);

/** CloudTrail's own column names; the three maps are JSON text, as in a table over CloudTrail's files. */
function cloudTrailLogs(): string {
  const maps = new Set(['requestParameters', 'responseElements', 'additionalEventData']);
  const columns = fieldNames.map((name) =>
    maps.has(name) ? `CAST(to_json(${name}) AS VARCHAR) AS ${name}` : name,
  );
  return `SELECT ${columns.join(', ')}, dt FROM ssh_records`;
}
