import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sshtrail } from '../support/command-line.ts';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: Stack;

beforeAll(async () => {
  stack = await startStack();
});

afterAll(async () => {
  await stack.close();
});

describe('sshtrail ssh-config', () => {
  test('prints what makes both ways through the gateway free of questions', async () => {
    const folder = temporaryFolder();
    const knownHosts = join(folder, 'known hosts');
    const options = [
      'ssh-config',
      '--data',
      stack.data.root,
      '--host',
      `127.0.0.1:${stack.running.gateway.address.port}`,
      '--identity',
      stack.engineerFile,
      '--known-hosts-file',
      knownHosts,
    ];
    const config = join(folder, 'config');
    writeFileSync(config, (await sshtrail(options)).stdout);
    writeFileSync(knownHosts, (await sshtrail([...options, '--known-hosts'])).stdout);

    const direct = await ssh(config, `${stack.login}@web-1@gateway`);
    const jump = await ssh(config, '-J', 'gateway', `${stack.login}@web-1`);
    const byName = await ssh(config, `${stack.login}@web-1`);

    for (const finished of [direct, jump, byName]) {
      expect(finished.stderr).not.toContain('authenticity');
      expect(finished.stdout.toString()).toBe('in\n');
    }
  });

  test('prints the same as JSON', async () => {
    const { stdout } = await sshtrail(['ssh-config', '--data', stack.data.root, '--json']);

    const printed = JSON.parse(stdout.toString());
    expect(printed.knownHosts).toHaveLength(2);
    expect(printed.knownHosts[1]).toMatch(/^@cert-authority web-1 ssh-ed25519 /);
    expect(printed.configuration[0]).toBe('Host gateway');
  });

  test.each([['a b'], ['host:99999'], ['-oProxyCommand=x'], ['host:0']])(
    'refuses --host %s',
    async (host) => {
      const { code, stderr } = await sshtrail(['ssh-config', '--data', stack.data.root, `--host=${host}`]);

      expect(code).toBe(1);
      expect(stderr).toContain('--host is a name or an address');
    },
  );
});

function ssh(config: string, ...args: readonly string[]) {
  return run('ssh', ['-F', config, '-o', 'BatchMode=yes', ...args, 'echo in']);
}
