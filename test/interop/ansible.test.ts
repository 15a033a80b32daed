import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pythonTool } from '../support/python-tool.ts';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const targets = ['web-1', 'web-2', 'web-3'];
let stack: Stack;
let config: string;

beforeAll(async () => {
  stack = await startStack({
    extraTargets: ({ target }) => targets.slice(1).map((name) => ({ ...target, name })),
  });
  config = stack.writeJumpConfiguration(stack.running.gateway.address.port);
});

afterAll(async () => {
  await stack.close();
});

describe('Ansible with ControlPersist against three targets', () => {
  test.each([
    [
      'by LOGIN@TARGET@gateway',
      (target: string) => ({ host: 'gateway', user: `${stack.login}@${target}`, extra: '' }),
    ],
    ['by ProxyJump', (target: string) => ({ host: target, user: stack.login, extra: '-J gateway' })],
  ])('pings them %s, and the events name each', async (_how, way) => {
    const folder = temporaryFolder();
    const inventory = join(folder, 'inventory.ini');
    const lines = targets.map((target) => {
      const { host, user } = way(target);
      return `${target} ansible_host=${host} ansible_user=${user}`;
    });
    const common = `-F ${config} ${way('').extra} -o ControlMaster=auto -o ControlPersist=10s`;
    writeFileSync(
      inventory,
      `${lines.join('\n')}\n[all:vars]\nansible_ssh_common_args=${common}\nansible_python_interpreter=/usr/bin/python3\n`,
    );
    const before = (await stack.query("SELECT 1 FROM events WHERE event_name = 'StartSession'")).length;

    const finished = await run(pythonTool('ansible'), ['all', '-i', inventory, '-m', 'ping', '-f', '3'], {
      env: {
        ANSIBLE_HOME: folder,
        ANSIBLE_SSH_CONTROL_PATH_DIR: join(folder, 'cp'),
        ANSIBLE_HOST_KEY_CHECKING: 'True',
        ANSIBLE_NOCOLOR: '1',
      },
      timeoutMs: 60_000,
    });

    expect(finished.code, finished.stdout.toString() + finished.stderr).toBe(0);
    expect(finished.stdout.toString().match(/"ping": "pong"/g)).toHaveLength(3);
    const sessions = await stack.query(
      "SELECT target_name, count(*) AS n FROM events WHERE event_name = 'StartSession' GROUP BY 1 ORDER BY 1",
    );
    expect(sessions.map((row) => row['target_name'])).toEqual(targets);
    // ControlPersist: one connection serves all that Ansible does on a target.
    const after = (await stack.query("SELECT 1 FROM events WHERE event_name = 'StartSession'")).length;
    expect(after - before).toBe(3);
    const commands = await stack.query(
      "SELECT DISTINCT target_name FROM events WHERE event_name = 'ExecuteCommand'",
    );
    expect(commands).toHaveLength(3);
  });
});
