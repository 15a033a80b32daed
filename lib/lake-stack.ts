import { ArnFormat, CustomResource, Duration, RemovalPolicy, Stack, type StackProps } from 'aws-cdk-lib';
import { CfnChannel, CfnEventDataStore } from 'aws-cdk-lib/aws-cloudtrail';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Provider } from 'aws-cdk-lib/custom-resources';
import type { Construct } from 'constructs';
import { output } from './constructs/output.ts';
import { ProductFunction } from './constructs/product-function.ts';
import type { ControlStack } from './control-stack.ts';
import type { Deployment } from './deployment.ts';
import { parameterPath } from './environment.ts';

export type LakeStackProps = StackProps & { readonly control: ControlStack };

/** CloudTrail Lake, apart from everything else: it takes no new customers, and nothing may depend on it. */
export class LakeStack extends Stack {
  readonly provision: ProductFunction<'provision-lake'> | undefined;

  constructor(scope: Construct, id: string, deployment: Deployment, props: LakeStackProps) {
    super(scope, id, props);
    const { cloudTrailLake } = deployment;
    if (cloudTrailLake === 'auto') this.provision = this.#provision(deployment, props.control);
    else if (cloudTrailLake === 'create') this.#create(deployment);
    else if (cloudTrailLake !== 'off')
      this.#tell(deployment, cloudTrailLake.channelArn, cloudTrailLake.eventDataStoreId);
  }

  /** Fails the deployment of this stack where the account is not entitled. */
  #create(deployment: Deployment): void {
    const store = new CfnEventDataStore(this, 'EventDataStore', {
      name: `${deployment.name}-ssh-events`,
      retentionPeriod: deployment.lakeRetentionDays,
      multiRegionEnabled: false,
      organizationEnabled: false,
      terminationProtectionEnabled: true,
      advancedEventSelectors: [
        { fieldSelectors: [{ field: 'eventCategory', equalTo: ['ActivityAuditLog'] }] },
      ],
    });
    store.applyRemovalPolicy(RemovalPolicy.RETAIN);
    const channel = new CfnChannel(this, 'Channel', {
      name: `${deployment.name}-ssh-events`,
      source: 'Custom',
      destinations: [{ type: 'EVENT_DATA_STORE', location: store.attrEventDataStoreArn }],
    });
    this.#tell(
      deployment,
      channel.attrChannelArn,
      // The last part of the ARN is what queries are made over.
      this.splitArn(store.attrEventDataStoreArn, ArnFormat.SLASH_RESOURCE_NAME).resourceName ?? '',
    );
  }

  #tell(deployment: Deployment, channelArn: string, eventDataStoreId: string): void {
    const path = parameterPath(deployment);
    new StringParameter(this, 'ChannelArn', {
      parameterName: `${path}/lake/channel-arn`,
      stringValue: channelArn,
    });
    new StringParameter(this, 'EventDataStoreId', {
      parameterName: `${path}/lake/event-data-store-id`,
      stringValue: eventDataStoreId,
    });
    output(this, 'CloudTrailLake', 'available', 'whether events go to CloudTrail Lake');
  }

  #provision(deployment: Deployment, control: ControlStack): ProductFunction<'provision-lake'> {
    const made = new ProductFunction(this, 'ProvisionLake', {
      function: 'provision-lake',
      deployment: deployment.name,
      on: control.resources('*'),
      environment: {},
      timeout: Duration.minutes(5),
      logRetention: deployment.logRetentionDays,
    });
    const logGroup = new LogGroup(this, 'ProviderLog', {
      logGroupName: `/sshtrail/${deployment.name}/lake-provider`,
      retention: deployment.logRetentionDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // Its own default would be a role with a managed policy over every log of the account.
    const role = new Role(this, 'ProviderRole', { assumedBy: new ServicePrincipal('lambda.amazonaws.com') });
    logGroup.grantWrite(role);
    const provider = new Provider(this, 'Provider', {
      onEventHandler: made.lambda,
      frameworkOnEventRole: role,
      logGroup,
    });
    const resource = new CustomResource(this, 'Lake', {
      serviceToken: provider.serviceToken,
      resourceType: 'Custom::SshtrailCloudTrailLake',
      properties: {
        name: deployment.name,
        retentionDays: String(deployment.lakeRetentionDays),
        account: this.account,
        region: this.region,
      },
    });
    output(
      this,
      'CloudTrailLake',
      resource.getAttString('Status'),
      'available, or unavailable where the account is not entitled',
    );
    output(this, 'CloudTrailLakeReason', resource.getAttString('Reason'), 'why it is unavailable');
    return made;
  }
}
