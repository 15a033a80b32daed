import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { type Deployment, defineDeployment } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import existingVpc from './configs/existing-vpc.ts';
import lakeCreate from './configs/lake-create.ts';
import { appOf, stacksOf } from './synthesised.ts';

const root = join(import.meta.dirname, '..', '..');
const program = process.env['CFN_LINT'] ?? join(root, '.cache', 'python', 'bin', 'cfn-lint');

const deployments: Readonly<Record<string, Deployment>> = {
  'the-defaults': defineDeployment({}),
  'an-existing-vpc': existingVpc,
  'cloudtrail-lake-by-cloudformation': lakeCreate,
};

/** One file for each template, though several deployments have it: named for the first. */
function differentTemplates(folder: string): readonly string[] {
  const files = Object.entries(deployments).flatMap(([name, deployment]) => {
    const outdir = join(folder, name);
    const app = appOf(deployment, { outdir });
    app.synth();
    return stacksOf(app).map((stack) => join(outdir, stack.templateFile));
  });
  const byText = new Map(files.toReversed().map((file) => [readFileSync(file, 'utf8'), file]));
  return [...byText.values()].toReversed();
}

/** The test command installs it, or says that it could not and fails where it is required. */
it('cfn-lint has no error in the templates of any deployment', { timeout: 240_000 }, () => {
  if (!existsSync(program)) {
    expect(process.env['REQUIRE_MOTO']).not.toBe('1');
    return;
  }
  const folder = temporaryFolder();
  const templates = differentTemplates(folder);
  // Six stacks each: two deployments with a name of their own, and one stack of the third that is another.
  expect(templates.length).toBeGreaterThan(12);

  const { status, stdout } = spawnSync(
    program,
    ['--regions', 'eu-central-1', '--config-file', join(root, '.cfnlintrc'), '--', ...templates],
    { encoding: 'utf8', cwd: folder },
  );

  expect(stdout.replaceAll(folder, '')).toBe('');
  expect(status).toBe(0);
});

it('cfn-lint bites: a property that is none would be found', { timeout: 60_000 }, () => {
  if (!existsSync(program)) return;
  const file = join(temporaryFolder(), 'planted.template.json');
  writeFileSync(
    file,
    JSON.stringify({ Resources: { Planted: { Type: 'AWS::S3::Bucket', Properties: { No: 1 } } } }),
  );

  const { status, stdout } = spawnSync(program, ['--regions', 'eu-central-1', '--', file], {
    encoding: 'utf8',
  });

  expect(stdout).toContain('E3002');
  expect(status).not.toBe(0);
});
