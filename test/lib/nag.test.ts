import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CfnResource, Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { type Deployment, defineDeployment } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { acknowledged } from './acknowledged-findings.ts';
import existingVpc from './configs/existing-vpc.ts';
import lakeCreate from './configs/lake-create.ts';
import lakeExisting from './configs/lake-existing.ts';
import lakeOff from './configs/lake-off.ts';
import { appOf } from './synthesised.ts';

type Finding = { readonly rule: string; readonly where: string };

function findingsOf(deployment: Deployment, folder: string): readonly Finding[] {
  const app = appOf(deployment, { outdir: folder, validation: true });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  // It throws where there are findings; the report has them either way.
  expect(() => app.synth()).toThrow(/./);
  const { pluginReports } = JSON.parse(readFileSync(join(folder, 'validation-report.json'), 'utf8')) as {
    pluginReports: {
      violations: { ruleName: string; violatingConstructs: { constructPath: string }[] }[];
    }[];
  };
  return pluginReports.flatMap(({ violations }) =>
    violations.flatMap(({ ruleName, violatingConstructs }) =>
      violatingConstructs.map(({ constructPath }) => ({ rule: ruleName, where: constructPath })),
    ),
  );
}

describe('cdk-nag, and CloudFormation by its own rules, over the stacks', () => {
  const findings: Finding[] = [];

  it.each([
    ['the defaults', defineDeployment({})],
    ['an existing VPC', existingVpc],
    ['CloudTrail Lake by CloudFormation', lakeCreate],
    ['CloudTrail Lake that is there, behind a NAT gateway', lakeExisting],
    ['no CloudTrail Lake, behind endpoints', lakeOff],
  ])('reports on %s', (_name, deployment) => {
    const found = findingsOf(deployment, temporaryFolder());
    findings.push(...found);

    expect(found.length).toBeGreaterThan(20);
  });

  it('finds nothing that is not explained', () => {
    const unexplained = findings.filter(
      ({ rule, where }) => !acknowledged.some((each) => each.rule.test(rule) && each.where.test(where)),
    );

    expect(unexplained).toEqual([]);
  });

  it('has no explanation left over', () => {
    const idle = acknowledged.filter(
      (each) => !findings.some(({ rule, where }) => each.rule.test(rule) && each.where.test(where)),
    );

    expect(idle.map(({ reason }) => reason)).toEqual([]);
  });

  it('bites: a bucket without encryption in transit, and a property that is none, would be found', async () => {
    const { Bucket } = await import('aws-cdk-lib/aws-s3');
    const folder = temporaryFolder();
    const app = appOf(undefined, { outdir: folder, validation: true });
    const [stack] = app.node.children;
    if (stack === undefined) throw new Error('there is no stack');
    const planted = new Bucket(stack, 'Planted');
    expect(planted.bucketArn).toBeTruthy();
    const misspelt = { type: 'AWS::S3::Bucket', properties: { BucketNaem: 'planted' } };
    expect(new CfnResource(stack, 'Misspelt', misspelt).logicalId).toBeTruthy();
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

    expect(() => app.synth()).toThrow(/./);

    const report = readFileSync(join(folder, 'validation-report.json'), 'utf8');
    expect(report).toContain('AwsSolutions-S10');
    expect(report).toContain('F3002');
  });
});
