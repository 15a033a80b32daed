import { Duration, Stack, type StackProps } from 'aws-cdk-lib';
import { Alarm, ComparisonOperator, Metric, TreatMissingData } from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { Rule } from 'aws-cdk-lib/aws-events';
import { SnsTopic } from 'aws-cdk-lib/aws-events-targets';
import type { Function as LambdaFunction } from 'aws-cdk-lib/aws-lambda';
import type { Construct } from 'constructs';
import type { AuditStack } from './audit-stack.ts';
import type { ControlStack } from './control-stack.ts';
import type { Deployment } from './deployment.ts';
import type { ProxyStack } from './proxy-stack.ts';
import type { ResponseStack } from './response-stack.ts';

export type ObservabilityStackProps = StackProps & {
  readonly audit: AuditStack;
  readonly control: ControlStack;
  readonly proxy: ProxyStack;
  readonly response: ResponseStack;
};

const guide = 'docs/guide-platform.md';

/** Alarms. Each says where it is written what to do. */
export class ObservabilityStack extends Stack {
  readonly #props: ObservabilityStackProps;
  readonly #name: string;

  constructor(scope: Construct, id: string, deployment: Deployment, props: ObservabilityStackProps) {
    super(scope, id, props);
    this.#props = props;
    this.#name = deployment.name;
    this.#alarm('GatewayTasksMissing', {
      help: `${guide}#gateway-tasks-are-missing`,
      metric: props.proxy.targetGroup.metrics.healthyHostCount({
        period: Duration.minutes(1),
        statistic: 'Minimum',
        dimensionsMap: {
          TargetGroup: props.proxy.targetGroup.targetGroupFullName,
          LoadBalancer: props.proxy.loadBalancer.loadBalancerFullName,
        },
      }),
      threshold: deployment.gateway.tasks,
      below: true,
      periods: 5,
    });
    for (const { lambda } of [...props.control.functions, ...props.response.functions])
      this.#functionAlarm(lambda);
    this.#alarm('EventsNotSealed', {
      help: `${guide}#events-are-not-sealed`,
      metric: this.#own('SealFailures', 'seal'),
      threshold: 1,
      periods: 1,
    });
    // These two answer 503 to whoever called, so that Lambda itself counts no error.
    for (const service of ['issue-certificate', 'control-api'])
      this.#alarm(`ApiFailures-${service}`, {
        help: `${guide}#a-function-fails`,
        metric: this.#own('ApiFailures', service),
        threshold: 1,
        periods: 1,
      });
    this.#alarm('LakeRefusesEvents', {
      help: `${guide}#cloudtrail-lake-refuses-events`,
      metric: this.#own('LakeLosses', 'gateway'),
      threshold: 1,
      periods: 1,
    });
    this.#alarm('SessionsWithoutMfa', {
      help: 'runbook SSH-002',
      metric: this.#own('SessionsWithoutMfa', 'gateway'),
      threshold: 10,
      periods: 1,
    });
    this.#alarm('AccessDeniedSurge', {
      help: 'runbook SSH-001',
      metric: this.#own('AccessDenied', 'gateway'),
      threshold: 50,
      periods: 1,
    });
    this.#alarm('DeadLetters', {
      help: `${guide}#a-dead-letter-queue-holds-messages`,
      metric: props.response.deadLetters.metricApproximateNumberOfMessagesVisible({
        period: Duration.minutes(5),
        statistic: 'Maximum',
      }),
      threshold: 1,
      periods: 1,
    });
    this.#keyDeletion();
  }

  #functionAlarm(lambda: LambdaFunction): void {
    this.#alarm(`Errors${lambda.node.scope?.node.id ?? ''}`, {
      help: `${guide}#a-function-fails`,
      metric: lambda.metricErrors({ period: Duration.minutes(5), statistic: 'Sum' }),
      threshold: 1,
      periods: 1,
    });
  }

  #own(metricName: string, service: string): Metric {
    return new Metric({
      namespace: 'sshtrail',
      metricName,
      dimensionsMap: { Service: service },
      period: Duration.minutes(5),
      statistic: 'Sum',
    });
  }

  #alarm(
    id: string,
    what: {
      /** A runbook, or a heading of the guide. */
      readonly help: string;
      readonly metric: Metric;
      readonly threshold: number;
      readonly periods: number;
      readonly below?: boolean;
    },
  ): void {
    const alarm = new Alarm(this, id, {
      alarmName: `${this.#name}-${id}`,
      alarmDescription: `What to do: ${what.help}`,
      metric: what.metric,
      threshold: what.threshold,
      evaluationPeriods: what.periods,
      comparisonOperator:
        what.below === true
          ? ComparisonOperator.LESS_THAN_THRESHOLD
          : ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: what.below === true ? TreatMissingData.BREACHING : TreatMissingData.NOT_BREACHING,
    });
    alarm.addAlarmAction(new SnsAction(this.#props.control.topic));
  }

  /** Reaches people by a rule: it is an event, not a number. Needs a trail of management events in the account. */
  #keyDeletion(): void {
    const { audit, control } = this.#props;
    new Rule(this, 'KeyDeletion', {
      description: `What to do: ${guide}#a-key-is-to-be-deleted`,
      eventPattern: {
        source: ['aws.kms'],
        detailType: ['AWS API Call via CloudTrail'],
        detail: {
          eventSource: ['kms.amazonaws.com'],
          eventName: ['ScheduleKeyDeletion', 'DisableKey'],
          requestParameters: {
            keyId: [audit.dataKey, control.evidenceKey, ...control.authorities].flatMap((key) => [
              key.keyId,
              key.keyArn,
            ]),
          },
        },
      },
      targets: [new SnsTopic(control.topic)],
    });
  }
}
