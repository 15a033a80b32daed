/** A table of the Glue catalogue as the stacks make it, with what Athena must be told of the files. */
export type GlueTable = {
  readonly name: string;
  readonly description: string;
  /** Name and Hive type, lower case, in order. */
  readonly columns: readonly (readonly [name: string, type: string])[];
  readonly partitionKeys: readonly (readonly [name: string, type: string])[];
  /** Prefix in the bucket, below which the partitions are; `{account}` stands for the account's number. */
  readonly prefix: string;
  /** Follows the prefix in `storage.location.template`. */
  readonly partitionTemplate: string;
  readonly inputFormat: string;
  readonly outputFormat: string;
  readonly serializationLibrary: string;
  readonly serdeParameters: Readonly<Record<string, string>>;
  /**
   * Table properties. The stack adds `storage.location.template` (bucket, prefix, partitionTemplate) and what
   * `ownParameters` names.
   */
  readonly parameters: Readonly<Record<string, string>>;
  /** Properties whose values only the stack knows. */
  readonly ownParameters: readonly string[];
};

const textOutput = 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat';
/** The one AWS recommends: it is strict, where the OpenX one may lose or repeat rows. */
const jsonSerde = 'org.apache.hive.hcatalog.data.JsonSerDe';
const flatStrings = 'map<string,string>';

/** `events/dt=YYYY-MM-DD/<stream>/<seq>.ndjson.gz` of the evidence bucket. */
const events: GlueTable = {
  name: 'ssh_records',
  description: 'Audit records of sshtrail, one JSON line each',
  columns: [
    ['eventversion', 'string'],
    ['eventid', 'string'],
    ['eventtime', 'string'],
    ['eventsource', 'string'],
    ['eventname', 'string'],
    ['eventcategory', 'string'],
    ['eventtype', 'string'],
    ['awsregion', 'string'],
    ['recipientaccountid', 'string'],
    ['readonly', 'boolean'],
    ['sourceipaddress', 'string'],
    ['useragent', 'string'],
    [
      'useridentity',
      'struct<type:string,principalid:string,username:string,arn:string,accountid:string,sessioncontext:struct<attributes:struct<mfaauthenticated:string,creationdate:string>>>',
    ],
    ['requestparameters', flatStrings],
    ['responseelements', flatStrings],
    ['additionaleventdata', flatStrings],
    ['errorcode', 'string'],
    ['errormessage', 'string'],
  ],
  partitionKeys: [['dt', 'string']],
  prefix: 'events/',
  partitionTemplate: 'dt=${dt}/',
  inputFormat: 'org.apache.hadoop.mapred.TextInputFormat',
  outputFormat: textOutput,
  serializationLibrary: jsonSerde,
  serdeParameters: {},
  parameters: {
    EXTERNAL: 'TRUE',
    classification: 'json',
    compressionType: 'gzip',
    'projection.enabled': 'true',
    'projection.dt.type': 'date',
    'projection.dt.format': 'yyyy-MM-dd',
    'projection.dt.range': 'NOW-7YEARS,NOW+1DAY',
    'projection.dt.interval': '1',
    'projection.dt.interval.unit': 'DAYS',
  },
  ownParameters: [],
};

/** `screen-text/dt=YYYY-MM-DD/<session>/<channel>.ndjson.gz` of the evidence bucket; the day is that of the recording. */
const screenText: GlueTable = {
  ...events,
  name: 'screen_text',
  description: 'What the screens of recorded sessions said, a row for each line',
  columns: [
    ['session_id', 'string'],
    ['recording_id', 'string'],
    ['said_at', 'string'],
    ['seconds', 'double'],
    ['text', 'string'],
    ['outcome', 'string'],
  ],
  prefix: 'screen-text/',
};

/** What the account's own trail writes: `AWSLogs/<account>/CloudTrail/<region>/YYYY/MM/DD/*.json.gz`. */
const accountTrail: GlueTable = {
  name: 'cloudtrail_records',
  description: "Management events of the account's own CloudTrail trail",
  columns: [
    ['eventversion', 'string'],
    [
      'useridentity',
      'struct<type:string,principalid:string,arn:string,accountid:string,invokedby:string,accesskeyid:string,username:string,onbehalfof:struct<userid:string,identitystorearn:string>,sessioncontext:struct<attributes:struct<mfaauthenticated:string,creationdate:string>,sessionissuer:struct<type:string,principalid:string,arn:string,accountid:string,username:string>,ec2roledelivery:string,webidfederationdata:struct<federatedprovider:string,attributes:map<string,string>>>>',
    ],
    ['eventtime', 'string'],
    ['eventsource', 'string'],
    ['eventname', 'string'],
    ['awsregion', 'string'],
    ['sourceipaddress', 'string'],
    ['useragent', 'string'],
    ['errorcode', 'string'],
    ['errormessage', 'string'],
    ['requestparameters', 'string'],
    ['responseelements', 'string'],
    ['additionaleventdata', 'string'],
    ['requestid', 'string'],
    ['eventid', 'string'],
    ['readonly', 'string'],
    ['resources', 'array<struct<arn:string,accountid:string,type:string>>'],
    ['eventtype', 'string'],
    ['apiversion', 'string'],
    ['recipientaccountid', 'string'],
    ['serviceeventdetails', 'string'],
    ['sharedeventid', 'string'],
    ['vpcendpointid', 'string'],
    ['vpcendpointaccountid', 'string'],
    ['eventcategory', 'string'],
    [
      'addendum',
      'struct<reason:string,updatedfields:string,originalrequestid:string,originaleventid:string>',
    ],
    ['sessioncredentialfromconsole', 'string'],
    ['edgedevicedetails', 'string'],
    ['tlsdetails', 'struct<tlsversion:string,ciphersuite:string,clientprovidedhostheader:string>'],
  ],
  partitionKeys: [
    ['region', 'string'],
    ['day', 'string'],
  ],
  prefix: 'AWSLogs/{account}/CloudTrail/',
  partitionTemplate: '${region}/${day}/',
  inputFormat: 'com.amazon.emr.cloudtrail.CloudTrailInputFormat',
  outputFormat: textOutput,
  serializationLibrary: jsonSerde,
  serdeParameters: {},
  parameters: {
    EXTERNAL: 'TRUE',
    classification: 'cloudtrail',
    compressionType: 'gzip',
    'projection.enabled': 'true',
    'projection.region.type': 'enum',
    'projection.day.type': 'date',
    'projection.day.format': 'yyyy/MM/dd',
    'projection.day.range': 'NOW-3YEARS,NOW+1DAY',
    'projection.day.interval': '1',
    'projection.day.interval.unit': 'DAYS',
  },
  /** The trail's regions, comma-separated. */
  ownParameters: ['projection.region.values'],
};

/** The tables that Athena reads; pure data, so that the stacks and the queries speak of the same columns. */
export const glueTables = { events, screenText, accountTrail } as const;
