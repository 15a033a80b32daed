import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Template } from 'aws-cdk-lib/assertions';
import { describe, expect, it } from 'vitest';
import { deploymentVariables, functionNames } from '../../core/contract/index.ts';
import { defineDeployment } from '../../lib/index.ts';
import existingVpc from './configs/existing-vpc.ts';
import lakeCreate from './configs/lake-create.ts';
import lakeExisting from './configs/lake-existing.ts';
import lakeOff from './configs/lake-off.ts';
import { appOf, templatesOf } from './synthesised.ts';

const root = join(import.meta.dirname, '..', '..');

type Properties = Readonly<Record<string, unknown>>;
type Statement = {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action?: string | readonly string[];
  readonly Resource?: unknown;
};

function resourcesOf(templates: ReadonlyMap<string, Template>, type: string): readonly Properties[] {
  return [...templates.values()].flatMap((template) =>
    Object.values(template.findResources(type)).map(({ Properties }): Properties => Properties ?? {}),
  );
}

function statementsOf(policy: unknown): readonly Statement[] {
  const { Statement: statements } = (policy ?? { Statement: [] }) as { Statement: readonly Statement[] };
  return statements;
}

const variants = [
  ['the defaults', defineDeployment({})],
  ['an existing VPC', existingVpc],
  ['CloudTrail Lake by CloudFormation', lakeCreate],
  ['CloudTrail Lake that is there', lakeExisting],
  ['no CloudTrail Lake', lakeOff],
] as const;

describe.each(variants)('the templates of %s', (_name, deployment) => {
  const templates = templatesOf(appOf(deployment));
  const text = JSON.stringify([...templates.values()].map((template): unknown => template.toJSON()));

  it('have no account that is not in the configuration, and no secret', () => {
    const configured = JSON.stringify(deployment);
    const accounts = (text.match(/(?<![\w-])\d{12}(?![\w-])/g) ?? []).filter(
      (account) => !configured.includes(account),
    );

    expect(accounts).toEqual([]);
    expect(text).not.toMatch(/AKIA|ASIA[A-Z0-9]{12}|PRIVATE KEY|"(?:Password|SecretString)"/);
  });

  it('ask nothing of the account before they are deployed', () => {
    for (const template of templates.values())
      for (const { Default } of Object.values(
        template.findParameters('*') as Record<string, { Default?: string }>,
      ))
        expect(Default).toMatch(/^\/cdk-bootstrap\//);
  });

  it('have no managed policy of AWS, but the one that tasks start by', () => {
    const managed = resourcesOf(templates, 'AWS::IAM::Role').flatMap(
      ({ ManagedPolicyArns }) => (ManagedPolicyArns ?? []) as readonly unknown[],
    );

    expect(managed).toEqual([]);
  });

  it('allow no action of a whole service, and everything to nobody', () => {
    const statements = resourcesOf(templates, 'AWS::IAM::Policy').flatMap(({ PolicyDocument }) =>
      statementsOf(PolicyDocument),
    );

    expect(statements.length).toBeGreaterThan(30);
    for (const { Action } of statements)
      for (const action of [Action ?? []].flat()) expect(action).toMatch(/^[a-z0-9-]+:\w+$/);
  });

  it('allow on every resource only what knows none, or is a role for a whole account', () => {
    const wide = resourcesOf(templates, 'AWS::IAM::Policy')
      .flatMap(({ PolicyDocument }) => statementsOf(PolicyDocument))
      .filter(({ Resource }) => Resource === '*')
      .flatMap(({ Sid, Action }) => (Sid === 'WriteApiLogs' ? [] : [Action ?? []].flat()));

    expect(new Set(wide)).toEqual(
      new Set([
        'ec2:DescribeInstances',
        'ec2:DescribeSecurityGroupRules',
        'ec2:DescribeSecurityGroups',
        'ecr:GetAuthorizationToken',
        ...(deployment.cloudTrailLake === 'auto'
          ? ['cloudtrail:ListChannels', 'cloudtrail:ListEventDataStores']
          : []),
      ]),
    );
  });

  it('let nobody outside of the account assume a role', () => {
    for (const { AssumeRolePolicyDocument } of resourcesOf(templates, 'AWS::IAM::Role'))
      for (const statement of statementsOf(AssumeRolePolicyDocument))
        expect(Object.keys((statement as unknown as { Principal: object }).Principal)).toEqual(['Service']);
  });

  it('keep evidence, keys and state when the stacks go', () => {
    for (const type of [
      'AWS::S3::Bucket',
      'AWS::KMS::Key',
      'AWS::DynamoDB::Table',
      'AWS::CloudTrail::EventDataStore',
    ])
      for (const template of templates.values())
        for (const [id, { DeletionPolicy, UpdateReplacePolicy }] of Object.entries(
          template.findResources(type) as Record<string, Record<string, string>>,
        ))
          expect([id, DeletionPolicy, UpdateReplacePolicy]).toEqual([id, 'Retain', 'Retain']);
  });

  it('keep no log for ever', () => {
    for (const { RetentionInDays } of resourcesOf(templates, 'AWS::Logs::LogGroup'))
      expect(RetentionInDays).toBe(deployment.logRetentionDays);
  });

  it('close every bucket to the public and to what is not encrypted on its way', () => {
    for (const { PublicAccessBlockConfiguration, BucketEncryption } of resourcesOf(
      templates,
      'AWS::S3::Bucket',
    )) {
      expect(Object.values(PublicAccessBlockConfiguration ?? {})).toEqual([true, true, true, true]);
      expect(BucketEncryption).toBeDefined();
    }
    const policies = resourcesOf(templates, 'AWS::S3::BucketPolicy');
    expect(policies).toHaveLength(resourcesOf(templates, 'AWS::S3::Bucket').length);
    for (const { PolicyDocument } of policies)
      expect(JSON.stringify(PolicyDocument)).toContain('"aws:SecureTransport":"false"');
  });

  it('give every function exactly the variables it reads', () => {
    const functions = resourcesOf(templates, 'AWS::Lambda::Function').filter(
      ({ FunctionName }) => FunctionName !== undefined,
    );
    const names = functionNames.filter(
      (name) => name !== 'provision-lake' || deployment.cloudTrailLake === 'auto',
    );

    expect(new Set(functions.map(({ FunctionName }) => FunctionName))).toEqual(
      new Set(names.map((name) => `${deployment.name}-${name}`)),
    );
    for (const { FunctionName, Environment } of functions) {
      const name = names.find((each) => FunctionName === `${deployment.name}-${each}`);
      const { Variables = {} } = (Environment ?? {}) as { Variables?: object };
      expect(Object.keys(Variables).sort(), String(name)).toEqual(
        name === undefined ? [] : [...deploymentVariables[name]].sort(),
      );
    }
  });

  it('run every function on arm64 and Node 24, with a log and a role of its own', () => {
    const functions = resourcesOf(templates, 'AWS::Lambda::Function').filter(
      ({ FunctionName }) => FunctionName !== undefined,
    );

    for (const { Architectures, Runtime, Handler, LoggingConfig } of functions) {
      expect([Architectures, Runtime, Handler]).toEqual([['arm64'], 'nodejs24.x', 'index.handler']);
      expect(LoggingConfig).toBeDefined();
    }
    expect(new Set(functions.map(({ Role }) => JSON.stringify(Role))).size).toBe(functions.length);
  });
});

/** As a web page makes anchors of headings. */
function anchorsOf(page: string): ReadonlySet<string> {
  return new Set(
    page
      .split('\n')
      .filter((line) => /^#+ /.test(line))
      .map((line) =>
        line
          .replace(/^#+ /, '')
          .toLowerCase()
          .replace(/[^\w\- ]/g, '')
          .trim()
          .replaceAll(' ', '-'),
      ),
  );
}

/** What a description sends people to and is not there. */
function missingHelp(description: string): string | undefined {
  const help = /^What to do: (.+)$/.exec(description)?.[1] ?? '';
  const [page = '', anchor] = help.split('#');
  if (anchor !== undefined && /^docs\/[\w-]+\.md$/.test(page))
    return anchorsOf(readFileSync(join(root, page), 'utf8')).has(anchor) ? undefined : help;
  const id = /^runbook ([A-Z][A-Z0-9]+-\d{3})$/.exec(help)?.[1];
  return id !== undefined && runbookIds.has(id) ? undefined : description;
}

const runbookIds = new Set(
  resourcesOf(templatesOf(appOf()), 'AWS::SSM::Document').map(
    ({ Name }) => /[A-Z][A-Z0-9]+-\d{3}$/.exec(String(Name))?.[0] ?? '',
  ),
);

describe('the alarms', () => {
  const templates = templatesOf(appOf());
  const alarms = resourcesOf(templates, 'AWS::CloudWatch::Alarm');

  it('say where it is written what to do, and it is written there', () => {
    const descriptions = [
      ...alarms.map(({ AlarmDescription }) => String(AlarmDescription)),
      ...resourcesOf(templates, 'AWS::Events::Rule')
        .map(({ Description }) => String(Description))
        .filter((description) => description.startsWith('What to do')),
    ];

    expect(descriptions.length).toBeGreaterThan(10);
    expect(descriptions.map(missingHelp).filter((missing) => missing !== undefined)).toEqual([]);
  });

  it('would be found out if they sent people to what is not there', () => {
    expect(missingHelp('What to do: docs/guide-platform.md#a-heading-that-is-not-there')).toBeDefined();
    expect(missingHelp('What to do: runbook SSH-999')).toBeDefined();
    expect(missingHelp('Something is wrong')).toBeDefined();
  });

  it('reach people', () => {
    for (const { AlarmActions } of alarms) expect(AlarmActions).toHaveLength(1);
  });

  it('are there for every function that others call, and for what no function counts', () => {
    const names = alarms.map(({ AlarmName }) => String(AlarmName));

    for (const what of [
      ...['IssueCertificate', 'ControlApi', 'RunRunbook', 'Act', 'Seal', 'CheckExposure'].map(
        (id) => `Errors${id}`,
      ),
      'GatewayTasksMissing',
      'EventsNotSealed',
      'LakeRefusesEvents',
      'DeadLetters',
    ])
      expect(names).toContain(`sshtrail-${what}`);
  });

  it('listen to metrics that somebody writes', () => {
    const written = [
      readFileSync(join(root, 'proxy-task', 'task', 'audit-meter.ts'), 'utf8'),
      readFileSync(join(root, 'lambdas', 'shared', 'metrics.ts'), 'utf8'),
    ].join('\n');
    const own = alarms.filter(({ Namespace }) => Namespace === 'sshtrail');

    expect(own.length).toBeGreaterThan(3);
    for (const { MetricName } of own) expect(written).toMatch(new RegExp(`\\b${String(MetricName)}\\b`));
  });

  it('ring also where a gateway says nothing at all', () => {
    const gateway = alarms.find(({ AlarmName }) => AlarmName === 'sshtrail-GatewayTasksMissing');

    expect(gateway).toMatchObject({
      TreatMissingData: 'breaching',
      ComparisonOperator: 'LessThanThreshold',
      Threshold: 2,
    });
  });
});
