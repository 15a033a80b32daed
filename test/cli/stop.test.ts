import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { type DataDirectory, dataDirectory } from '../../cli/data-directory.ts';
import { prepareDataDirectory } from '../../cli/first-run.ts';
import { sshtrail, sshtrailProgram } from '../support/command-line.ts';
import { run } from '../support/run.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const faults = new URL('./faulty-process.ts', import.meta.url).href;

type Up = {
  readonly child: ChildProcess;
  readonly said: () => string;
  readonly exited: Promise<number | null>;
  readonly data: DataDirectory;
};

/** `sshtrail up` with a playground, as a process of its own; `settings` stand under `gateway:`. */
async function up(settings: string): Promise<Up> {
  const data = dataDirectory(join(temporaryFolder(), 'data'));
  await prepareDataDirectory(data, { listen: { host: '127.0.0.1', port: 2222 } });
  const text = readFileSync(data.configuration, 'utf8');
  writeFileSync(data.configuration, text.replace(/^gateway:\n/m, `gateway:\n  ${settings}\n`));
  const { program, first, env } = sshtrailProgram;
  const child = spawn(
    program,
    [`--import=${faults}`, ...first, 'up', '--data', data.root, '--ssh-port', '0'],
    {
      env: { ...process.env, ...env },
    },
  );
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await exited;
  });
  const started = { child, said: () => output, exited, data };
  await until(started, () => output.includes('sshtrail is ready'));
  return started;
}

async function until({ child, said }: Pick<Up, 'child' | 'said'>, done: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000;
  while (!done()) {
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`it did not happen: ${said()}`);
    await sleep(20);
  }
}

/** A stock client that has said `ready`, and what becomes of it. */
async function session(started: Up, command: string) {
  const { data } = started;
  const destination = `${userInfo().username}@playground@gateway`;
  const client = spawn('ssh', ['-F', data.sshConfig, destination, `echo ready; ${command}`]);
  let said = '';
  for (const stream of [client.stdout, client.stderr])
    stream.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
  const exited = new Promise<number | null>((resolve) => client.once('exit', resolve));
  onTestFinished(async () => {
    client.kill('SIGKILL');
    await exited;
  });
  await until(started, () => said.includes('ready'));
  return { said: () => said, exited };
}

async function endReasons({ data }: Up): Promise<unknown> {
  const sql = "SELECT end_reason FROM events WHERE event_name = 'EndSession'";
  const finished = await sshtrail(['query', '--json', '--data', data.root, sql]);
  return JSON.parse(finished.stdout.toString());
}

async function verified({ data }: Up): Promise<unknown> {
  const finished = await sshtrail(['verify', '--json', '--data', data.root]);
  return JSON.parse(finished.stdout.toString());
}

test('told to stop, it takes no one in and lets sessions come to their end', async () => {
  const started = await up('drainSeconds: 60');
  const running = await session(started, 'sleep 2; echo finished');

  started.child.kill('SIGTERM');
  await until(started, () => started.said().includes('stopping: 1 sessions have 60 s to end'));
  const late = await run('ssh', [
    '-F',
    started.data.sshConfig,
    `${userInfo().username}@playground@gateway`,
    'true',
  ]);

  expect(late.stderr).toMatch(/Connection refused/);
  expect(await running.exited).toBe(0);
  expect(running.said()).toContain('finished');
  expect(await started.exited).toBe(0);
  expect(await endReasons(started)).not.toEqual([{ end_reason: 'ProxyShutdown' }]);
  expect(await verified(started)).toMatchObject({ ok: true, sessions: { started: 1, ended: 1 } });
}, 60_000);

test('what has not ended by then is ended, and the reason is on record', async () => {
  const started = await up('drainSeconds: 1');
  const running = await session(started, 'sleep 100');

  started.child.kill('SIGTERM');

  expect(await started.exited).toBe(0);
  expect(await running.exited).toBe(255);
  expect(running.said()).toContain('the gateway stops');
  expect(await endReasons(started)).toEqual([{ end_reason: 'ProxyShutdown' }]);
  expect(await verified(started)).toMatchObject({ ok: true });
}, 60_000);

test('told twice, it ends the sessions at once, in order all the same', async () => {
  const started = await up('drainSeconds: 3600');
  const running = await session(started, 'sleep 100');

  started.child.kill('SIGINT');
  await until(started, () => started.said().includes('stop again to end them now'));
  // What comes at once counts as the same wish.
  await sleep(700);
  started.child.kill('SIGTERM');

  expect(await started.exited).toBe(0);
  expect(await running.exited).toBe(255);
  expect(await endReasons(started)).toEqual([{ end_reason: 'ProxyShutdown' }]);
}, 60_000);

/** Both at once, since each gets seconds for its sessions. */
test('after a fault that nobody caught it says so, ends on record, and with an error', async () => {
  const codes = await Promise.all([
    endsByFault('SIGUSR2', 'planted exception'),
    endsByFault('SIGPIPE', 'planted rejection'),
  ]);

  expect(codes).toEqual([1, 1]);
}, 60_000);

async function endsByFault(signal: NodeJS.Signals, fault: string): Promise<number | null> {
  const started = await up('drainSeconds: 60');
  const running = await session(started, 'sleep 100');

  started.child.kill(signal);

  const code = await started.exited;
  expect(await running.exited).toBe(255);
  expect(started.said()).toContain(`an unexpected fault, which is a bug: Error: ${fault}`);
  expect(await endReasons(started)).toEqual([{ end_reason: 'ProxyShutdown' }]);
  const sql = "SELECT request FROM events WHERE event_name = 'StopProxy'";
  const stop = await sshtrail(['query', '--json', '--data', started.data.root, sql]);
  expect(stop.stdout.toString()).toContain(`an unexpected fault: ${fault}`);
  expect(await verified(started)).toMatchObject({ ok: true });
  return code;
}
