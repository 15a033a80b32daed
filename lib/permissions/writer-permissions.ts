import { type Permission, parameterArn, type Resources } from './permission.ts';

/** The folders of the two buckets that a writer has to do with. */
type Folders = { readonly evidence: readonly string[]; readonly journal: readonly string[] };

export const eventsOnly: Folders = { evidence: ['events'], journal: ['journal'] };

export const withFindings: Folders = { evidence: ['events', 'findings'], journal: ['journal'] };

export const withRecordings: Folders = {
  evidence: ['events', 'recordings', 'screen-text'],
  journal: ['journal', 'spool'],
};

export const withDigests: Folders = { ...withRecordings, evidence: [...withRecordings.evidence, 'digests'] };

/** What writes an audit stream: journal, evidence, state, sinks. */
export function writer(on: Resources, folders: Folders): readonly Permission[] {
  const evidence = folders.evidence.map((folder) => `${on.evidenceBucket}/${folder}/*`);
  return [
    {
      sid: 'AddEvidence',
      reason: 'adds its own kinds of evidence; never deletes, and the bucket policy refuses to overwrite',
      actions: ['s3:PutObject'],
      resources: evidence,
    },
    {
      sid: 'ReadEvidence',
      reason: 'compares what is there already, and reads segments again for sinks that were behind',
      actions: ['s3:GetObject'],
      resources: evidence,
    },
    {
      sid: 'KeepJournal',
      reason: 'keeps records that are not sealed yet, and removes them when they are',
      actions: ['s3:PutObject', 's3:GetObject', 's3:DeleteObject'],
      resources: folders.journal.map((folder) => `${on.journalBucket}/${folder}/*`),
    },
    {
      sid: 'ListBuckets',
      // Bound to prefixes it would not hold for a get, and then S3 says "denied" of a key that is not there.
      reason: 'finds segments and batches in their order, and lets S3 say of a key that it is not there',
      actions: ['s3:ListBucket'],
      resources: [on.evidenceBucket, on.journalBucket],
    },
    {
      sid: 'UseDataKey',
      reason: 'buckets, table, topic and parameters are encrypted with it',
      actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
      resources: [on.dataKey],
    },
    {
      sid: 'KeepState',
      reason: 'sessions, revocations, locks, findings and who writes which stream',
      actions: ['dynamodb:GetItem', 'dynamodb:UpdateItem', 'dynamodb:DeleteItem', 'dynamodb:Query'],
      resources: [on.controlTable, `${on.controlTable}/index/by-change`],
    },
    {
      sid: 'TellTheBus',
      reason: 'runbooks are started by events',
      actions: ['events:PutEvents'],
      resources: [on.eventBus],
    },
    ...(on.lakeChannels.length === 0 ? [] : copiesToLake(on)),
  ];
}

function copiesToLake(on: Resources): readonly Permission[] {
  return [
    {
      sid: 'ReadLakeChannel',
      reason: 'the ARN of the CloudTrail Lake channel, or that there is none',
      actions: ['ssm:GetParameter'],
      resources: [parameterArn(on, 'lake/*')],
    },
    {
      sid: 'CopyToLake',
      reason:
        'CloudTrail Lake gets a copy of every event where the account has it; the channel is made outside of this stack',
      actions: ['cloudtrail-data:PutAuditEvents'],
      resources: on.lakeChannels,
    },
  ];
}
