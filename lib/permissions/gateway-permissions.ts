import { type Permission, parameterArn, type Resources } from './permission.ts';
import { signs } from './signing-permissions.ts';

export function gateway(on: Resources): readonly Permission[] {
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

/** IAM puts the value of the request in its place. */
function policyVariable(name: string): string {
  return `\${${name}}`;
}

export function configuration(on: Resources): Permission {
  return {
    sid: 'ReadConfiguration',
    reason: 'identities, targets, policies and the settings of runbooks',
    actions: ['ssm:GetParametersByPath'],
    resources: [parameterArn(on, 'config'), parameterArn(on, 'config/*')],
  };
}

export function notices(on: Resources): Permission {
  return {
    sid: 'Notify',
    reason: 'tells people of findings and of requests for access',
    actions: ['sns:Publish'],
    resources: [on.noticeTopic],
  };
}
