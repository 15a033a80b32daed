import { cloudTrailTable } from './cloudtrail-table.ts';
import { type ColumnSource, eventColumns, type LakeColumn } from './columns.ts';
import { type Dialect, dialects, type LakeEngine } from './dialect.ts';
import { dayLiteral, timestampLiteral } from './literal.ts';
import { QueryError } from './query-error.ts';

/** Half-open: `fromMs <= ingest_time < toMs`. */
export type IngestWindow = { readonly fromMs: number; readonly toMs: number };

export type DerivedTableOptions = {
  readonly engine: LakeEngine;
  /** None: all there is. */
  readonly window?: IngestWindow;
  /** Relation of the raw records; the engine's usual one when absent. */
  readonly records?: string;
  /** Leaves out what runbooks themselves did, so that none answers itself or another. */
  readonly withoutRunbooks?: boolean;
  /** Only these columns of `events` and `sessions`; all when absent. A statement of CloudTrail Lake must be short. */
  readonly columns?: ReadonlySet<string>;
  /** Relation of the account's own trail, which `cloudtrail` reads; there is none when absent. */
  readonly cloudtrail?: string;
};

export const derivedTableNames = ['events', 'sessions', 'commands', 'denials', 'cloudtrail'] as const;
export type DerivedTableName = (typeof derivedTableNames)[number];

/** A factor may be proved this long before its session starts. */
const authenticationMarginMs = 3_600_000;
const dayMs = 86_400_000;

/**
 * A parenthesised SELECT with the normalised columns, to stand after FROM with an alias.
 * @throws QueryError `refused` for `cloudtrail` where no relation of it is given
 */
export function derivedTable(name: DerivedTableName, options: DerivedTableOptions): string {
  switch (name) {
    case 'events':
      return eventsTable(options);
    case 'sessions':
      return sessionsTable(options);
    case 'commands':
      return `(SELECT * FROM ${eventsTable(withColumns(options, 'event_name'))} AS x WHERE x.event_name = 'ExecuteCommand')`;
    case 'denials':
      return `(SELECT * FROM ${eventsTable(withColumns(options, 'event_name', 'error_code'))} AS x WHERE x.error_code = 'AccessDenied' OR x.event_name = 'DenyAccess')`;
    case 'cloudtrail':
      if (options.cloudtrail === undefined)
        throw new QueryError(
          'refused',
          "the account's own trail is not set up as a source here; say where it can be read, or leave ${cloudtrail} out",
        );
      return cloudTrailTable(options.engine, options.cloudtrail, options.window);
    default:
      return name satisfies never;
  }
}

/** The same options with these columns among those that are kept. */
function withColumns(options: DerivedTableOptions, ...names: readonly string[]): DerivedTableOptions {
  return options.columns === undefined
    ? options
    : { ...options, columns: new Set([...options.columns, ...names]) };
}

/** Names of the columns `${sessions}` has. */
export const sessionColumnNames: readonly string[] = [
  'session_id',
  'started_at',
  'ended_at',
  'still_open',
  'end_reason',
  'user_name',
  'principal_id',
  'principal_type',
  'principal_arn',
  'source_ip',
  'user_agent',
  'target_id',
  'target_name',
  'target_user',
  'target_labels',
  'auth_method',
  'key_fingerprint',
  'mfa',
  'mfa_method',
  'policy_id',
  'grant_id',
  'proxy_id',
  'event_id',
  'ingest_time',
  'dt',
];

function eventsTable(options: DerivedTableOptions): string {
  const dialect = dialects[options.engine];
  const { window } = options;
  const records = options.records ?? dialect.records;
  const kept = keptColumns(options);
  // event_id is among the columns, so that rows are the same only where the record is.
  const normalised = `SELECT ${dialect.repeats ? 'DISTINCT ' : ''}${kept.map((column) => `${expression(dialect, column)} AS ${column.name}`).join(', ')} FROM ${records} AS r`;
  const outer: string[] = [];
  if (window !== undefined)
    outer.push(
      `n.ingest_time >= ${timestampLiteral(window.fromMs)}`,
      `n.ingest_time < ${timestampLiteral(window.toMs)}`,
    );
  if (options.withoutRunbooks === true)
    outer.push(
      "NOT (n.principal_type IS NOT DISTINCT FROM 'ServiceIdentity' AND n.user_name LIKE 'runbook/%')",
    );
  const where = outer.length === 0 ? '' : ` WHERE ${outer.join(' AND ')}`;
  return `(SELECT * FROM (${normalised}${rawWindow(dialect, window)}) AS n${where})`;
}

/** What the outer conditions of the table speak of is kept too. */
function keptColumns(options: DerivedTableOptions): readonly LakeColumn[] {
  const { columns, window, withoutRunbooks } = options;
  if (columns === undefined) return eventColumns;
  const needed = new Set([
    'event_id',
    ...columns,
    ...(window === undefined ? [] : ['ingest_time']),
    ...(withoutRunbooks === true ? ['principal_type', 'user_name'] : []),
  ]);
  return eventColumns.filter(({ name }) => needed.has(name));
}

/** Only keeps the reading small; the exact window is outside. A record lies under the UTC day of its ingestion. */
function rawWindow(dialect: Dialect, window: IngestWindow | undefined): string {
  if (window === undefined) return '';
  if (dialect.days !== undefined)
    return ` WHERE ${dialect.days(dayLiteral(window.fromMs), dayLiteral(window.toMs))}`;
  // CloudTrail Lake bills by the bytes its own eventtime selects; an event may be taken in a day after it happened.
  return ` WHERE r.eventtime >= TIMESTAMP '${lakeTime(window.fromMs - dayMs)}' AND r.eventtime < TIMESTAMP '${lakeTime(window.toMs + dayMs)}'`;
}

function lakeTime(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replace('T', ' ');
}

/** StartSession with its EndSession and with what AuthenticateUser said of the factor. */
function sessionsTable(options: DerivedTableOptions): string {
  const { window, columns } = options;
  const only = (...names: readonly string[]): DerivedTableOptions =>
    columns === undefined ? options : { ...options, columns: new Set(names) };
  const names = sessionColumnNames.filter((name) => columns === undefined || columns.has(name));
  const starts = eventsTable(
    only(...names, 'session_id', 'event_name', 'event_time', 'error_code', 'mfa', 'mfa_method'),
  );
  const ends = eventsTable(only('session_id', 'event_name', 'event_time', 'end_reason'));
  const proofs = only('session_id', 'event_name', 'error_code', 'mfa', 'mfa_method');
  // Without the margin, a factor proved just before the window's edge would be missed and its session found.
  const before = eventsTable(
    window === undefined
      ? proofs
      : { ...proofs, window: { fromMs: window.fromMs - authenticationMarginMs, toMs: window.toMs } },
  );
  const selected = (names.length === 0 ? ['session_id'] : names).map(
    (name) => `${joinedColumns[name] ?? `s.${name}`} AS ${name}`,
  );
  return `(SELECT ${selected.join(', ')} FROM ${starts} AS s \
LEFT JOIN (SELECT e.session_id, max(e.event_time) AS ended_at, max_by(e.end_reason, e.event_time) AS end_reason \
FROM ${ends} AS e WHERE e.event_name = 'EndSession' GROUP BY e.session_id) AS x ON x.session_id = s.session_id \
LEFT JOIN (SELECT u.session_id, bool_or(u.mfa) AS mfa, max(u.mfa_method) AS mfa_method \
FROM ${before} AS u WHERE u.event_name = 'AuthenticateUser' AND u.error_code IS NULL GROUP BY u.session_id) AS a \
ON a.session_id = s.session_id WHERE s.event_name = 'StartSession' AND s.error_code IS NULL)`;
}

const joinedColumns: Readonly<Record<string, string>> = {
  started_at: 's.event_time',
  ended_at: 'x.ended_at',
  still_open: 'x.session_id IS NULL',
  end_reason: 'x.end_reason',
  // true wins, and false wins over NULL
  mfa: 'CASE WHEN s.mfa OR a.mfa THEN true ELSE coalesce(s.mfa, a.mfa) END',
  mfa_method: 'coalesce(s.mfa_method, a.mfa_method)',
};

function expression(dialect: Dialect, column: LakeColumn): string {
  return dialect.typed[column.type](textOf(dialect, column.source));
}

function textOf(dialect: Dialect, source: ColumnSource): string {
  if (source.at !== 'first') return dialect.field(source);
  return `coalesce(${source.of.map((each) => textOf(dialect, each)).join(', ')})`;
}
