/** A finding of cdk-nag that is meant, and why. */
export type Acknowledged = {
  /** The whole rule with its suffix, in which export names and tokens are left as `...`. */
  readonly rule: RegExp;
  /** Of the construct, without the deployment's name. */
  readonly where: RegExp;
  readonly reason: string;
};

const policies = /\/Role\/DefaultPolicy|TaskRole\/DefaultPolicy/;

export const acknowledged: readonly Acknowledged[] = [
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*Evidence.*\/(events|recordings|findings|)\/?\*\]$/,
    where: policies,
    reason:
      'objects are named by stream, session and finding; they are added and read, never deleted, and the bucket refuses to overwrite',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*Journal.*\/\*\]$/,
    where: policies,
    reason: 'batches and pieces of recordings are named by stream and session, which are not known before',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:parameter\/sshtrail\/.*\/(lake|config|config\/policies)\/\*\]$/,
    where: policies,
    reason: "the deployment's own parameters; policies are as many as somebody writes",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*(:parameter\/sshtrail|:parameter\/aws\/reference\/secretsmanager\/sshtrail|:secret:sshtrail)\/.*\/targets\/\*\]$/,
    where: /TaskRole/,
    reason:
      'what logs in to targets that take no certificates; as many as somebody puts there, of this deployment alone',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:cloudtrail:.*:channel\/\*\]$/,
    where: policies,
    reason: 'CloudTrail gives the channel its id when it is made, in another stack or by hand',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:cloudtrail:.*:eventdatastore\/\*\]$/,
    where: /(RunRunbook|ProvisionLake)\/Role/,
    reason: 'CloudTrail gives the event data store its id when it is made, in another stack or by hand',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:ec2:.*:instance\/\*\]$/,
    where: /TaskRole/,
    reason: 'which instances are targets says their tag, and the statement has that condition',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:ssm:.*:session\/\*\]$/,
    where: /TaskRole/,
    reason: 'Systems Manager names the sessions it starts',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:ecs:.*:task\/\*\]$/,
    where: /TaskRole/,
    reason: 'tasks are named when they start; the statement is bound to the one cluster',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:glue:.*:table\/.*\/\*\]$/,
    where: /RunRunbook/,
    reason: "the tables of the deployment's own database",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:ssm:.*:(automation-definition|document)\/.*-\*(:\*)?\]$/,
    where: /RunRunbook/,
    reason: 'one document a runbook, all of them beginning with the name of the deployment',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:ec2:.*:security-group\/\*\]$/,
    where: /CheckExposure/,
    reason:
      'any group may open port 22; only those tagged as managed may be changed, which the statement demands',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::.*:s3:::example-trail\/\*\]$/,
    where: /RunRunbook/,
    reason: "Athena reads the account's own trail, whose objects are named by CloudTrail",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::\*\]$/,
    where: /TaskRole|CheckExposure|ProvisionLake/,
    reason:
      'DescribeInstances, DescribeSecurityGroups, DescribeSecurityGroupRules, ListEventDataStores and ListChannels know no resources',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::\*\]$/,
    where: /Task\/ExecutionRole/,
    reason: 'ecr:GetAuthorizationToken knows no resources; the CDK writes the statement',
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::\*\]$/,
    where: /control\/ApiLogging/,
    reason:
      "API Gateway's role is for the logs of all APIs of the account, and it takes none that may do less",
  },
  {
    rule: /^AwsSolutions-IAM5\[Resource::<ProvisionLake.*>:\*\]$/,
    where: /lake\/ProviderRole/,
    reason: "the CDK's provider framework calls the one function in any version",
  },
  {
    rule: /^AwsSolutions-APIG3$/,
    where: /Api\/DeploymentStage/,
    reason:
      'every call must be signed by IAM of the listed accounts, and is throttled; a web ACL adds cost and no caller',
  },
  {
    rule: /^AwsSolutions-COG4$/,
    where: /Api\/Default/,
    reason: 'identities come from IAM, whose signature API Gateway verifies; there is no user pool',
  },
  {
    rule: /^AwsSolutions-ECS4$/,
    where: /proxy\/Cluster/,
    reason:
      'the gateway counts what matters itself; Container Insights would cost more than the rest of the metrics',
  },
  {
    rule: /^AwsSolutions-ECS2$/,
    where: /proxy\/Task/,
    reason: 'the variables are names of resources; every secret is in Parameter Store or KMS',
  },
  {
    rule: /^AwsSolutions-ELB2$/,
    where: /proxy\/Balancer/,
    reason:
      'access logs of a network load balancer exist for TLS listeners only; connections are events of the gateway, and flows are logged',
  },
];
