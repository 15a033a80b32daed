import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Validations } from 'aws-cdk-lib';
import { AwsSolutionsChecks } from 'cdk-nag';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { acknowledged } from './acknowledged-findings.ts';
import { appOf } from './synthesised.ts';

type Finding = { readonly rule: string; readonly where: string };

function findingsOfDefaults(folder: string): readonly Finding[] {
  const app = appOf(undefined, folder);
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
  // It throws where there are findings; the report has them either way.
  expect(() => app.synth()).toThrow();
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

describe('cdk-nag over the stacks', () => {
  let findings: readonly Finding[] = [];

  it('reports', () => {
    findings = findingsOfDefaults(temporaryFolder());

    expect(findings.length).toBeGreaterThan(20);
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

  it('bites: a bucket without encryption in transit would be found', async () => {
    const { Bucket } = await import('aws-cdk-lib/aws-s3');
    const folder = temporaryFolder();
    const app = appOf(undefined, folder);
    const [stack] = app.node.children;
    expect(stack).toBeDefined();
    if (stack !== undefined) new Bucket(stack, 'Planted');
    Validations.of(app).addPlugins(new AwsSolutionsChecks(app));

    expect(() => app.synth()).toThrow();

    const report = readFileSync(join(folder, 'validation-report.json'), 'utf8');
    expect(report).toContain('AwsSolutions-S10');
  });
});
