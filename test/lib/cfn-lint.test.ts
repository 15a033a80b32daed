import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { defineDeployment } from '../../lib/index.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import existingVpc from './configs/existing-vpc.ts';
import lakeCreate from './configs/lake-create.ts';
import { appOf, stacksOf } from './synthesised.ts';

const root = join(import.meta.dirname, '..', '..');
const program = process.env['CFN_LINT'] ?? join(root, '.cache', 'python', 'bin', 'cfn-lint');

/** The test command installs it, or says that it could not and fails where it is required. */
it.each([
  ['the defaults', defineDeployment({})],
  ['an existing VPC', existingVpc],
  ['CloudTrail Lake by CloudFormation', lakeCreate],
])('cfn-lint has no error in the templates of %s', { timeout: 240_000 }, (_name, deployment) => {
  if (!existsSync(program)) {
    expect(process.env['REQUIRE_MOTO']).not.toBe('1');
    return;
  }
  const folder = temporaryFolder();
  const app = appOf(deployment, folder);
  app.synth();
  const templates = stacksOf(app).map((stack) => join(folder, stack.templateFile));

  const { status, stdout } = spawnSync(
    program,
    ['--regions', 'eu-central-1', '--config-file', join(root, '.cfnlintrc'), ...templates],
    { encoding: 'utf8', cwd: folder },
  );

  expect(stdout.replaceAll(folder, '')).toBe('');
  expect(status).toBe(0);
});
