import type { Workload } from '#core/contract';

/** What statements are made over: ARNs, most of them known at deployment only. */
export type Resources = {
  readonly evidenceBucket: string;
  readonly journalBucket: string;
  readonly dataKey: string;
  readonly controlTable: string;
  readonly engineerAuthority: string;
  readonly targetAuthority: string;
  /** Signs digests. */
  readonly evidenceKey: string;
  readonly eventBus: string;
  readonly noticeTopic: string;
  readonly workgroup: string;
  readonly partition: string;
  readonly region: string;
  readonly account: string;
  readonly name: string;
  readonly glueDatabase: string;
  readonly cluster: string;
  readonly accountTrailBucket?: string;
  readonly accountTrailKey?: string;
  /** What KMS calls the one way in which the authorities sign. */
  readonly signingAlgorithm: 'ECDSA_SHA_256' | 'ED25519_SHA_512';
  /** Channels of CloudTrail Lake that events may go to; none where Lake is off. */
  readonly lakeChannels: readonly string[];
  /** Event data stores that runbooks may query. */
  readonly eventDataStores: readonly string[];
};

/** One statement of a role, with why it is needed. */
export type Permission = {
  readonly sid: string;
  readonly reason: string;
  readonly actions: readonly string[];
  readonly resources: readonly string[];
  readonly conditions?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
};

/** Everything a workload may do in AWS. A test compares it with the calls its code can make. */
export function permissionsOf(workload: Workload, on: Resources): readonly Permission[] {
  switch (workload) {
    case 'gateway':
      return [...writer(on, withRecordings), ...gateway(on), notices(on)];
    case 'issue-certificate':
      return [
        ...writer(on, eventsOnly),
        signs(on, 'SignForEngineers', 'signs the certificates of engineers; no other role may', {
          authority: on.engineerAuthority,
        }),
        {
          sid: 'KnowAuthority',
          reason: 'the public key by which it verifies what it has signed',
          actions: ['kms:GetPublicKey'],
          resources: [on.engineerAuthority],
        },
      ];
    case 'control-api':
      return [...writer(on, eventsOnly), configuration(on), notices(on)];
    case 'run-runbook':
      return [
        ...writer(on, withFindings),
        ...queries(on),
        configuration(on),
        ...startsAutomation(on),
        notices(on),
      ];
    case 'act':
      return [...writer(on, withFindings), configuration(on), notices(on)];
    case 'seal':
      return [...writer(on, withDigests), notices(on), ...signsDigests(on)];
    case 'check-exposure':
      return [...writer(on, eventsOnly), notices(on), ...exposure(on)];
    case 'provision-lake':
      return lake(on);
    default:
      return workload satisfies never;
  }
}

/** The folders of the two buckets that a writer has to do with. */
type Folders = { readonly evidence: readonly string[]; readonly journal: readonly string[] };
const eventsOnly: Folders = { evidence: ['events'], journal: ['journal'] };
const withFindings: Folders = { evidence: ['events', 'findings'], journal: ['journal'] };
const withRecordings: Folders = {
  evidence: ['events', 'recordings', 'screen-text'],
  journal: ['journal', 'spool'],
};

const withDigests: Folders = { ...withRecordings, evidence: [...withRecordings.evidence, 'digests'] };

/** What writes an audit stream: journal, evidence, state, sinks. */
function writer(on: Resources, folders: Folders): readonly Permission[] {
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

function signs(
  on: Resources,
  sid: string,
  reason: string,
  { authority }: { readonly authority: string },
): Permission {
  return {
    sid,
    reason,
    actions: ['kms:Sign'],
    resources: [authority],
    conditions: { StringEquals: { 'kms:SigningAlgorithm': on.signingAlgorithm } },
  };
}

function signsDigests(on: Resources): readonly Permission[] {
  return [
    {
      sid: 'SignDigests',
      reason:
        'signs what it has verified; whoever writes the evidence may not, and this signs no certificates',
      actions: ['kms:Sign'],
      resources: [on.evidenceKey],
      conditions: { StringEquals: { 'kms:SigningAlgorithm': 'ECDSA_SHA_256' } },
    },
    {
      sid: 'KnowEvidenceKey',
      reason: 'the public key by which it verifies what it has signed',
      actions: ['kms:GetPublicKey'],
      resources: [on.evidenceKey],
    },
  ];
}

function gateway(on: Resources): readonly Permission[] {
  const tagged = { StringEquals: { 'aws:ResourceTag/sshtrail:target': 'true' } } as const;
  return [
    configuration(on),
    {
      sid: 'KnowAuthors',
      reason: 'says in the audit trail who changed a policy',
      actions: ['ssm:GetParameterHistory'],
      resources: [parameterArn(on, 'config/policies/*')],
    },
    {
      sid: 'MakeHostKey',
      reason:
        'the first task makes the key by which engineers know the gateway, and the authority that vouches for it as a target',
      actions: ['ssm:GetParameter', 'ssm:PutParameter'],
      resources: [parameterArn(on, 'host-key'), parameterArn(on, 'host-authority')],
    },
    {
      sid: 'ReadTargetSecrets',
      reason: 'keys and passwords of targets that take no certificates, of this deployment only',
      actions: ['ssm:GetParameter'],
      resources: [
        parameterArn(on, 'targets/*'),
        `arn:${on.partition}:ssm:${on.region}:${on.account}:parameter/aws/reference/secretsmanager/sshtrail/${on.name}/targets/*`,
      ],
    },
    {
      sid: 'ReadTargetSecretsThere',
      reason: 'Parameter Store hands out secrets of Secrets Manager to those who may read them there',
      actions: ['secretsmanager:GetSecretValue'],
      resources: [
        `arn:${on.partition}:secretsmanager:${on.region}:${on.account}:secret:sshtrail/${on.name}/targets/*`,
      ],
    },
    signs(on, 'SignForTargets', 'signs the certificate that each session shows to its target', {
      authority: on.targetAuthority,
    }),
    {
      sid: 'KnowAuthorities',
      reason: 'verifies the certificates of engineers, which it may not sign, and its own signatures',
      actions: ['kms:GetPublicKey'],
      resources: [on.engineerAuthority, on.targetAuthority],
    },
    {
      sid: 'FindInstances',
      reason: 'instances become targets by their tags; this action knows no resources',
      actions: ['ec2:DescribeInstances'],
      resources: ['*'],
    },
    {
      sid: 'PushKeys',
      reason: 'logs in to targets by EC2 Instance Connect, on instances that are tagged as targets only',
      actions: ['ec2-instance-connect:SendSSHPublicKey'],
      resources: [`arn:${on.partition}:ec2:${on.region}:${on.account}:instance/*`],
      conditions: tagged,
    },
    {
      sid: 'DialInstances',
      reason: 'reaches targets without an open port through Session Manager, tagged instances only',
      actions: ['ssm:StartSession'],
      resources: [`arn:${on.partition}:ec2:${on.region}:${on.account}:instance/*`],
      conditions: tagged,
    },
    {
      sid: 'DialBySsh',
      reason: 'the one document such a session may use',
      actions: ['ssm:StartSession'],
      resources: [`arn:${on.partition}:ssm:${on.region}::document/AWS-StartSSHSession`],
    },
    {
      sid: 'EndDials',
      reason: 'ends the sessions it began: Session Manager tags each with who started it',
      actions: ['ssm:TerminateSession'],
      resources: [`arn:${on.partition}:ssm:${on.region}:${on.account}:session/*`],
      conditions: {
        StringLike: { 'ssm:resourceTag/aws:ssmmessages:session-id': policyVariable('aws:userid') },
      },
    },
    {
      sid: 'ProtectTasks',
      reason: 'keeps a deployment from ending live sessions; asked by the agent in the name of the task',
      actions: ['ecs:GetTaskProtection', 'ecs:UpdateTaskProtection'],
      resources: [`arn:${on.partition}:ecs:${on.region}:${on.account}:task/*`],
      conditions: { ArnEquals: { 'ecs:cluster': on.cluster } },
    },
  ];
}

function queries(on: Resources): readonly Permission[] {
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

function startsAutomation(on: Resources): readonly Permission[] {
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

/** Of the role that Automation takes on; roles are known in the whole account, so the region is a part of it. */
export function automationRoleName(name: string, region: string): string {
  return `${name}-automation-${region}`;
}

/** Of a workload's role. Policies of keys and of the evidence name it before it exists. */
export function workloadRoleName(workload: Workload, name: string, region: string): string {
  return `${name}-${workload}-${region}`;
}

export function workloadRoleArn(
  workload: Workload,
  on: Pick<Resources, 'partition' | 'account' | 'name' | 'region'>,
): string {
  return `arn:${on.partition}:iam::${on.account}:role/${workloadRoleName(workload, on.name, on.region)}`;
}

function configuration(on: Resources): Permission {
  return {
    sid: 'ReadConfiguration',
    reason: 'identities, targets, policies and the settings of runbooks',
    actions: ['ssm:GetParametersByPath'],
    resources: [parameterArn(on, 'config'), parameterArn(on, 'config/*')],
  };
}

function notices(on: Resources): Permission {
  return {
    sid: 'Notify',
    reason: 'tells people of findings and of requests for access',
    actions: ['sns:Publish'],
    resources: [on.noticeTopic],
  };
}

function exposure(on: Resources): readonly Permission[] {
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

function lake(on: Resources): readonly Permission[] {
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

function parameterArn(on: Resources, rest: string): string {
  return `arn:${on.partition}:ssm:${on.region}:${on.account}:parameter/sshtrail/${on.name}/${rest}`;
}

/** IAM puts the value of the request in its place. */
function policyVariable(name: string): string {
  return `\${${name}}`;
}
