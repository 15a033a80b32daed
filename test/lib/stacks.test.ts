import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stack } from 'aws-cdk-lib';
import { Match, Template } from 'aws-cdk-lib/assertions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { controlTableDefinition, controlTableTtlAttribute } from '../../adapters/aws/index.ts';
import {
  apiRoutes,
  automationDocumentName,
  deploymentVariables,
  functionNames,
} from '../../core/contract/index.ts';
import { type Deployment, defineDeployment } from '../../lib/index.ts';
import { evaluatePolicy } from '../fakes/aws/resource-policy.ts';
import existingVpc from './configs/existing-vpc.ts';
import { appOf, stacksOf } from './synthesised.ts';

type Properties = Readonly<Record<string, unknown>>;
type Resource = { readonly Properties: Properties; readonly DeletionPolicy?: string };
type Statement = {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | readonly string[];
  readonly Resource: unknown;
  readonly Condition?: unknown;
};
type Templates = Readonly<Record<string, Template>>;

const root = join(import.meta.dirname, '..', '..');
const folders: string[] = [];
let defaults: Templates = {};
let existing: Templates = {};

/** Templates by the name of their stack, without the deployment's. */
function templatesOf(deployment: Deployment): Templates {
  const folder = mkdtempSync(join(tmpdir(), 'sshtrail-test-'));
  folders.push(folder);
  const stacks: readonly Stack[] = stacksOf(appOf(deployment, { outdir: folder }));
  return Object.fromEntries(
    stacks.map((stack) => [
      stack.stackName.slice(deployment.name.length + 1),
      Template.fromStack(stack, { skipCyclicalDependenciesCheck: true }),
    ]),
  );
}

beforeAll(() => {
  defaults = templatesOf(defineDeployment({}));
  existing = templatesOf(existingVpc);
}, 240_000);

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function template(name: string, of: Templates = defaults): Template {
  const found = of[name];
  if (found === undefined) throw new Error(`there is no stack ${name}`);
  return found;
}

function resources(type: string, of: Templates = defaults): readonly (readonly [string, Resource])[] {
  return Object.values(of).flatMap((each) =>
    Object.entries(each.findResources(type) as Record<string, Resource>),
  );
}

/** The one resource of a kind whose id begins so. */
function only(type: string, id: string, of: Templates = defaults): Resource {
  const found = resources(type, of).filter(([logicalId]) => logicalId.startsWith(id));
  const [first] = found;
  if (first === undefined || found.length > 1)
    throw new Error(`${String(found.length)} of ${type} begin with ${id}`);
  return first[1];
}

function statementsOf(document: unknown): readonly Statement[] {
  return (document as { Statement: readonly Statement[] }).Statement;
}

function actionsOf({ Action }: Statement): readonly string[] {
  return typeof Action === 'string' ? [Action] : Action;
}

describe('the evidence bucket', () => {
  it('is versioned, locked for as long as was asked, encrypted by the data key, and outlives the stack', () => {
    const bucket = only('AWS::S3::Bucket', 'Evidence');

    expect(bucket).toMatchObject({ DeletionPolicy: 'Retain', UpdateReplacePolicy: 'Retain' });
    expect(bucket.Properties).toMatchObject({
      ObjectLockEnabled: true,
      ObjectLockConfiguration: {
        ObjectLockEnabled: 'Enabled',
        Rule: { DefaultRetention: { Mode: 'GOVERNANCE', Days: 365 } },
      },
      VersioningConfiguration: { Status: 'Enabled' },
      PublicAccessBlockConfiguration: {
        BlockPublicAcls: true,
        BlockPublicPolicy: true,
        IgnorePublicAcls: true,
        RestrictPublicBuckets: true,
      },
      BucketEncryption: {
        ServerSideEncryptionConfiguration: [
          { ServerSideEncryptionByDefault: { SSEAlgorithm: 'aws:kms' }, BucketKeyEnabled: true },
        ],
      },
    });
  });

  it('takes the mode and the days of the configuration', () => {
    expect(only('AWS::S3::Bucket', 'Evidence', existing).Properties).toMatchObject({
      ObjectLockConfiguration: { Rule: { DefaultRetention: { Mode: 'COMPLIANCE', Days: 30 } } },
    });
  });

  it('expires nothing: its only rule ends uploads that were broken off', () => {
    expect(only('AWS::S3::Bucket', 'Evidence').Properties['LifecycleConfiguration']).toEqual({
      Rules: [{ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 1 }, Status: 'Enabled' }],
    });
  });

  it('refuses everybody a put that could overwrite, and nothing of its parts', () => {
    const policy = only('AWS::S3::BucketPolicy', 'EvidencePolicy');
    const onlyAdd = statementsOf(policy.Properties['PolicyDocument']).find(({ Sid }) => Sid === 'OnlyAdd');

    expect(onlyAdd).toMatchObject({
      Effect: 'Deny',
      Principal: { AWS: '*' },
      Action: 's3:PutObject',
      Condition: { Null: { 's3:if-none-match': 'true' }, Bool: { 's3:ObjectCreationOperation': 'true' } },
    });
    expect(JSON.stringify(onlyAdd?.Resource)).toMatch(/\["Evidence\w+","Arn"\]\},"\/\*"\]/);
  });

  it('refuses every role of the product to delete, and to loosen the lock', () => {
    const policy = only('AWS::S3::BucketPolicy', 'EvidencePolicy');
    const never = statementsOf(policy.Properties['PolicyDocument']).find(({ Sid }) => Sid === 'NeverDelete');
    if (never === undefined) throw new Error('there is no such statement');

    expect(never.Effect).toBe('Deny');
    expect(actionsOf(never)).toEqual(
      expect.arrayContaining([
        's3:DeleteObject',
        's3:DeleteObjectVersion',
        's3:BypassGovernanceRetention',
        's3:PutObjectRetention',
      ]),
    );
    for (const workload of Object.keys(deploymentVariables))
      expect(JSON.stringify(never.Condition)).toContain(`:role/sshtrail-${workload}-`);
  });
});

describe('the certificate authorities', () => {
  it.each([
    ['EngineerAuthority', 'ECC_NIST_P256', 1, () => defaults],
    ['TargetAuthority', 'ECC_NIST_P256', 1, () => defaults],
    ['EngineerAuthority', 'ECC_NIST_EDWARDS25519', 2, () => existing],
    ['TargetAuthority', 'ECC_NIST_EDWARDS25519', 2, () => existing],
  ] as const)('%s on %s has %i keys that sign and are kept', (id, spec, count, of) => {
    const keys = resources('AWS::KMS::Key', of()).filter(([logicalId]) => logicalId.startsWith(id));

    expect(keys).toHaveLength(count);
    for (const [, key] of keys) {
      expect(key.Properties).toMatchObject({ KeySpec: spec, KeyUsage: 'SIGN_VERIFY' });
      expect(key.DeletionPolicy).toBe('Retain');
    }
  });

  /** Roles by the id of the resource, with the keys on which they may sign. */
  function signers(of: Templates): readonly (readonly [string, string])[] {
    return resources('AWS::IAM::Policy', of).flatMap(([, { Properties: policy }]) =>
      statementsOf(policy['PolicyDocument'])
        .filter((statement) => statement.Effect === 'Allow')
        .filter((statement) => actionsOf(statement).some((action) => /^(kms:(Sign|\*)|\*)$/.test(action)))
        .flatMap((statement) =>
          (policy['Roles'] as readonly { Ref: string }[]).map(
            ({ Ref }) => [Ref, JSON.stringify(statement.Resource)] as const,
          ),
        ),
    );
  }

  it.each([
    ['the defaults', '', () => defaults],
    ['a second generation', '2', () => existing],
  ] as const)('are signed with by one role each, on the newest key, with %s', (_name, generation, of) => {
    const found = signers(of());

    expect(found).toHaveLength(3);
    const key = (role: RegExp) => found.find(([id]) => role.test(id))?.[1];
    expect(key(/^IssueCertificateRole/)).toMatch(new RegExp(`EngineerAuthority${generation}[0-9A-F]{8}`));
    expect(key(/^TaskRole/)).toMatch(new RegExp(`TargetAuthority${generation}[0-9A-F]{8}`));
    expect(key(/^SealRole/)).toMatch(/EvidenceKey[0-9A-F]{8}/);
  });

  it.each([
    ['EngineerAuthority', 'issue-certificate'],
    ['TargetAuthority', 'gateway'],
    ['EvidenceKey', 'seal'],
  ])('%s itself refuses to sign for anybody but %s', (id, workload) => {
    const policy = statementsOf(only('AWS::KMS::Key', id).Properties['KeyPolicy']);
    const deny = policy.filter(({ Effect }) => Effect === 'Deny');

    expect(deny).toHaveLength(1);
    expect(deny[0]).toMatchObject({ Action: 'kms:Sign', Principal: { AWS: '*' }, Resource: '*' });
    expect(Object.keys(deny[0]?.Condition ?? {})).toEqual(['ArnNotEquals']);
    expect(JSON.stringify(deny[0]?.Condition)).toContain(`:role/sshtrail-${workload}-`);
    // The name of the role that the key lets through is the role's.
    const names = resources('AWS::IAM::Role').map(([, role]) =>
      JSON.stringify(role.Properties['RoleName'] ?? ''),
    );
    expect(names.filter((name) => name.includes(`"sshtrail-${workload}-`))).toHaveLength(1);
  });
});

describe('the API', () => {
  it('refuses the MFA route to whoever has no MFA, and to long-term keys that say nothing of it', () => {
    const statements = statementsOf(only('AWS::ApiGateway::RestApi', 'Api').Properties['Policy']);
    const deny = statements.filter(({ Effect }) => Effect === 'Deny');

    expect(deny).toHaveLength(1);
    expect(deny[0]).toMatchObject({
      Action: 'execute-api:Invoke',
      Principal: { AWS: '*' },
      Condition: { BoolIfExists: { 'aws:MultiFactorAuthPresent': 'false' } },
    });
    expect(deny[0]?.Resource).toContain(`execute-api:/*/POST${apiRoutes.certificateWithMfa}`);
    expect(deny[0]?.Resource).toContain('execute-api:/*/v1/mfa/*');
  });

  it.each(Object.entries(apiRoutes))(
    'lets a call onto the route %s without MFA only where its name does not say MFA, whatever its end',
    (name, route) => {
      const statements = statementsOf(only('AWS::ApiGateway::RestApi', 'Api').Properties['Policy']);
      const path = route.replace(/\{\w+\}/g, 'x');
      const answer = (ending: string, mfa?: string) =>
        evaluatePolicy(
          statements,
          {
            principalArn: 'arn:aws:sts::123456789012:assumed-role/Engineer/alice',
            principalAccount: '123456789012',
            action: 'execute-api:Invoke',
            resourceArn: `arn:aws:execute-api:eu-central-1:123456789012:a1b2c3d4e5/live/POST${path}${ending}`,
            context: new Map(mfa === undefined ? [] : [['aws:multifactorauthpresent', mfa]]),
          },
          { 'AWS::Partition': 'aws', 'AWS::AccountId': '123456789012' },
        );

      for (const ending of ['', '/']) {
        const without = name.endsWith('WithMfa') ? 'deny' : 'allow';
        expect([answer(ending), answer(ending, 'false')]).toEqual([without, without]);
        expect(answer(ending, 'true')).toBe('allow');
      }
    },
  );

  it('has the routes of the contract, every one of them signed by IAM', () => {
    const methods = resources('AWS::ApiGateway::Method').map(([, { Properties: method }]) => method);

    // Of locks and of requests there are two each: they are listed and made under one path.
    expect(methods).toHaveLength(Object.keys(apiRoutes).length + 2);
    for (const method of methods) expect(method['AuthorizationType']).toBe('AWS_IAM');
  });
});

function attributesOf(templates: Templates): unknown {
  const groups = template('proxy', templates).findResources('AWS::ElasticLoadBalancingV2::TargetGroup');
  return Object.values(groups)[0]?.['Properties'].TargetGroupAttributes;
}

function rangesOf(templates: Templates): unknown {
  const tasks = template('proxy', templates).findResources('AWS::ECS::TaskDefinition');
  const text = JSON.stringify(tasks);
  return /\{"Name":"SSHTRAIL_PROXY_PROTOCOL_RANGES","Value":"([^"]*)"\}/.exec(text)?.[1];
}

describe('the gateway', () => {
  it('sees the engineer behind the load balancer, and its sessions end when the balancer lets go', () => {
    const { TargetGroupAttributes } = only('AWS::ElasticLoadBalancingV2::TargetGroup', 'Tasks').Properties;

    expect(TargetGroupAttributes).toEqual(
      expect.arrayContaining([
        { Key: 'preserve_client_ip.enabled', Value: 'true' },
        { Key: 'deregistration_delay.connection_termination.enabled', Value: 'true' },
        { Key: 'target_health_state.unhealthy.connection_termination.enabled', Value: 'false' },
      ]),
    );
  });

  it('believes the load balancer about the engineer where the deployment says so, from its subnets alone', () => {
    const told = templatesOf(defineDeployment({ gateway: { proxyProtocol: true } }));
    const inVpc = templatesOf({ ...existingVpc, gateway: { ...existingVpc.gateway, proxyProtocol: true } });

    const groups = [told, inVpc].map((templates) => attributesOf(templates));
    expect(groups).toEqual([
      expect.arrayContaining([
        { Key: 'preserve_client_ip.enabled', Value: 'false' },
        { Key: 'proxy_protocol_v2.enabled', Value: 'true' },
      ]),
      expect.arrayContaining([
        { Key: 'preserve_client_ip.enabled', Value: 'false' },
        { Key: 'proxy_protocol_v2.enabled', Value: 'true' },
      ]),
    ]);
    expect([told, inVpc, defaults].map((templates) => rangesOf(templates))).toEqual([
      '10.61.0.0/24,10.61.1.0/24',
      existingVpc.network.kind === 'existing' ? existingVpc.network.cidr : '',
      '',
    ]);
  }, 240_000);

  it('runs as nobody in particular, writes to no disk, and holds no capability', () => {
    const task = only('AWS::ECS::TaskDefinition', 'Task').Properties;
    const [container] = task['ContainerDefinitions'] as readonly Properties[];

    expect(task).toMatchObject({
      RuntimePlatform: { CpuArchitecture: 'ARM64', OperatingSystemFamily: 'LINUX' },
      RequiresCompatibilities: ['FARGATE'],
    });
    expect(container).toMatchObject({
      User: '10001:10001',
      ReadonlyRootFilesystem: true,
      LinuxParameters: { Capabilities: { Drop: ['ALL'] } },
      StopTimeout: 120,
    });
    expect(container).not.toHaveProperty('Privileged');
    expect(container).not.toHaveProperty('Secrets');
  });

  it('is told exactly what the contract names', () => {
    const [container] = only('AWS::ECS::TaskDefinition', 'Task').Properties[
      'ContainerDefinitions'
    ] as readonly { Environment: readonly { Name: string }[] }[];

    expect(container?.Environment.map(({ Name }) => Name).sort()).toEqual(
      [...deploymentVariables.gateway].sort(),
    );
  });

  it('is reached by nobody where no client range is given', () => {
    const ingress = resources('AWS::EC2::SecurityGroup').flatMap(
      ([, { Properties: group }]) => group['SecurityGroupIngress'] ?? [],
    );

    expect(ingress).toEqual([]);
  });

  it('is reached on its port by the ranges that are given', () => {
    const { SecurityGroupIngress } = only('AWS::EC2::SecurityGroup', 'BalancerGroup', existing).Properties;

    expect(SecurityGroupIngress).toEqual([
      expect.objectContaining({ CidrIp: '198.51.100.0/24', FromPort: 22, ToPort: 22, IpProtocol: 'tcp' }),
      expect.objectContaining({ CidrIpv6: '2001:db8::/32', FromPort: 22, ToPort: 22, IpProtocol: 'tcp' }),
    ]);
  });
});

describe('the functions', () => {
  it.each(functionNames)('%s runs on Node 24 on ARM and is told exactly what the contract names', (name) => {
    const found = resources('AWS::Lambda::Function').filter(
      ([, { Properties: made }]) => made['FunctionName'] === `sshtrail-${name}`,
    );
    const [first] = found;

    expect(found).toHaveLength(1);
    expect(first?.[1].Properties).toMatchObject({ Runtime: 'nodejs24.x', Architectures: ['arm64'] });
    const { Variables = {} } = (first?.[1].Properties['Environment'] ?? {}) as { Variables?: Properties };
    expect(Object.keys(Variables).sort()).toEqual([...deploymentVariables[name]].sort());
  });

  it('are followed by none that we do not know, but the framework of the custom resource', () => {
    const others = resources('AWS::Lambda::Function').filter(
      ([, { Properties: made }]) => typeof made['FunctionName'] !== 'string',
    );

    expect(others.map(([id]) => id.replace(/[0-9A-F]{8}$/, ''))).toEqual(['ProviderframeworkonEvent']);
  });
});

describe('the control table', () => {
  it('is the one that the adapter works with', () => {
    const { AttributeDefinitions, KeySchema, LocalSecondaryIndexes, BillingMode } = controlTableDefinition;

    const control = template('control');
    const look = () =>
      control.hasResource('AWS::DynamoDB::Table', {
        DeletionPolicy: 'Retain',
        Properties: Match.objectLike({
          AttributeDefinitions,
          KeySchema,
          LocalSecondaryIndexes,
          BillingMode,
          TimeToLiveSpecification: { AttributeName: controlTableTtlAttribute, Enabled: true },
          DeletionProtectionEnabled: true,
        }),
      });

    expect(look).not.toThrow();
  });
});

describe('whatever rings', () => {
  const headings = new Set(
    readFileSync(join(root, 'docs', 'guide-platform.md'), 'utf8')
      .split('\n')
      .flatMap((line) => /^#+ (.+)$/.exec(line)?.[1] ?? [])
      .map((heading) =>
        heading
          .toLowerCase()
          .replaceAll(/[^\w\s-]/g, '')
          .replaceAll(' ', '-'),
      ),
  );
  const runbooks = readdirSync(join(root, 'runbooks')).filter((file) => file.endsWith('.yaml'));

  /** Whether somebody who reads it finds something to read. */
  function leadsSomewhere(description: unknown): boolean {
    const [, slug, runbook] =
      /^What to do: (?:docs\/guide-platform\.md#([\w-]+)|runbook ([A-Z]+-\d{3}))$/.exec(
        String(description),
      ) ?? [];
    if (slug !== undefined) return headings.has(slug);
    return runbook !== undefined && runbooks.some((file) => file.startsWith(`${runbook}-`));
  }

  it('says where it is written what to do', () => {
    const alarms = resources('AWS::CloudWatch::Alarm');
    const keyDeletion = only('AWS::Events::Rule', 'KeyDeletion');

    expect(alarms.length).toBeGreaterThan(10);
    for (const [id, { Properties: alarm }] of alarms)
      expect(leadsSomewhere(alarm['AlarmDescription']), id).toBe(true);
    expect(leadsSomewhere(keyDeletion.Properties['Description'])).toBe(true);
    expect(leadsSomewhere('What to do: docs/guide-platform.md#no-such-heading')).toBe(false);
    expect(leadsSomewhere('What to do: runbook SSH-999')).toBe(false);
  });

  it('reaches the topic', () => {
    for (const [id, { Properties: alarm }] of resources('AWS::CloudWatch::Alarm'))
      expect(JSON.stringify(alarm['AlarmActions']), id).toContain('Notices');
    expect(JSON.stringify(only('AWS::Events::Rule', 'KeyDeletion').Properties['Targets'])).toContain(
      'Notices',
    );
  });

  it('watches every key there is, those of older generations, too', () => {
    const keys = resources('AWS::KMS::Key', existing).map(([id]) => id);
    const pattern = JSON.stringify(
      only('AWS::Events::Rule', 'KeyDeletion', existing).Properties['EventPattern'],
    );

    expect(keys).toHaveLength(6);
    for (const key of keys) expect(pattern).toContain(key);
  });
});

describe('the Automation documents', () => {
  it('are one a runbook, take a key of one finding and say only what they would do unless told', () => {
    const documents = resources('AWS::SSM::Document').map(([, { Properties: made }]) => made);
    const ids = readdirSync(join(root, 'runbooks')).flatMap((file) => /^[A-Z]+-\d{3}/.exec(file)?.[0] ?? []);

    expect(new Set(documents.map((made) => made['Name']))).toEqual(
      new Set(ids.map((id) => automationDocumentName('sshtrail', id))),
    );
    for (const made of documents) {
      const { FindingKey, DryRun } = (
        made['Content'] as { parameters: Record<string, { allowedPattern?: string; default?: string }> }
      ).parameters;
      const pattern = new RegExp(FindingKey?.allowedPattern ?? '(?!)');
      expect(FindingKey?.allowedPattern).toBe('^[A-Za-z0-9][A-Za-z0-9._:@/+=,-]{0,199}$');
      expect(pattern.test('SSH-002:0198c0de-0000-7000-8000-000000000000')).toBe(true);
      for (const hostile of ['', '-rf', 'a b', 'a"b', '{{ global:REGION }}', 'a\nb', 'a'.repeat(201)])
        expect(pattern.test(hostile), hostile).toBe(false);
      expect(DryRun?.default).toBe('true');
    }
  });

  it('take on a role that may call act, and nothing else', () => {
    const policy = only('AWS::IAM::Policy', 'AutomationRole');
    const statements = statementsOf(policy.Properties['PolicyDocument']);

    expect(statements).toHaveLength(1);
    expect(statements[0]).toMatchObject({ Effect: 'Allow', Action: 'lambda:InvokeFunction' });
    expect(JSON.stringify(statements[0]?.Resource)).toMatch(/^\{"Fn::GetAtt":\["ActFunction\w+","Arn"\]\}$/);
  });
});
