import type { ColumnSource, ColumnType, RecordMap } from './columns.ts';

/** Where SQL runs: DuckDB over the local folder, Athena over S3, CloudTrail Lake. */
export type LakeEngine = 'duckdb' | 'athena' | 'lake';

/** How one engine spells what the derived tables need. `r` is the raw record. */
export type Dialect = {
  /** Relation the raw records are read from when the caller names none. */
  readonly records: string;
  /** Whether a record may be there more than once, since it is delivered at least once and nothing takes out the second. */
  readonly repeats: boolean;
  /** Condition that keeps the reading to the days `first`..`last` (quoted literals), where the engine has day partitions. */
  readonly days: ((first: string, last: string) => string) | undefined;
  readonly field: (source: Exclude<ColumnSource, { at: 'first' }>) => string;
  readonly typed: Readonly<Record<ColumnType, (text: string) => string>>;
};

export const dialects: Readonly<Record<LakeEngine, Dialect>> = {
  duckdb: {
    records: 'ssh_records',
    repeats: false,
    days: partitionDays,
    field: (source) => {
      switch (source.at) {
        case 'record':
          return `r.${source.name}`;
        case 'identity':
          return source.name === 'mfaAuthenticated'
            ? 'r.userIdentity.sessionContext.attributes.mfaAuthenticated'
            : `r.userIdentity.${source.name}`;
        case 'json':
          return `CAST(to_json(r.${source.map}) AS VARCHAR)`;
        case 'partition':
          return 'r.dt';
        default:
          return `r.${source.at}['${source.key}']`;
      }
    },
    typed: {
      text: (text) => text,
      time: (text) => `TRY_CAST(${text} AS TIMESTAMPTZ)`,
      flag,
      count,
    },
  },
  athena: {
    records: 'ssh_records',
    repeats: false,
    days: partitionDays,
    field: (source) => {
      switch (source.at) {
        case 'record':
          return `r.${source.name.toLowerCase()}`;
        case 'identity':
          return source.name === 'mfaAuthenticated'
            ? 'r.useridentity.sessioncontext.attributes.mfaauthenticated'
            : `r.useridentity.${source.name.toLowerCase()}`;
        case 'json':
          return `json_format(CAST(r.${source.map.toLowerCase()} AS json))`;
        case 'partition':
          return 'r.dt';
        default:
          return mapValue(`r.${source.at.toLowerCase()}`, source.key);
      }
    },
    typed: { text: (text) => text, time: trinoTime, flag, count },
  },
  lake: {
    records: 'event_data_store',
    repeats: true,
    days: undefined,
    field: (source) => {
      switch (source.at) {
        case 'record':
          return lakeFields[source.name];
        case 'identity':
          return source.name === 'type' || source.name === 'principalId'
            ? `r.eventdata.useridentity.${source.name.toLowerCase()}`
            : mapValue('r.eventdata.useridentity.details', source.name);
        case 'json':
          return `json_format(CAST(${lakeMap(source.map)} AS json))`;
        case 'partition':
          return "date_format(r.eventtime, '%Y-%m-%d')";
        default:
          return mapValue(lakeMap(source.at), source.key);
      }
    },
    typed: { text: (text) => text, time: trinoTime, flag, count },
  },
};

/** An outside event's payload lies under `eventdata`; the region is CloudTrail's own outer column. */
const lakeFields = {
  eventID: 'r.eventdata.uid',
  // Lake keeps whole seconds; the milliseconds travel beside it.
  eventTime: `coalesce(to_iso8601(from_unixtime(CAST(${mapValue('r.eventdata.additionaleventdata', 'eventTimeMs')} AS double) / 1000)), substr(r.eventdata.eventtime, 1, 19) || 'Z')`,
  eventSource: 'r.eventdata.eventsource',
  eventName: 'r.eventdata.eventname',
  awsRegion: 'r.awsregion',
  recipientAccountId: 'r.eventdata.recipientaccountid',
  sourceIPAddress: 'r.eventdata.sourceipaddress',
  userAgent: 'r.eventdata.useragent',
  errorCode: 'r.eventdata.errorcode',
  // The published schema of outside events spells it this way.
  errorMessage: 'r.eventdata.errormssage',
} as const;

function lakeMap(map: RecordMap): string {
  return `r.eventdata.${map.toLowerCase()}`;
}

function mapValue(map: string, key: string): string {
  return `element_at(${map}, '${key}')`;
}

function partitionDays(first: string, last: string): string {
  return `r.dt BETWEEN ${first} AND ${last}`;
}

function trinoTime(text: string): string {
  return `try(from_iso8601_timestamp(${text}))`;
}

function flag(text: string): string {
  return `CASE lower(${text}) WHEN 'true' THEN true WHEN 'false' THEN false END`;
}

function count(text: string): string {
  return `TRY_CAST(${text} AS bigint)`;
}
