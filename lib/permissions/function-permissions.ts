import { type Permission, parameterArn, type Resources } from './permission.ts';
import { automationRoleName } from './role-names.ts';

export function queries(on: Resources): readonly Permission[] {
  const catalogue = `arn:${on.partition}:glue:${on.region}:${on.account}`;
  const trail = on.accountTrailBucket;
  return [
    {
      sid: 'QueryAthena',
      reason: 'runs the queries of runbooks in the one workgroup, whose scan limit binds it',
      actions: [
        'athena:StartQueryExecution',
        'athena:GetQueryExecution',
        'athena:GetQueryResults',
        'athena:StopQueryExecution',
      ],
      resources: [on.workgroup],
    },
    {
      sid: 'ReadTables',
      reason: 'Athena looks the tables up in the name of the caller; projected partitions are asked for, too',
      actions: ['glue:GetDatabase', 'glue:GetTable', 'glue:GetPartitions'],
      resources: [
        `${catalogue}:catalog`,
        `${catalogue}:database/${on.glueDatabase}`,
        `${catalogue}:table/${on.glueDatabase}/*`,
      ],
    },
    {
      sid: 'LocateEvidence',
      reason: 'Athena reads the evidence in the name of the caller and asks where it lies',
      actions: ['s3:GetBucketLocation'],
      resources: [on.evidenceBucket, ...(trail === undefined ? [] : [trail])],
    },
    ...(trail === undefined
      ? []
      : [
          {
            sid: 'ReadAccountTrail',
            reason: "Athena reads the account's own CloudTrail in the name of the caller",
            actions: ['s3:GetObject', 's3:ListBucket'],
            resources: [trail, `${trail}/*`],
          },
        ]),
    ...(on.accountTrailKey === undefined
      ? []
      : [
          {
            sid: 'DecryptAccountTrail',
            reason: 'the trail is encrypted with a key of its own',
            actions: ['kms:Decrypt'],
            resources: [on.accountTrailKey],
          },
        ]),
    ...(on.eventDataStores.length === 0
      ? []
      : [
          {
            sid: 'QueryLake',
            reason:
              'runs the queries of runbooks on event data stores; of one that a stack makes the id is known after the deployment only',
            actions: [
              'cloudtrail:StartQuery',
              'cloudtrail:GetQueryResults',
              'cloudtrail:DescribeQuery',
              'cloudtrail:CancelQuery',
            ],
            resources: on.eventDataStores,
          },
        ]),
  ];
}

export function startsAutomation(on: Resources): readonly Permission[] {
  return [
    {
      sid: 'StartAutomation',
      reason: 'hands a finding over to the Automation document of its runbook',
      actions: ['ssm:StartAutomationExecution'],
      resources: [
        `arn:${on.partition}:ssm:${on.region}:${on.account}:automation-definition/${on.name}-*:*`,
        `arn:${on.partition}:ssm:${on.region}:${on.account}:document/${on.name}-*`,
      ],
    },
    {
      sid: 'PassAutomationRole',
      reason: 'the document takes on this role, which may call the function act and nothing else',
      actions: ['iam:PassRole'],
      resources: [`arn:${on.partition}:iam::${on.account}:role/${automationRoleName(on.name, on.region)}`],
      conditions: { StringEquals: { 'iam:PassedToService': 'ssm.amazonaws.com' } },
    },
  ];
}

export function exposure(on: Resources): readonly Permission[] {
  const groups = `arn:${on.partition}:ec2:${on.region}:${on.account}:security-group/*`;
  return [
    {
      sid: 'LookAtRules',
      reason: 'looks for port 22 open to the world in every group; these actions know no resources',
      actions: ['ec2:DescribeSecurityGroupRules', 'ec2:DescribeSecurityGroups'],
      resources: ['*'],
    },
    {
      sid: 'CloseRules',
      reason: 'takes back the one rule, on groups that say sshtrail manages them',
      actions: ['ec2:RevokeSecurityGroupIngress'],
      resources: [groups],
      conditions: { StringEquals: { 'aws:ResourceTag/sshtrail:managed': 'true' } },
    },
  ];
}

export function lake(on: Resources): readonly Permission[] {
  return [
    {
      sid: 'ProvisionLake',
      reason:
        'makes the event data store and the channel where the account may; their ids are given at creation',
      actions: [
        'cloudtrail:CreateEventDataStore',
        'cloudtrail:GetEventDataStore',
        'cloudtrail:UpdateEventDataStore',
        'cloudtrail:CreateChannel',
        'cloudtrail:GetChannel',
        'cloudtrail:DeleteChannel',
      ],
      resources: [
        `arn:${on.partition}:cloudtrail:${on.region}:${on.account}:eventdatastore/*`,
        `arn:${on.partition}:cloudtrail:${on.region}:${on.account}:channel/*`,
      ],
    },
    {
      sid: 'FindLake',
      reason: 'finds what an attempt before has made; these actions know no resources',
      actions: ['cloudtrail:ListEventDataStores', 'cloudtrail:ListChannels'],
      resources: ['*'],
    },
    {
      sid: 'TagLake',
      reason: 'marks the event data store as its own',
      actions: ['cloudtrail:AddTags'],
      resources: [`arn:${on.partition}:cloudtrail:${on.region}:${on.account}:eventdatastore/*`],
    },
    {
      sid: 'SayLake',
      reason: 'tells gateways and functions which channel and event data store there are',
      actions: ['ssm:PutParameter', 'ssm:DeleteParameter'],
      resources: [parameterArn(on, 'lake/*')],
    },
  ];
}
