import type { AcceptedAuditEvent } from './cloudtrail-data.ts';
import { hiveRow } from './hive-json.ts';
import type { TrinoTable } from './trino-runner.ts';

const texts = 'map<string,string>';

/** Published schema of events from outside AWS; `errormssage` is spelled so there. */
const integrationColumns: TrinoTable['columns'] = [
  ['eventversion', 'string'],
  ['eventcategory', 'string'],
  ['eventtype', 'string'],
  ['eventid', 'string'],
  ['eventtime', 'timestamp'],
  ['awsregion', 'string'],
  ['recipientaccountid', 'string'],
  ['addendum', 'struct<reason:string,updatedfields:string,originaluid:string,originaleventid:string>'],
  ['metadata', 'struct<ingestiontime:string,channelarn:string>'],
  [
    'eventdata',
    `struct<version:string,useridentity:struct<type:string,principalid:string,details:${texts}>,useragent:string,eventsource:string,eventname:string,eventtime:string,uid:string,requestparameters:${texts},responseelements:${texts},errorcode:string,errormssage:string,sourceipaddress:string,recipientaccountid:string,additionaleventdata:${texts}>`,
  ],
];

/** The same of management events, as far as anything here reads it. */
const managementColumns: TrinoTable['columns'] = [
  ['eventversion', 'string'],
  [
    'useridentity',
    'struct<type:string,principalid:string,arn:string,accountid:string,accesskeyid:string,username:string,sessioncontext:struct<attributes:struct<creationdate:string,mfaauthenticated:string>,sessionissuer:struct<type:string,principalid:string,arn:string,accountid:string,username:string>>>',
  ],
  ['eventtime', 'timestamp'],
  ['eventsource', 'string'],
  ['eventname', 'string'],
  ['awsregion', 'string'],
  ['sourceipaddress', 'string'],
  ['useragent', 'string'],
  ['errorcode', 'string'],
  ['errormessage', 'string'],
  ['requestparameters', texts],
  ['responseelements', texts],
  ['additionaleventdata', texts],
  ['eventid', 'string'],
  ['readonly', 'boolean'],
  ['eventtype', 'string'],
  ['recipientaccountid', 'string'],
  ['eventcategory', 'string'],
];

export function integrationTable(
  name: string,
  region: string,
  account: string,
  events: readonly AcceptedAuditEvent[],
): TrinoTable {
  const rows = events.map(({ eventID, channelArn, ingestionTime, eventData }) => {
    const { errorMessage, ...data } = eventData;
    const eventTime = String(data['eventTime']).replace(/Z$/, '');
    return hiveRow(integrationColumns, {
      eventVersion: '1.0',
      eventCategory: 'ActivityAuditLog',
      eventType: 'ActivityLog',
      eventID,
      eventTime: eventTime.replace('T', ' '),
      awsRegion: region,
      recipientAccountId: account,
      metadata: { ingestionTime, channelARN: channelArn },
      eventData: { ...data, eventTime, errormssage: errorMessage },
    });
  });
  return { name, columns: integrationColumns, rows };
}

/** Of CloudTrail's own records; nested values of the maps become text. */
export function managementTable(name: string, records: readonly object[]): TrinoTable {
  const rows = records.map((record) => {
    const row = hiveRow(managementColumns, record);
    const time = 'eventtime' in row ? String(row.eventtime) : '';
    return Object.assign(row, { eventtime: time.replace('T', ' ').replace(/Z$/, '') });
  });
  return { name, columns: managementColumns, rows };
}
