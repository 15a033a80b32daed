import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTotpSecret, totpCode } from '#core/totp';
import {
  connectClient,
  connectSocket,
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  linkFromSocket,
} from '../../ssh/index.ts';
import { hashOfFile, pseudoRandomFile } from '../support/pseudo-random-file.ts';
import { type Finished, type RunOptions, run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: Stack;
let config: string;
const stranger = generatePrivateKey('ed25519');
const enrolled = generatePrivateKey('ed25519');
const secret = newTotpSecret((size) => Buffer.alloc(size, 7));

beforeAll(async () => {
  stack = await startStack({
    identities: `  - name: stranger
    groups: [engineers]
    keys: [${JSON.stringify(formatPublicKeyLine(stranger.publicKey))}]
  - name: enrolled
    groups: [engineers]
    keys: [${JSON.stringify(formatPublicKeyLine(enrolled.publicKey))}]
    totp: { secret: ${secret} }`,
    extraTargets: ({ target }) => [{ ...target, name: 'web-2' }],
  });
  config = stack.writeJumpConfiguration(stack.running.gateway.address.port);
});

afterAll(async () => {
  await stack.close();
});

const ssh = (args: readonly string[], options: RunOptions = {}): Promise<Finished> =>
  run('ssh', ['-F', config, ...args], options);

/** Some columns of the events that a condition picks, oldest first, once there are any. */
async function events(condition: string): Promise<readonly Readonly<Record<string, string | undefined>>[]> {
  const rows = await stack.eventually(
    `SELECT event_name, session_id, target_name, target_user, user_name, mfa, mfa_method, deny_reason, error_message,
     json_extract_string(additional, '$.jumpId') AS jump FROM events WHERE ${condition} ORDER BY chain_seq`,
  );
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, cell]) => [
        name,
        typeof cell === 'string' || typeof cell === 'boolean' ? `${cell}` : undefined,
      ]),
    ),
  );
}

describe('a stock client that jumps through the gateway', () => {
  test('runs a command, is asked nothing, and both connections are on record', async () => {
    const finished = await ssh(['-J', 'gateway', 'web-1', 'echo through; exit 7']);

    expect(finished.stdout.toString()).toBe('through\n');
    expect(finished.code).toBe(7);
    const [command] = await events("command = 'echo through; exit 7'");
    expect(command).toMatchObject({ target_name: 'web-1', target_user: stack.login, user_name: 'engineer' });
    const [opened] = await events(`session_id = '${command?.['jump']}' AND event_name = 'OpenJump'`);
    expect(opened).toMatchObject({ user_name: 'engineer', target_name: undefined });
    await events(`session_id = '${command?.['session_id']}' AND event_name = 'EndSession'`);
    const session = await events(`session_id = '${command?.['session_id']}'`);
    expect(session[0]).toMatchObject({ jump: command?.['jump'] });
    expect(session.map((event) => event['event_name'])).toEqual(
      expect.arrayContaining(['AuthenticateUser', 'StartSession', 'ExecuteCommand', 'EndSession']),
    );
    await events(`session_id = '${command?.['jump']}' AND event_name = 'CloseJump'`);
  });

  test('gets a shell on a terminal, which is recorded', async () => {
    const finished = await ssh(['-tt', '-J', 'gateway', 'web-1'], {
      stdin: 'echo typed-$((40+2))\nexit 3\n',
    });

    expect(finished.stdout.toString()).toContain('typed-42');
    expect(finished.code).toBe(3);
    const [shell] = await events("event_name = 'OpenShell'");
    expect(
      await events(`session_id = '${shell?.['session_id']}' AND event_name = 'StoreRecording'`),
    ).toHaveLength(1);
  });

  test('reaches the target by -W as by -J', async () => {
    const finished = await ssh([
      '-o',
      `ProxyCommand=ssh -F ${config} -W %h:%p gateway`,
      'web-1',
      'echo by-proxy-command',
    ]);

    expect(finished.stdout.toString()).toBe('by-proxy-command\n');
  });

  test('copies files by scp in both protocols and by sftp', async () => {
    const folder = temporaryFolder();
    const source = join(folder, 'source');
    const hash = await pseudoRandomFile(source, 20_000_000);

    for (const flags of [[], ['-O']]) {
      const copied = await run('scp', [
        '-F',
        config,
        '-q',
        ...flags,
        '-J',
        'gateway',
        source,
        `web-1:${folder}/up`,
      ]);
      const back = await run('scp', [
        '-F',
        config,
        '-q',
        ...flags,
        '-J',
        'gateway',
        `web-1:${folder}/up`,
        `${folder}/down`,
      ]);

      expect([copied.code, back.code], copied.stderr + back.stderr).toEqual([0, 0]);
      expect(await hashOfFile(join(folder, 'down'))).toBe(hash);
    }
    const sftp = await run('sftp', ['-F', config, '-J', 'gateway', '-b', '-', 'web-1'], {
      stdin: `get ${folder}/up ${folder}/got\n`,
    });
    expect(sftp.code, sftp.stderr).toBe(0);
    expect(await hashOfFile(join(folder, 'got'))).toBe(hash);
  });

  test('moves 64 MiB each way under new keys every few megabytes on both connections', async () => {
    const command = 'head -c 67108864 /dev/zero | tee >(sha256sum >&2) | cat; sleep 0.2';

    const finished = await run(
      'bash',
      ['-c', `ssh -F ${config} -o RekeyLimit=8M -J gateway web-1 "bash -c '${command}'" | sha256sum`],
      { timeoutMs: 60_000 },
    );

    const expected = createHash('sha256').update(Buffer.alloc(67_108_864)).digest('hex');
    expect(finished.stdout.toString()).toContain(expected);
    expect(finished.stderr).toContain(expected);
  });

  test('shares one connection to the gateway among several targets', async () => {
    const control = join(temporaryFolder(), 'control');
    const master = ['-o', `ControlPath=${control}`];
    const started = await ssh([...master, '-M', '-f', '-N', 'gateway']);
    expect(started.code, started.stderr).toBe(0);

    const through = (target: string) =>
      ssh([
        '-o',
        `ProxyCommand=ssh -F ${config} -o ControlPath=${control} -W %h:%p gateway`,
        target,
        `echo shared ${target}`,
      ]);
    const [one, two] = await Promise.all([through('web-1'), through('web-2')]);
    await ssh([...master, '-O', 'exit', 'gateway']);

    expect([one.stdout.toString(), two.stdout.toString()]).toEqual(['shared web-1\n', 'shared web-2\n']);
    const commands = await events("command LIKE 'echo shared %'");
    expect(new Set(commands.map((event) => event['jump'])).size).toBe(1);
    expect(new Set(commands.map((event) => event['session_id'])).size).toBe(2);
  });

  test('types its code once: what was proved outside counts inside', async () => {
    const key = keyFile('enrolled', enrolled);
    const ask = join(temporaryFolder(), 'ask');
    const count = `${ask}.count`;
    writeFileSync(ask, `#!/bin/sh\necho asked >> ${count}\necho ${totpCode(secret, Date.now())}\n`, {
      mode: 0o700,
    });

    const finished = await ssh(
      [
        '-o',
        'BatchMode=no',
        '-o',
        `IdentityFile=${key}`,
        '-o',
        `ProxyCommand=ssh -F ${config} -o BatchMode=no -i ${key} -o IdentityFile=${key} -W %h:%p gateway`,
        '-i',
        key,
        'web-1',
        'echo with-code',
      ],
      { env: { SSH_ASKPASS: ask, SSH_ASKPASS_REQUIRE: 'force' } },
    );

    expect(finished.stdout.toString(), finished.stderr).toBe('with-code\n');
    expect(readFileSync(count, 'utf8')).toBe('asked\n');
    const [command] = await events("command = 'echo with-code'");
    expect(command).toMatchObject({ user_name: 'enrolled', mfa: 'true', mfa_method: 'totp' });
  });
});

describe('a connection to jump from is good for nothing else', () => {
  test('it has no shell, and says what to type', async () => {
    const finished = await ssh(['-tt', 'gateway']);

    expect(finished.code).toBe(255);
    expect(finished.stderr).toContain('ssh -J GATEWAY LOGIN@TARGET');
  });

  test.each([
    ['this machine itself', '127.0.0.1:22'],
    ['a name nobody knows', 'db-9:22'],
    ['a target by another port', 'web-1:80'],
  ])('it does not lead to %s, and that is on record', async (_what, destination) => {
    const finished = await ssh(['-W', destination, 'gateway']);

    expect(finished.code).not.toBe(0);
    expect(finished.stderr).toContain('is no target of this gateway');
    const [host, port] = destination.split(':');
    const denied = await events(`event_name = 'DenyAccess' AND error_message LIKE '${host} port ${port} %'`);
    expect(denied[0]).toMatchObject({ user_name: 'engineer', deny_reason: 'jump-refused' });
  });

  test('it does not lead back to the gateway', async () => {
    const finished = await ssh(['-W', `127.0.0.1:${stack.running.gateway.address.port}`, 'gateway']);

    expect(finished.stderr).toContain('is no target of this gateway');
  });

  test('nobody else gets in through it, not with a key of their own either', async () => {
    const port = await stack.freePort();
    const key = keyFile('stranger', stranger);
    const holder = spawn('ssh', ['-F', config, '-N', '-L', `${port}:web-1:22`, 'gateway'], {
      stdio: 'ignore',
    });
    try {
      const options = ['-p', `${port}`, '-o', 'HostKeyAlias=web-1', `${stack.login}@127.0.0.1`];
      const own = await untilConnected(() => ssh([...options, 'echo own']));
      const other = await ssh([
        '-i',
        key,
        '-o',
        `IdentityFile=${key}`,
        '-F',
        strangerConfig(key),
        ...options,
        'echo other',
      ]);

      expect(own.stdout.toString()).toBe('own\n');
      expect(other.stdout.toString()).toBe('');
      expect(other.stderr).toContain('Permission denied');
      const failed = await events("event_name = 'AuthenticateUser' AND error_code = 'AuthenticationFailed'");
      expect(failed.at(-1)?.['jump']).toMatch(/^s-/);
    } finally {
      holder.kill();
    }
  });

  test('a host certificate is good for the name that was asked for alone', async () => {
    const finished = await ssh(['-J', 'gateway', '-o', 'HostKeyAlias=web-1', 'web-2', 'true']);

    expect(finished.code).toBe(255);
    expect(finished.stderr).toMatch(/name is not a listed principal|Host key verification failed/);
  });

  test('another target than the one of the channel is refused', async () => {
    const finished = await ssh(['-J', 'gateway', '-l', `${stack.login}@web-2`, 'web-1', 'true']);

    expect(finished.code).toBe(255);
    expect(finished.stderr).toContain('this connection leads to web-1');
  });

  test('who opens channel after channel to nowhere is cut off, with the events of it bounded', async () => {
    const socket = await connectSocket({
      host: '127.0.0.1',
      port: stack.running.gateway.address.port,
      timeoutMs: 10_000,
    });
    const { endpoint, transport } = await connectClient({
      link: linkFromSocket(socket),
      user: 'searcher',
      credentials: [{ method: 'publickey', privateKey: stack.engineerKey }],
      verifyHostKey: () => ({ accepted: true }),
    });

    const tries = Array.from({ length: 10_000 }, () =>
      endpoint.openDirectTcpip({ host: 'scan-me', port: 22 }).catch(() => undefined),
    );
    const end = await transport.ended;
    await Promise.all(tries);

    expect(end.description).toContain('too many refused channels');
    const denied = await stack.query("SELECT 1 FROM events WHERE error_message LIKE 'scan-me port 22 %'");
    expect(denied.length).toBe(20);
  });

  test('revoking one session inside ends that one only', async () => {
    const control = join(temporaryFolder(), 'control');
    await ssh(['-o', `ControlPath=${control}`, '-M', '-f', '-N', 'gateway']);
    const open = (target: string) => {
      const child = spawn(
        'ssh',
        [
          '-F',
          config,
          '-o',
          `ProxyCommand=ssh -F ${config} -o ControlPath=${control} -W %h:%p gateway`,
          target,
          `echo up-${target}; exec sleep 60`,
        ],
        { stdio: ['ignore', 'pipe', 'pipe'] },
      );
      return { child, up: new Promise((resolve) => child.stdout.once('data', resolve)) };
    };
    const [one, two] = [open('web-1'), open('web-2')];
    await Promise.all([one.up, two.up]);
    const [session] = await events("command LIKE 'echo up-web-1%'");
    const id = session?.['session_id'] ?? '';

    const ended = new Promise((resolve) => one.child.once('exit', resolve));
    await stack.running.control.put(
      'revocation',
      id,
      { sessionId: id, by: 'oncall@example.com', message: 'a test ends it', atMs: Date.now() },
      { kind: 'any' },
    );
    await ended;

    expect(two.child.exitCode).toBeNull();
    two.child.kill();
    await ssh(['-o', `ControlPath=${control}`, '-O', 'exit', 'gateway']);
    const ends = await events(`event_name = 'EndSession' AND end_reason = 'Revoked'`);
    expect(ends.map((event) => event['session_id'])).toEqual([id]);
  });
});

test('a gateway that stops tells those inside a jump why', async () => {
  const other = await startStack();
  const jump = other.writeJumpConfiguration(other.running.gateway.address.port);
  const child = spawn('ssh', ['-F', jump, '-J', 'gateway', 'web-1', 'echo up; exec sleep 60'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString();
  });
  await new Promise((resolve) => child.stdout.once('data', resolve));
  const gone = new Promise((resolve) => child.once('close', resolve));

  await other.close();
  await gone;

  expect(said).toContain('the test has ended');
});

function keyFile(name: string, key: Parameters<typeof formatPrivateKey>[0]): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, formatPrivateKey(key, name), { mode: 0o600 });
  return file;
}

/** The same configuration with another key alone. */
function strangerConfig(key: string): string {
  const file = `${key}.config`;
  writeFileSync(file, readFileSync(config, 'utf8').replace(/IdentityFile .*/, `IdentityFile ${key}`));
  return file;
}

async function untilConnected(attempt: () => Promise<Finished>): Promise<Finished> {
  for (let tries = 0; ; tries += 1) {
    const finished = await attempt();
    if (!finished.stderr.includes('Connection refused') || tries === 50) return finished;
    await sleep(100);
  }
}
