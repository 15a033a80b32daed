import type { ColumnType } from './columns.ts';
import type { IngestWindow } from './derived-tables.ts';
import { dialects, type LakeEngine } from './dialect.ts';
import { timestampLiteral } from './literal.ts';
import { QueryError } from './query-error.ts';

export type CloudTrailColumn = {
  readonly name: string;
  readonly type: ColumnType;
  readonly help: string;
};

function column(name: string, type: ColumnType, help: string): CloudTrailColumn {
  return { name, type, help };
}

/** The columns of `cloudtrail`: one row is a management event of the account's own trail. */
export const cloudTrailColumns: readonly CloudTrailColumn[] = [
  column('event_id', 'text', 'id that CloudTrail gave the event'),
  column('event_time', 'time', 'when the call was made, whole seconds; windows go by this'),
  column('event_name', 'text', 'the call, e.g. AuthorizeSecurityGroupIngress'),
  column('event_source', 'text', 'the service, e.g. ec2.amazonaws.com'),
  column('aws_region', 'text', 'region of the call'),
  column('source_ip', 'text', 'address of the caller, or the name of an AWS service'),
  column('user_agent', 'text', 'program that called'),
  column('error_code', 'text', 'Client.UnauthorizedOperation, AccessDenied, ...; NULL on success'),
  column('error_message', 'text', 'what the service said'),
  column('principal_id', 'text', 'AIDA... of a user, AROA...:session name of a role'),
  column('principal_type', 'text', 'IAMUser, AssumedRole, Root, AWSService, ...'),
  column('principal_arn', 'text', 'ARN of the caller'),
  column('user_name', 'text', 'name of the IAM user, or session name of the role'),
  column(
    'person',
    'text',
    "the identity's name as `events.user_name` has it; NULL where no engineer can be it",
  ),
  column('access_key_id', 'text', 'access key that signed the call'),
  column('mfa', 'flag', 'whether the credentials were issued with MFA; NULL when CloudTrail does not say'),
  column('request', 'text', 'requestParameters as JSON text'),
  column('response', 'text', 'responseElements as JSON text'),
  column('recipient_account_id', 'text', 'account the event is of'),
];

/** Where the account's own trail can be read, and by which engine. */
export type CloudTrailRelation = {
  readonly engine: LakeEngine;
  /** A table, also as `database.table`, or the id of an event data store of management events. */
  readonly relation: string;
};

/** The view of the local files. */
export const localCloudTrailRelation: CloudTrailRelation = {
  engine: 'duckdb',
  relation: 'cloudtrail_records',
};

/** What one setting says: the id of an event data store or the name of a table; undefined where it is empty. */
export function parseCloudTrailRelation(text: string): CloudTrailRelation | undefined {
  const relation = text.trim();
  if (relation === '') return undefined;
  return { engine: eventDataStoreId.test(relation) ? 'lake' : 'athena', relation: checked(relation) };
}

const eventDataStoreId = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const tableName = /^(?:[A-Za-z_][A-Za-z0-9_]{0,127}\.)?[A-Za-z_][A-Za-z0-9_]{0,127}$/;
const dayMs = 86_400_000;

/** A parenthesised SELECT with the normalised columns. @throws QueryError `refused` where the name is none. */
export function cloudTrailTable(
  engine: LakeEngine,
  relation: string,
  window: IngestWindow | undefined,
): string {
  const expressions: Readonly<Record<string, string>> = {
    ...shared,
    event_time: dialects[engine].typed.time(
      engine === 'lake' ? "substr(to_iso8601(r.eventtime), 1, 19) || 'Z'" : 'r.eventtime',
    ),
    request: engine === 'lake' ? 'json_format(CAST(r.requestparameters AS json))' : 'r.requestparameters',
    response: engine === 'lake' ? 'json_format(CAST(r.responseelements AS json))' : 'r.responseelements',
  };
  const columns = cloudTrailColumns.map(({ name }) => `${expressions[name] ?? 'NULL'} AS ${name}`);
  const inside = [
    // Records from before the field say nothing of it.
    "coalesce(r.eventcategory, 'Management') = 'Management'",
    ...(window === undefined ? [] : rawWindow(engine, window)),
  ];
  const outside =
    window === undefined
      ? ''
      : ` WHERE n.event_time >= ${timestampLiteral(window.fromMs)} AND n.event_time < ${timestampLiteral(window.toMs)}`;
  return `(SELECT * FROM (SELECT ${columns.join(', ')} FROM ${checked(relation)} AS r WHERE ${inside.join(' AND ')}) AS n${outside})`;
}

const arn = 'r.useridentity.arn';
const isUser = `regexp_like(${arn}, '^arn:aws(-cn|-us-gov)?:iam::[0-9]{12}:user/')`;
const isRole = `regexp_like(${arn}, '^arn:aws(-cn|-us-gov)?:sts::[0-9]{12}:assumed-role/[^/]+/[^/]+$')`;
const role = `split_part(${arn}, '/', 2)`;
const session = `split_part(${arn}, '/', 3)`;

const shared: Readonly<Record<string, string>> = {
  event_id: 'r.eventid',
  event_name: 'r.eventname',
  event_source: 'r.eventsource',
  aws_region: 'r.awsregion',
  source_ip: 'r.sourceipaddress',
  user_agent: 'r.useragent',
  error_code: 'r.errorcode',
  error_message: 'r.errormessage',
  principal_id: 'r.useridentity.principalid',
  principal_type: 'r.useridentity.type',
  principal_arn: arn,
  user_name: `CASE WHEN ${isRole} THEN ${session} ELSE r.useridentity.username END`,
  // The same rule as identityFromArn of core/federation.
  person: `CASE WHEN ${isUser} THEN element_at(split(${arn}, '/'), -1) WHEN ${isRole} THEN \
CASE WHEN regexp_like(${role}, '^AWSReservedSSO_[A-Za-z0-9_+=,.@-]+_[0-9a-f]{16}$') THEN ${session} ELSE ${role} || '+' || ${session} END END`,
  access_key_id: 'r.useridentity.accesskeyid',
  mfa: "CASE lower(r.useridentity.sessioncontext.attributes.mfaauthenticated) WHEN 'true' THEN true WHEN 'false' THEN false END",
  recipient_account_id: 'r.recipientaccountid',
};

/** Keeps the reading small. CloudTrail puts an event into the folder of the day its file was delivered, a quarter of an hour later at most. */
function rawWindow(engine: LakeEngine, window: IngestWindow): readonly string[] {
  switch (engine) {
    case 'duckdb':
      return [];
    case 'athena':
      return [`r.day BETWEEN '${day(window.fromMs)}' AND '${day(window.toMs + dayMs)}'`];
    case 'lake':
      return [
        `r.eventtime >= TIMESTAMP '${second(window.fromMs - 1_000)}'`,
        `r.eventtime < TIMESTAMP '${second(window.toMs + 1_000)}'`,
      ];
    default:
      return engine satisfies never;
  }
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10).replaceAll('-', '/');
}

function second(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}

function checked(relation: string): string {
  if (tableName.test(relation) || eventDataStoreId.test(relation)) return relation;
  throw new QueryError(
    'refused',
    `${JSON.stringify(relation.slice(0, 200))} is neither a table nor the id of an event data store; correct where the account's trail is read from`,
  );
}
