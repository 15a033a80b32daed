import { join } from 'node:path';
import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import type { Cluster } from 'aws-cdk-lib/aws-ecs';
import { Rule, Schedule as RuleSchedule, RuleTargetInput } from 'aws-cdk-lib/aws-events';
import { LambdaFunction } from 'aws-cdk-lib/aws-events-targets';
import { PolicyStatement, PrincipalWithConditions, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnSchedule } from 'aws-cdk-lib/aws-scheduler';
import { Queue, QueueEncryption } from 'aws-cdk-lib/aws-sqs';
import { CfnDocument } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import { automationDocumentName, busSource, type RunbookRequest } from '#core/contract';
import type { AuditStack } from './audit-stack.ts';
import { automationDocument, type RunbookOutline, readRunbooks } from './automation-document.ts';
import { output } from './constructs/output.ts';
import { ProductFunction, repositoryRoot } from './constructs/product-function.ts';
import type { ControlStack } from './control-stack.ts';
import type { Deployment } from './deployment.ts';
import { parameterPath } from './environment.ts';
import { automationRoleName } from './permissions/index.ts';

export type ResponseStackProps = StackProps & {
  readonly audit: AuditStack;
  readonly control: ControlStack;
  readonly cluster: Cluster;
  /** Security groups whose open port 22 is meant: the load balancer's own. */
  readonly allowedGroups: readonly string[];
};

/** What looks at the events and acts: schedules, rules, functions, Automation documents. */
export class ResponseStack extends Stack {
  readonly deadLetters: Queue;
  readonly functions: readonly ProductFunction<'run-runbook' | 'act' | 'seal' | 'check-exposure'>[];
  readonly #deployment: Deployment;
  readonly #props: ResponseStackProps;

  constructor(scope: Construct, id: string, deployment: Deployment, props: ResponseStackProps) {
    super(scope, id, props);
    this.#deployment = deployment;
    this.#props = props;
    this.deadLetters = new Queue(this, 'DeadLetters', {
      encryption: QueueEncryption.KMS,
      encryptionMasterKey: props.audit.dataKey,
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    const runbooks = readRunbooks(join(repositoryRoot, 'runbooks'));
    const runRunbook = this.#runRunbook();
    const act = this.#act();
    const seal = this.#seal();
    const exposure = this.#checkExposure();
    this.functions = [runRunbook, act, seal, exposure];

    this.#documents(runbooks, act);
    this.#schedules(runRunbook);
    this.#runbookEvents(runbooks, runRunbook);
    this.#sealTriggers(seal);
    this.#exposureTriggers(exposure);
    output(this, 'DeadLetterQueueUrl', this.deadLetters.queueUrl, 'events that were tried in vain');
  }

  #shared() {
    const { control } = this.#props;
    return {
      deployment: this.#deployment.name,
      on: control.resources(this.#props.cluster.clusterArn),
      logRetention: this.#deployment.logRetentionDays,
      deadLetters: this.deadLetters,
    };
  }

  #runRunbook(): ProductFunction<'run-runbook'> {
    const { audit, control } = this.#props;
    const { accountTrail, cloudTrailLake, runbookConcurrency } = this.#deployment;
    return new ProductFunction(this, 'RunRunbook', {
      ...this.#shared(),
      function: 'run-runbook',
      environment: {
        ...control.commonEnvironment(),
        SSHTRAIL_ATHENA_WORKGROUP: audit.workgroup.name,
        SSHTRAIL_GLUE_DATABASE: audit.glueDatabase,
        SSHTRAIL_PARAMETER_PATH: parameterPath(this.#deployment),
        SSHTRAIL_EVENT_DATA_STORE_PARAMETER:
          cloudTrailLake === 'off' ? '' : `${parameterPath(this.#deployment)}/lake/event-data-store-id`,
        SSHTRAIL_ACCOUNT_TRAIL:
          accountTrail === undefined
            ? ''
            : accountTrail.kind === 'bucket'
              ? 'cloudtrail_records'
              : accountTrail.id,
        SSHTRAIL_NOTICE_TOPIC: control.topic.topicArn,
      },
      timeout: Duration.minutes(5),
      // Queries are what an account has few of.
      ...(runbookConcurrency === 0 ? {} : { concurrency: runbookConcurrency }),
    });
  }

  #act(): ProductFunction<'act'> {
    const { control } = this.#props;
    return new ProductFunction(this, 'Act', {
      ...this.#shared(),
      function: 'act',
      environment: {
        ...control.commonEnvironment(),
        SSHTRAIL_PARAMETER_PATH: parameterPath(this.#deployment),
        SSHTRAIL_NOTICE_TOPIC: control.topic.topicArn,
      },
      timeout: Duration.minutes(2),
    });
  }

  #seal(): ProductFunction<'seal'> {
    const { control } = this.#props;
    return new ProductFunction(this, 'Seal', {
      ...this.#shared(),
      function: 'seal',
      environment: {
        ...control.commonEnvironment(),
        SSHTRAIL_NOTICE_TOPIC: control.topic.topicArn,
        SSHTRAIL_EVIDENCE_KEY: control.evidenceKey.keyArn,
      },
      timeout: Duration.minutes(10),
    });
  }

  #checkExposure(): ProductFunction<'check-exposure'> {
    const { control, allowedGroups } = this.#props;
    return new ProductFunction(this, 'CheckExposure', {
      ...this.#shared(),
      function: 'check-exposure',
      environment: {
        ...control.commonEnvironment(),
        SSHTRAIL_NOTICE_TOPIC: control.topic.topicArn,
        SSHTRAIL_EXPOSURE_ALLOWED_GROUPS: [...allowedGroups, ...this.#deployment.exposureAllowedGroups].join(
          ',',
        ),
      },
      timeout: Duration.minutes(2),
    });
  }

  #documents(runbooks: readonly RunbookOutline[], act: ProductFunction<'act'>): void {
    const role = new Role(this, 'AutomationRole', {
      roleName: automationRoleName(this.#deployment.name, this.region),
      assumedBy: this.#inThisAccount('ssm.amazonaws.com'),
    });
    role.addToPolicy(
      new PolicyStatement({
        sid: 'CallAct',
        actions: ['lambda:InvokeFunction'],
        resources: [act.lambda.functionArn],
      }),
    );
    for (const runbook of runbooks)
      new CfnDocument(this, `Document${runbook.id}`, {
        name: automationDocumentName(this.#deployment.name, runbook.id),
        documentType: 'Automation',
        documentFormat: 'JSON',
        // A new version in its place; replacing would collide with the name.
        updateMethod: 'NewVersion',
        content: automationDocument(runbook, {
          functionArn: act.lambda.functionArn,
          assumeRoleArn: role.roleArn,
        }),
      });
  }

  /** The service works for every account; this one's role is for what happens here only. */
  #inThisAccount(service: string): PrincipalWithConditions {
    return new PrincipalWithConditions(new ServicePrincipal(service), {
      StringEquals: { 'aws:SourceAccount': this.account },
    });
  }

  #schedules(runRunbook: ProductFunction<'run-runbook'>): void {
    const role = new Role(this, 'SchedulerRole', {
      assumedBy: this.#inThisAccount('scheduler.amazonaws.com'),
    });
    role.addToPolicy(
      new PolicyStatement({
        sid: 'CallRunRunbook',
        actions: ['lambda:InvokeFunction'],
        resources: [runRunbook.lambda.functionArn],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        sid: 'KeepFailed',
        actions: ['sqs:SendMessage'],
        resources: [this.deadLetters.queueArn],
      }),
    );
    role.addToPolicy(
      new PolicyStatement({
        sid: 'EncryptFailed',
        actions: ['kms:GenerateDataKey', 'kms:Decrypt'],
        resources: [this.#props.audit.dataKey.keyArn],
      }),
    );
    for (const { id, engine, schedule } of this.#deployment.runbooks) {
      const request: RunbookRequest = {
        kind: 'schedule',
        runbookId: id,
        engine,
        scheduledTime: '<aws.scheduler.scheduled-time>',
      };
      new CfnSchedule(this, `Schedule${id}${engine === 'lake' ? 'Lake' : ''}`, {
        name: `${this.#deployment.name}-${id}-${engine}`,
        description: `Runs runbook ${id} on ${engine}`,
        scheduleExpression: schedule,
        flexibleTimeWindow: { mode: 'OFF' },
        target: {
          arn: runRunbook.lambda.functionArn,
          roleArn: role.roleArn,
          input: JSON.stringify(request),
          deadLetterConfig: { arn: this.deadLetters.queueArn },
          retryPolicy: { maximumRetryAttempts: 3, maximumEventAgeInSeconds: 900 },
        },
      });
    }
  }

  #runbookEvents(runbooks: readonly RunbookOutline[], runRunbook: ProductFunction<'run-runbook'>): void {
    const events = [...new Set(runbooks.flatMap((runbook) => runbook.events))].sort();
    if (events.length === 0) return;
    new Rule(this, 'RunbookEvents', {
      eventBus: this.#props.control.bus,
      description: 'Events that runbooks wait for',
      eventPattern: { source: [busSource], detailType: events },
      targets: [this.#target(runRunbook)],
    });
  }

  #sealTriggers(seal: ProductFunction<'seal'>): void {
    new Rule(this, 'TaskStopped', {
      description: 'A gateway task has stopped: what it left open is completed',
      eventPattern: {
        source: ['aws.ecs'],
        detailType: ['ECS Task State Change'],
        detail: { clusterArn: [this.#props.cluster.clusterArn], lastStatus: ['STOPPED'] },
      },
      targets: [this.#target(seal)],
    });
    new Rule(this, 'SealSweep', {
      description: 'Completes the streams of writers that fell silent, and checks the chain',
      schedule: RuleSchedule.rate(Duration.minutes(5)),
      targets: [this.#target(seal, { kind: 'sweep' })],
    });
  }

  #exposureTriggers(exposure: ProductFunction<'check-exposure'>): void {
    new Rule(this, 'RulesChanged', {
      description: 'SSH-013: a security group was opened',
      eventPattern: {
        source: ['aws.ec2'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: {
          eventSource: ['ec2.amazonaws.com'],
          eventName: ['AuthorizeSecurityGroupIngress', 'ModifySecurityGroupRules'],
        },
      },
      targets: [this.#target(exposure)],
    });
    new Rule(this, 'ExposureSweep', {
      description: 'SSH-013: looks at every live rule',
      schedule: RuleSchedule.rate(Duration.minutes(15)),
      targets: [this.#target(exposure, { kind: 'sweep' })],
    });
  }

  #target(
    target: ProductFunction<'run-runbook' | 'seal' | 'check-exposure'>,
    event?: object,
  ): LambdaFunction {
    return new LambdaFunction(target.lambda, {
      deadLetterQueue: this.deadLetters,
      retryAttempts: 3,
      maxEventAge: Duration.minutes(30),
      ...(event === undefined ? {} : { event: RuleTargetInput.fromObject(event) }),
    });
  }
}
