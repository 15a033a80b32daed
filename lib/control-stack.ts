import { Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import {
  AccessLogFormat,
  AuthorizationType,
  CfnAccount,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import { AttributeType, BillingMode, ProjectionType, Table, TableEncryption } from 'aws-cdk-lib/aws-dynamodb';
import { EventBus } from 'aws-cdk-lib/aws-events';
import {
  AccountPrincipal,
  AnyPrincipal,
  Effect,
  PolicyDocument,
  PolicyStatement,
  Role,
  ServicePrincipal,
} from 'aws-cdk-lib/aws-iam';
import { Alias, Key, KeySpec, KeyUsage } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { apiRoutes, mfaRoutePrefix } from '#core/contract';
import type { AuditStack } from './audit-stack.ts';
import { output } from './constructs/output.ts';
import { ProductFunction } from './constructs/product-function.ts';
import type { Deployment } from './deployment.ts';
import { commonEnvironment, parameterPath } from './environment.ts';
import { type Resources, workloadRoleArn } from './permissions/index.ts';

export type ControlStackProps = StackProps & { readonly audit: AuditStack };

/** State, keys, the bus and the topic that everything shares, and the API that people call. */
export class ControlStack extends Stack {
  readonly table: Table;
  readonly engineerAuthority: Key;
  /** Signs digests; only the function that verifies the chain may use it. */
  readonly evidenceKey: Key;
  readonly targetAuthority: Key;
  /** Of every generation. */
  readonly authorities: readonly Key[];
  readonly bus: EventBus;
  readonly topic: Topic;
  readonly functions: readonly ProductFunction<'issue-certificate' | 'control-api'>[];
  readonly #audit: AuditStack;
  readonly #deployment: Deployment;

  constructor(scope: Construct, id: string, deployment: Deployment, props: ControlStackProps) {
    super(scope, id, props);
    this.#audit = props.audit;
    this.#deployment = deployment;
    const { name } = deployment;
    this.table = new Table(this, 'Table', {
      partitionKey: { name: 'pk', type: AttributeType.STRING },
      sortKey: { name: 'sk', type: AttributeType.STRING },
      billingMode: BillingMode.PAY_PER_REQUEST,
      encryption: TableEncryption.CUSTOMER_MANAGED,
      encryptionKey: props.audit.dataKey,
      timeToLiveAttribute: 'expiresAt',
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: true,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    this.table.addLocalSecondaryIndex({
      indexName: 'by-change',
      sortKey: { name: 'changedAtMs', type: AttributeType.NUMBER },
      projectionType: ProjectionType.ALL,
    });
    const engineers = this.#authority('EngineerAuthority', 'engineer-authority', 'issue-certificate');
    const targets = this.#authority('TargetAuthority', 'target-authority', 'gateway');
    this.engineerAuthority = engineers.newest;
    this.targetAuthority = targets.newest;
    this.evidenceKey = this.#evidenceKey();
    this.authorities = [...engineers.all, ...targets.all];
    this.bus = new EventBus(this, 'Bus', { eventBusName: name, description: 'Sealed events of sshtrail' });
    this.topic = new Topic(this, 'Notices', {
      displayName: `sshtrail ${name}`,
      masterKey: props.audit.dataKey,
      enforceSSL: true,
    });
    // A topic with a policy has none of the default's allowances; alarms come in the name of their service.
    this.topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'Alarms',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': this.account } },
      }),
    );
    for (const email of deployment.notifyEmails) this.topic.addSubscription(new EmailSubscription(email));

    const issue = this.#issueCertificate();
    const control = this.#controlApi();
    this.functions = [issue, control];
    const api = this.#api(issue, control);
    output(this, 'ApiUrl', api.url, 'engineers ask here for certificates');
    output(this, 'TargetAuthorityKeyId', this.targetAuthority.keyId, 'targets trust its public key');
    output(this, 'EngineerAuthorityKeyId', this.engineerAuthority.keyId, 'gateways trust its public key');
    output(this, 'EvidenceKeyId', this.evidenceKey.keyId, 'auditors verify digests with its public key');
    output(this, 'NoticeTopicArn', this.topic.topicArn, 'subscribe on-call here');
  }

  /** What permissions are made over. */
  resources(cluster: string): Resources {
    const { accountTrail: trail, caKeySpec, cloudTrailLake } = this.#deployment;
    const lake = typeof cloudTrailLake === 'object' ? cloudTrailLake : undefined;
    const lakeArn = (rest: string) =>
      `arn:${this.partition}:cloudtrail:${this.region}:${this.account}:${rest}`;
    const stores = [
      ...(cloudTrailLake === 'off' ? [] : [lake?.eventDataStoreId ?? '*']),
      ...(trail?.kind === 'event-data-store' ? [trail.id] : []),
    ];
    return {
      evidenceBucket: this.#audit.evidence.bucketArn,
      journalBucket: this.#audit.journal.bucketArn,
      dataKey: this.#audit.dataKey.keyArn,
      controlTable: this.table.tableArn,
      engineerAuthority: this.engineerAuthority.keyArn,
      targetAuthority: this.targetAuthority.keyArn,
      evidenceKey: this.evidenceKey.keyArn,
      eventBus: this.bus.eventBusArn,
      noticeTopic: this.topic.topicArn,
      workgroup: `arn:${this.partition}:athena:${this.region}:${this.account}:workgroup/${this.#audit.workgroup.name}`,
      partition: this.partition,
      region: this.region,
      account: this.account,
      name: this.#deployment.name,
      glueDatabase: this.#audit.glueDatabase,
      cluster,
      signingAlgorithm: caKeySpec === 'ECC_NIST_P256' ? 'ECDSA_SHA_256' : 'ED25519_SHA_512',
      // What a stack makes, or somebody by hand, is named by CloudTrail.
      lakeChannels: cloudTrailLake === 'off' ? [] : [lake?.channelArn ?? lakeArn('channel/*')],
      eventDataStores: stores.includes('*')
        ? [lakeArn('eventdatastore/*')]
        : stores.map((id) => lakeArn(`eventdatastore/${id}`)),
      ...(trail?.kind === 'bucket'
        ? { accountTrailBucket: `arn:${this.partition}:s3:::${trail.bucketName}` }
        : {}),
      ...(trail?.kind === 'bucket' && trail.kmsKeyArn !== undefined
        ? { accountTrailKey: trail.kmsKeyArn }
        : {}),
    };
  }

  commonEnvironment() {
    return commonEnvironment(this.#deployment, {
      account: this.account,
      evidenceBucket: this.#audit.evidence.bucketName,
      journalBucket: this.#audit.journal.bucketName,
      table: this.table.tableName,
      bus: this.bus.eventBusName,
    });
  }

  /** A new generation is a new key beside the old one, which goes on existing. */
  #authority(
    id: string,
    alias: string,
    signer: 'issue-certificate' | 'gateway',
  ): { readonly newest: Key; readonly all: readonly Key[] } {
    const { name, caKeySpec, caGeneration } = this.#deployment;
    const all: Key[] = [];
    for (let generation = 1; generation <= caGeneration; generation += 1) {
      const suffix = generation === 1 ? '' : String(generation);
      const key = new Key(this, `${id}${suffix}`, {
        description: `sshtrail ${name}: ${alias}, generation ${generation}`,
        keySpec: KeySpec[caKeySpec],
        keyUsage: KeyUsage.SIGN_VERIFY,
        removalPolicy: RemovalPolicy.RETAIN,
      });
      new Alias(this, `${id}Alias${suffix}`, {
        aliasName: `alias/${name}-${alias}${suffix === '' ? '' : `-${suffix}`}`,
        targetKey: key,
      });
      key.addToResourcePolicy(this.#onlySigner(signer));
      all.push(key);
    }
    const newest = all.at(-1);
    if (newest === undefined) throw new Error('there is no generation of the authority');
    return { newest, all };
  }

  #evidenceKey(): Key {
    const { name } = this.#deployment;
    const key = new Key(this, 'EvidenceKey', {
      description: `sshtrail ${name}: signs digests of the evidence`,
      keySpec: KeySpec.ECC_NIST_P256,
      keyUsage: KeyUsage.SIGN_VERIFY,
      removalPolicy: RemovalPolicy.RETAIN,
    });
    new Alias(this, 'EvidenceKeyAlias', { aliasName: `alias/${name}-evidence-key`, targetKey: key });
    key.addToResourcePolicy(this.#onlySigner('seal'));
    return key;
  }

  /** The account's own policies could let anybody sign; a key that makes certificates has one signer. */
  #onlySigner(workload: 'issue-certificate' | 'gateway' | 'seal'): PolicyStatement {
    const { partition, account, region } = this;
    return new PolicyStatement({
      sid: 'OneSigner',
      effect: Effect.DENY,
      principals: [new AnyPrincipal()],
      actions: ['kms:Sign'],
      resources: ['*'],
      conditions: {
        ArnNotEquals: {
          'aws:PrincipalArn': workloadRoleArn(workload, {
            partition,
            account,
            region,
            name: this.#deployment.name,
          }),
        },
      },
    });
  }

  #issueCertificate(): ProductFunction<'issue-certificate'> {
    const { name, certificateMaxMinutes, allowedAccounts, identityCenterMfaAccounts } = this.#deployment;
    return new ProductFunction(this, 'IssueCertificate', {
      function: 'issue-certificate',
      deployment: name,
      on: this.resources('*'),
      environment: {
        ...this.commonEnvironment(),
        SSHTRAIL_ENGINEER_AUTHORITY_KEY: this.engineerAuthority.keyArn,
        SSHTRAIL_MAX_CERTIFICATE_SECONDS: String(certificateMaxMinutes * 60),
        SSHTRAIL_ALLOWED_ACCOUNTS: [this.account, ...allowedAccounts].join(','),
        SSHTRAIL_IDENTITY_CENTER_MFA_ACCOUNTS: identityCenterMfaAccounts.join(','),
      },
      timeout: Duration.seconds(25),
      logRetention: this.#deployment.logRetentionDays,
    });
  }

  #controlApi(): ProductFunction<'control-api'> {
    return new ProductFunction(this, 'ControlApi', {
      function: 'control-api',
      deployment: this.#deployment.name,
      on: this.resources('*'),
      environment: {
        ...this.commonEnvironment(),
        SSHTRAIL_PARAMETER_PATH: parameterPath(this.#deployment),
        SSHTRAIL_NOTICE_TOPIC: this.topic.topicArn,
        SSHTRAIL_IDENTITY_CENTER_MFA_ACCOUNTS: this.#deployment.identityCenterMfaAccounts.join(','),
      },
      timeout: Duration.seconds(25),
      logRetention: this.#deployment.logRetentionDays,
    });
  }

  #api(issue: ProductFunction<'issue-certificate'>, control: ProductFunction<'control-api'>): RestApi {
    const { name, allowedAccounts, logRetentionDays } = this.#deployment;
    const log = new LogGroup(this, 'ApiAccessLog', {
      logGroupName: `/sshtrail/${name}/api-access`,
      retention: logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const api = new RestApi(this, 'Api', {
      restApiName: name,
      description: 'Certificates for engineers, and the control of sessions',
      endpointTypes: [EndpointType.REGIONAL],
      policy: new PolicyDocument({
        statements: [
          new PolicyStatement({
            sid: 'Accounts',
            effect: Effect.ALLOW,
            principals: [this.account, ...allowedAccounts].map((account) => new AccountPrincipal(account)),
            actions: ['execute-api:Invoke'],
            resources: ['execute-api:/*'],
          }),
          new PolicyStatement({
            // A request that arrives on one of these routes had MFA: this is what makes that a fact. IfExists refuses long-term keys, too.
            sid: 'MfaMeansMfa',
            effect: Effect.DENY,
            principals: [new AnyPrincipal()],
            actions: ['execute-api:Invoke'],
            // The second for a path that API Gateway takes for the same route, such as one with a slash at its end.
            resources: [
              ...['', '/*'].map((rest) => `execute-api:/*/POST${apiRoutes.certificateWithMfa}${rest}`),
              `execute-api:/*${mfaRoutePrefix}*`,
            ],
            conditions: { BoolIfExists: { 'aws:MultiFactorAuthPresent': 'false' } },
          }),
        ],
      }),
      defaultMethodOptions: { authorizationType: AuthorizationType.IAM },
      // Its default has a managed policy; ours is below.
      cloudWatchRole: false,
      deployOptions: {
        stageName: 'live',
        accessLogDestination: new LogGroupLogDestination(log),
        accessLogFormat: AccessLogFormat.jsonWithStandardFields(),
        loggingLevel: MethodLoggingLevel.ERROR,
        dataTraceEnabled: false,
        throttlingRateLimit: 20,
        throttlingBurstLimit: 50,
      },
    });
    api.deploymentStage.node.addDependency(this.#apiLogging());
    const validator = api.addRequestValidator('Validate', {
      validateRequestBody: true,
      validateRequestParameters: true,
    });
    const certificates = new LambdaIntegration(issue.lambda);
    const sessions = new LambdaIntegration(control.lambda);
    const add = (method: string, path: string, integration: LambdaIntegration) =>
      api.root.resourceForPath(path).addMethod(method, integration, { requestValidator: validator });
    add('POST', apiRoutes.certificateWithMfa, certificates);
    add('POST', apiRoutes.certificate, certificates);
    add('GET', apiRoutes.factors, sessions);
    add('POST', apiRoutes.enrollFactor, sessions);
    add('POST', apiRoutes.removeFactor, sessions);
    add('GET', apiRoutes.sessions, sessions);
    add('POST', apiRoutes.revokeSession, sessions);
    add('POST', apiRoutes.revokeSessionWithMfa, sessions);
    add('GET', apiRoutes.requests, sessions);
    add('POST', apiRoutes.requests, sessions);
    add('POST', apiRoutes.approveRequest, sessions);
    add('POST', apiRoutes.approveRequestWithMfa, sessions);
    add('POST', apiRoutes.rejectRequest, sessions);
    add('POST', apiRoutes.rejectRequestWithMfa, sessions);
    add('POST', apiRoutes.cancelRequest, sessions);
    add('GET', apiRoutes.locks, sessions);
    add('POST', apiRoutes.locks, sessions);
    add('POST', apiRoutes.locksWithMfa, sessions);
    add('DELETE', apiRoutes.lock, sessions);
    add('DELETE', apiRoutes.lockWithMfa, sessions);
    return api;
  }
  /** API Gateway has one role for the logs of all APIs of an account and region, and takes none with fewer rights than these. */
  #apiLogging(): CfnAccount {
    const role = new Role(this, 'ApiLogging', {
      assumedBy: new ServicePrincipal('apigateway.amazonaws.com'),
    });
    role.addToPolicy(
      new PolicyStatement({
        sid: 'WriteApiLogs',
        actions: [
          'logs:CreateLogGroup',
          'logs:CreateLogStream',
          'logs:DescribeLogGroups',
          'logs:DescribeLogStreams',
          'logs:FilterLogEvents',
          'logs:GetLogEvents',
          'logs:PutLogEvents',
        ],
        resources: ['*'],
      }),
    );
    // Other APIs may have come to log by it.
    role.applyRemovalPolicy(RemovalPolicy.RETAIN);
    const account = new CfnAccount(this, 'ApiAccount', { cloudWatchRoleArn: role.roleArn });
    account.applyRemovalPolicy(RemovalPolicy.RETAIN);
    // The right has to be there when API Gateway looks at the role.
    account.node.addDependency(role);
    return account;
  }
}
