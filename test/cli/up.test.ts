import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { dataDirectory } from '../../cli/data-directory.ts';
import { prepareDataDirectory } from '../../cli/first-run.ts';
import { sshtrail, sshtrailProcess, sshtrailProgram } from '../support/command-line.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

/** `sshtrail up` in the background, ended with the test. */
async function up(
  args: readonly string[],
): Promise<{ readonly child: ChildProcess; readonly said: () => string }> {
  const { program, first, env } = sshtrailProgram;
  const child = spawn(program, [...first, 'up', ...args], { env: { ...process.env, ...env } });
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  const exit = new Promise((resolve) => child.once('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await exit;
  });
  const deadline = Date.now() + 30_000;
  while (!said.includes('sshtrail is ready')) {
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`up did not get ready: ${said}`);
    await sleep(50);
  }
  return { child, said: () => said };
}

test('up makes what it needs, lets a stock client in, keeps a second one off, and ends in order', async () => {
  const data = join(temporaryFolder(), 'data');
  const { child, said } = await up(['--data', data, '--ssh-port', '0']);
  const login = userInfo().username;

  const [command, second, sessions, doctor] = await Promise.all([
    run('ssh', ['-F', join(data, 'ssh_config'), `${login}@playground@gateway`, 'echo hello']),
    sshtrailProcess(['up', '--data', data, '--ssh-port', '0', '--no-playground']),
    sshtrail(['sessions', '--json', '--data', data]),
    sshtrail(['doctor', '--data', data]),
  ]);

  expect(command.stdout.toString(), command.stderr).toBe('hello\n');
  expect(said()).toContain(`ssh -F ${join(data, 'ssh_config')} ${login}@playground@gateway`);
  expect(second.code).toBe(1);
  expect(second.stderr).toMatch(
    /^sshtrail: a gateway already runs on .* stop it first, or choose another folder with --data DIR\n$/,
  );
  expect(JSON.parse(sessions.stdout.toString())).toEqual(expect.any(Array));
  expect(doctor.code, doctor.stdout.toString()).toBe(0);
  expect(statSync(data).mode & 0o077).toBe(0);

  const exit = new Promise<number | null>((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');

  expect(await exit).toBe(0);
  expect(existsSync(join(data, 'gateway.json'))).toBe(false);
  const verify = await sshtrail(['verify', '--json', '--data', data]);
  expect(JSON.parse(verify.stdout.toString())).toMatchObject({
    ok: true,
    sessions: { started: 1, ended: 1, live: 0 },
  });
}, 120_000);

test('a port that is taken is said, with what to do, and nothing is left running', async () => {
  const data = join(temporaryFolder(), 'data');
  const other = createServer();
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void other.close());
  const { port } = other.address() as AddressInfo;

  const finished = await sshtrailProcess([
    'up',
    '--data',
    data,
    '--ssh-port',
    String(port),
    '--no-playground',
  ]);

  expect(finished.code).toBe(1);
  expect(finished.stderr).toBe(
    `sshtrail: 127.0.0.1:${port} is taken by another program; choose another port with --ssh-port N\n`,
  );
  expect(existsSync(join(data, 'gateway.json'))).toBe(false);
});

test('a data directory that cannot be made is said in one sentence', async () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');

  const finished = await sshtrailProcess([
    'up',
    '--data',
    join(file, 'data'),
    '--ssh-port',
    '0',
    '--no-playground',
  ]);

  expect(finished.code).toBe(1);
  expect(finished.stderr).toMatch(/^sshtrail: cannot make the data directory [^\n]+ --data DIR\n$/);
});

test('a configuration with mistakes is said with line and what to do, each of them', async () => {
  const data = dataDirectory(join(temporaryFolder(), 'data'));
  await prepareDataDirectory(data, { listen: { host: '127.0.0.1', port: 1022 } });
  const path = data.configuration;
  writeFileSync(
    path,
    readFileSync(path, 'utf8')
      .replace('port: 1022', 'port: 70000')
      .replace('proxyId: gateway-1', 'proxyId: "No Id"'),
  );

  const finished = await sshtrailProcess(['up', '--data', data.root, '--no-playground']);

  expect(finished.code).toBe(1);
  expect(finished.stderr).toMatch(/sshtrail\.yaml:\d+:\d+: gateway\.listen\.port: /);
  expect(finished.stderr).toMatch(/sshtrail\.yaml:\d+:\d+: gateway\.proxyId: /);
  expect(finished.stderr).not.toMatch(/^\s+at /m);
});
