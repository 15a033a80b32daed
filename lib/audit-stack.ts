import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnWorkGroup } from 'aws-cdk-lib/aws-athena';
import { CfnDatabase, CfnTable } from 'aws-cdk-lib/aws-glue';
import { AnyPrincipal, Effect, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import { Alias, Key } from 'aws-cdk-lib/aws-kms';
import {
  BlockPublicAccess,
  Bucket,
  BucketEncryption,
  type IBucket,
  ObjectLockRetention,
  ObjectOwnership,
} from 'aws-cdk-lib/aws-s3';
import type { Construct } from 'constructs';
import { deploymentVariables, type GlueTable, glueTables, type Workload } from '#core/contract';
import { output } from './constructs/output.ts';
import type { Deployment } from './deployment.ts';
import { workloadRoleArn } from './permissions/index.ts';

/** What is unsealed stays this long, so that a fault of the sealing loses nothing meanwhile. */
const journalDays = 30;

const workloads = Object.keys(deploymentVariables).filter(
  (name): name is Workload => name in deploymentVariables,
);

/** Evidence and how it is queried. Outlives every other stack. */
export class AuditStack extends Stack {
  readonly dataKey: Key;
  readonly evidence: Bucket;
  readonly journal: Bucket;
  readonly glueDatabase: string;
  readonly workgroup: CfnWorkGroup;

  constructor(scope: Construct, id: string, deployment: Deployment, props?: StackProps) {
    super(scope, id, props);
    const { name } = deployment;
    this.dataKey = new Key(this, 'DataKey', {
      description: `sshtrail ${name}: evidence, state and parameters at rest`,
      enableKeyRotation: true,
      // Without it the evidence cannot be read any more.
      removalPolicy: RemovalPolicy.RETAIN,
    });
    new Alias(this, 'DataKeyAlias', { aliasName: `alias/${name}-data`, targetKey: this.dataKey });
    const accessLogs = new Bucket(this, 'AccessLogs', {
      encryption: BucketEncryption.S3_MANAGED,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ expiration: Duration.days(365) }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    // The library's class is not its own interface where optional properties are exact.
    const logs = accessLogs as IBucket;
    this.evidence = this.#evidenceBucket(deployment, logs);
    this.journal = new Bucket(this, 'Journal', {
      encryption: BucketEncryption.KMS,
      encryptionKey: this.dataKey,
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      serverAccessLogsBucket: logs,
      serverAccessLogsPrefix: 'journal/',
      lifecycleRules: [
        { expiration: Duration.days(journalDays), abortIncompleteMultipartUploadAfter: Duration.days(1) },
      ],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.glueDatabase = this.#catalogue(deployment);
    this.workgroup = new CfnWorkGroup(this, 'Workgroup', {
      name: `${name}-runbooks`,
      description: 'Queries of runbooks and reports',
      recursiveDeleteOption: true,
      workGroupConfiguration: {
        enforceWorkGroupConfiguration: true,
        publishCloudWatchMetricsEnabled: true,
        bytesScannedCutoffPerQuery: deployment.scanLimitBytes,
        engineVersion: { selectedEngineVersion: 'Athena engine version 3' },
        // Results are kept by Athena for a day: no bucket, no rights on one.
        managedQueryResultsConfiguration: { enabled: true },
      },
    });
    output(this, 'EvidenceBucketName', this.evidence.bucketName, 'events, recordings and findings');
    output(this, 'JournalBucketName', this.journal.bucketName, 'what is not sealed yet');
    output(this, 'WorkgroupName', this.workgroup.name, 'Athena workgroup');
  }

  #evidenceBucket({ retention, name }: Deployment, accessLogs: IBucket): Bucket {
    const { lockMode, lockDays } = retention;
    const duration = Duration.days(lockDays);
    const bucket = new Bucket(this, 'Evidence', {
      encryption: BucketEncryption.KMS,
      encryptionKey: this.dataKey,
      bucketKeyEnabled: true,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      enforceSSL: true,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      versioned: true,
      objectLockEnabled: true,
      objectLockDefaultRetention:
        lockMode === 'COMPLIANCE'
          ? ObjectLockRetention.compliance(duration)
          : ObjectLockRetention.governance(duration),
      serverAccessLogsBucket: accessLogs,
      serverAccessLogsPrefix: 'evidence/',
      lifecycleRules: [{ abortIncompleteMultipartUploadAfter: Duration.days(1) }],
      removalPolicy: RemovalPolicy.RETAIN,
    });
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'OnlyAdd',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: ['s3:PutObject'],
        resources: [bucket.arnForObjects('*')],
        // The parts of a multipart upload cannot carry the condition; its completion must.
        conditions: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
      }),
    );
    bucket.addToResourcePolicy(
      new PolicyStatement({
        sid: 'NeverDelete',
        effect: Effect.DENY,
        principals: [new AnyPrincipal()],
        actions: [
          's3:DeleteObject',
          's3:DeleteObjectVersion',
          's3:BypassGovernanceRetention',
          's3:PutObjectRetention',
          's3:PutObjectLegalHold',
        ],
        resources: [bucket.arnForObjects('*')],
        // Whatever a role of ours may be given later: what writes the evidence does not unmake it.
        conditions: {
          ArnEquals: {
            'aws:PrincipalArn': workloads.map((workload) =>
              workloadRoleArn(workload, {
                partition: this.partition,
                account: this.account,
                region: this.region,
                name,
              }),
            ),
          },
        },
      }),
    );
    return bucket;
  }

  #catalogue({ name, accountTrail }: Deployment): string {
    const databaseName = name.replaceAll('-', '_');
    const database = new CfnDatabase(this, 'Database', {
      catalogId: this.account,
      databaseInput: { name: databaseName, description: 'Audit trail of sshtrail' },
    });
    const add = (id: string, table: GlueTable, bucket: string, own: Readonly<Record<string, string>>) => {
      const location = `s3://${bucket}/${table.prefix.replace('{account}', this.account)}`;
      const made = new CfnTable(this, id, {
        catalogId: this.account,
        databaseName,
        tableInput: {
          name: table.name,
          description: table.description,
          tableType: 'EXTERNAL_TABLE',
          partitionKeys: table.partitionKeys.map(([column, type]) => ({ name: column, type })),
          parameters: {
            ...table.parameters,
            ...own,
            'storage.location.template': `${location}${table.partitionTemplate}`,
          },
          storageDescriptor: {
            columns: table.columns.map(([column, type]) => ({ name: column, type })),
            location,
            inputFormat: table.inputFormat,
            outputFormat: table.outputFormat,
            serdeInfo: {
              serializationLibrary: table.serializationLibrary,
              parameters: { 'serialization.format': '1', ...table.serdeParameters },
            },
          },
        },
      });
      made.addResourceDependency(database);
    };
    add('EventsTable', glueTables.events, this.evidence.bucketName, {});
    add('ScreenTextTable', glueTables.screenText, this.evidence.bucketName, {});
    if (accountTrail?.kind === 'bucket') {
      const prefix = accountTrail.prefix === '' ? '' : `${accountTrail.prefix}/`;
      add(
        'AccountTrailTable',
        glueTables.accountTrail,
        `${accountTrail.bucketName}/${prefix}`.replace(/\/$/, ''),
        {
          'projection.region.values': accountTrail.regions.join(','),
        },
      );
    }
    return databaseName;
  }
}
