import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import type { Workload } from '../../core/contract/index.ts';

const root = join(import.meta.dirname, '..', '..');

/** Where a workload's code begins. */
export function entryOf(workload: Workload): string {
  return workload === 'gateway'
    ? join(root, 'proxy-task', 'main.ts')
    : join(root, 'lambdas', workload, 'handler.ts');
}

/** Rooms whose code makes calls of our own. */
const ours = /^(?:adapters|lambdas|proxy-task)\//;

/**
 * The calls to AWS that are left in a workload's code once everything it cannot reach is gone: names of SDK commands, and
 * `PutAuditEvents`, which is signed by hand. A paginator is the call it repeats; a waiter keeps its own name, since it hides which calls it makes.
 * @param also a file outside of the repository whose calls count, too
 */
export async function sdkCallsOf(entry: string, also?: string): Promise<ReadonlySet<string>> {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    treeShaking: true,
    write: false,
    platform: 'node',
    format: 'esm',
    absWorkingDir: root,
    nodePaths: [join(root, 'node_modules')],
    logLevel: 'silent',
    loader: { '.wasm': 'empty' },
  });
  const calls = new Set<string>();
  let inside = false;
  for (const line of (outputFiles[0]?.text ?? '').split('\n')) {
    // esbuild writes the path of a module before its code.
    const path = /^\/\/ (\S+)$/.exec(line.trim())?.[1];
    if (path !== undefined && /\.[cm]?[jt]s$/.test(path))
      inside = ours.test(path) || (also !== undefined && resolve(root, path) === also);
    if (!inside) continue;
    for (const [, command = ''] of line.matchAll(/new (?:\w+\.)?(\w+?)Command\d*\(/g)) calls.add(command);
    // The SDK is CommonJS to esbuild, so what is taken of it keeps its name behind a dot.
    for (const [, call = ''] of line.matchAll(/\bimport_\w+\.paginate(\w+)/g)) calls.add(call);
    for (const [, waiter = ''] of line.matchAll(/\bimport_\w+\.(wait(?:Until|For)\w+)/g)) calls.add(waiter);
    if (line.includes('/PutAuditEvents')) calls.add('PutAuditEvents');
  }
  return calls;
}

/** What IAM calls the right to a call; some need more than one. */
export const actionsOfCall: Readonly<Record<string, readonly string[]>> = {
  PutObject: ['s3:PutObject'],
  GetObject: ['s3:GetObject'],
  HeadObject: ['s3:GetObject'],
  ListObjectsV2: ['s3:ListBucket'],
  DeleteObjects: ['s3:DeleteObject'],
  GetItem: ['dynamodb:GetItem'],
  UpdateItem: ['dynamodb:UpdateItem'],
  DeleteItem: ['dynamodb:DeleteItem'],
  Query: ['dynamodb:Query'],
  GetPublicKey: ['kms:GetPublicKey'],
  Sign: ['kms:Sign'],
  GetParameter: ['ssm:GetParameter'],
  GetParameterHistory: ['ssm:GetParameterHistory'],
  GetParametersByPath: ['ssm:GetParametersByPath'],
  PutParameter: ['ssm:PutParameter'],
  DeleteParameter: ['ssm:DeleteParameter'],
  StartSession: ['ssm:StartSession'],
  TerminateSession: ['ssm:TerminateSession'],
  // The document says which role Automation takes on.
  StartAutomationExecution: ['ssm:StartAutomationExecution', 'iam:PassRole'],
  SendSSHPublicKey: ['ec2-instance-connect:SendSSHPublicKey'],
  DescribeInstances: ['ec2:DescribeInstances'],
  DescribeSecurityGroups: ['ec2:DescribeSecurityGroups'],
  DescribeSecurityGroupRules: ['ec2:DescribeSecurityGroupRules'],
  RevokeSecurityGroupIngress: ['ec2:RevokeSecurityGroupIngress'],
  PutEvents: ['events:PutEvents'],
  Publish: ['sns:Publish'],
  PutAuditEvents: ['cloudtrail-data:PutAuditEvents'],
  StartQueryExecution: ['athena:StartQueryExecution'],
  GetQueryExecution: ['athena:GetQueryExecution'],
  // Of Athena and of CloudTrail Lake: the workload that has one has both.
  GetQueryResults: ['athena:GetQueryResults', 'cloudtrail:GetQueryResults'],
  StopQueryExecution: ['athena:StopQueryExecution'],
  StartQuery: ['cloudtrail:StartQuery'],
  DescribeQuery: ['cloudtrail:DescribeQuery'],
  CancelQuery: ['cloudtrail:CancelQuery'],
  CreateEventDataStore: ['cloudtrail:CreateEventDataStore', 'cloudtrail:AddTags'],
  GetEventDataStore: ['cloudtrail:GetEventDataStore'],
  ListEventDataStores: ['cloudtrail:ListEventDataStores'],
  UpdateEventDataStore: ['cloudtrail:UpdateEventDataStore'],
  RestoreEventDataStore: ['cloudtrail:RestoreEventDataStore'],
  CreateChannel: ['cloudtrail:CreateChannel', 'cloudtrail:AddTags'],
  GetChannel: ['cloudtrail:GetChannel'],
  ListChannels: ['cloudtrail:ListChannels'],
  UpdateChannel: ['cloudtrail:UpdateChannel'],
  DeleteChannel: ['cloudtrail:DeleteChannel'],
};

/** Rights that no call of ours names, and who uses them in our name. */
export const implied: Readonly<Record<string, string>> = {
  'kms:GenerateDataKey': 'S3, SNS and the parameters encrypt with the data key in the name of the caller',
  'kms:Decrypt': 'S3 and the parameters decrypt with the data key in the name of the caller',
  'secretsmanager:GetSecretValue':
    'Parameter Store reads a secret by its reference in the name of the caller',
  'glue:GetDatabase': 'Athena looks the database up in the name of the caller',
  'glue:GetTable': 'Athena looks the table up in the name of the caller',
  'glue:GetPartitions': 'Athena asks for partitions in the name of the caller',
  's3:GetBucketLocation': 'Athena asks where the evidence lies in the name of the caller',
  'ecs:GetTaskProtection': 'the agent in the task asks in its name',
  'ecs:UpdateTaskProtection': 'the agent in the task asks in its name',
};
