import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { compiledCode } from '../support/compiled-code.ts';

const root = join(import.meta.dirname, '..', '..');

describe.each(['run-runbook', 'act', 'issue-certificate', 'control-api', 'seal', 'check-exposure'])(
  '%s',
  (name) => {
    it('can be loaded without an environment, and says at the first call what is missing', async () => {
      const script = `
      const { handler } = await import('./lambdas/${name}/handler.ts');
      await handler({}, { awsRequestId: 'r-1', getRemainingTimeInMillis: () => 1 }).catch((error) => console.log(error.code, error.message));`;

      const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', script], {
        cwd: root,
        env: { ...compiledCode, PATH: process.env['PATH'] ?? '', AWS_REGION: 'eu-central-1' },
      });

      expect(stdout).toMatch(/^missing-variable .*SSHTRAIL_NAME/);
    });
  },
);
