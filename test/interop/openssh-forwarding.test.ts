import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: Stack;
const page = 'x'.repeat(2_000_000);
const web = createServer((_request, response) => response.end(page));
let webPort: number;

beforeAll(async () => {
  stack = await startStack();
  await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve));
  webPort = (web.address() as AddressInfo).port;
});

afterAll(async () => {
  web.close();
  await stack.close();
});

describe('forwarding through the gateway', () => {
  test('-L reaches a server behind the target', async () => {
    const port = await stack.freePort();

    const got = await stack.whileForwarding(['-L', `127.0.0.1:${port}:127.0.0.1:${webPort}`], port, () =>
      fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text()),
    );

    expect(got).toBe(page);
    const opened = await stack.eventually(
      "SELECT forward_type, forward_port FROM events WHERE event_name = 'OpenPortForward' AND forward_type = 'local'",
    );
    expect(opened[0]?.['forward_port']).toBe(BigInt(webPort));
  });

  test('-R lets the target reach a server beside the client', async () => {
    const port = await stack.freePort();

    const got = await stack.whileForwarding(['-R', `127.0.0.1:${port}:127.0.0.1:${webPort}`], port, () =>
      fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text()),
    );

    expect(got).toBe(page);
  });

  test('-D is a SOCKS proxy', async () => {
    const port = await stack.freePort();

    const got = await stack.whileForwarding(['-D', `127.0.0.1:${port}`], port, () =>
      run('curl', ['-s', '--socks5-hostname', `127.0.0.1:${port}`, `http://127.0.0.1:${webPort}/`]),
    );

    expect(got.stdout.toString()).toBe(page);
  });

  test('-A lends the target the keys of the agent', async () => {
    const agent = await stack.startAgent();
    try {
      const finished = await stack.ssh(['-A', 'ssh-add -l'], { env: { SSH_AUTH_SOCK: agent.socket } });

      expect(finished.stdout.toString()).toContain('SHA256:');
      expect(finished.code).toBe(0);
      const opened = await stack.eventually(
        "SELECT target_name, user_name FROM events WHERE event_name = 'OpenAgentChannel'",
      );
      expect(opened).toEqual([{ target_name: stack.target.name, user_name: 'engineer' }]);
    } finally {
      await agent.stop();
    }
  });

  test('ControlMaster carries five channels at once', async () => {
    const socket = join(temporaryFolder(), 'control');
    const shared = ['-o', `ControlPath=${socket}`];
    const master = await stack.ssh(['-o', 'ControlMaster=yes', ...shared, '-fN']);
    try {
      const started = performance.now();

      const answers = await Promise.all(
        [1, 2, 3, 4, 5].map((n) =>
          stack.ssh([...shared, `head -c 5000000 /dev/zero | wc -c; echo ${n}; sleep 1`]),
        ),
      );

      expect(master.code).toBe(0);
      expect(answers.map(({ stdout }) => stdout.toString())).toEqual(
        [1, 2, 3, 4, 5].map((n) => `5000000\n${n}\n`),
      );
      expect(performance.now() - started).toBeGreaterThan(900);
    } finally {
      await stack.ssh([...shared, '-O', 'exit']);
    }
  });
});
