import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, lstatSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { complaintOf } from './complaint.ts';

/** Programs from PyPI, in a virtual environment of the checkout's own. */
export type PythonTools =
  | { readonly ok: true; readonly motoServer: string; readonly cfnLint: string }
  | { readonly ok: false; readonly reason: string };

const installMs = 300_000;
/** Resolves and unpacks five times as fast as pip, which is what is left where it cannot be had or finds no index. */
const installer = 'uv==0.13.9';

/** Installs the pinned programs into `.cache/python` unless they are there. */
export async function ensurePythonTools(root: string): Promise<PythonTools> {
  const folder = join(root, '.cache', 'python');
  const requirements = join(root, 'scripts', 'python-requirements.txt');
  const stamp = join(folder, 'installed.txt');
  const wanted = readFileSync(requirements, 'utf8');
  const tools = {
    ok: true,
    motoServer: join(folder, 'bin', 'moto_server'),
    cfnLint: join(folder, 'bin', 'cfn-lint'),
  } as const;
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted && existsSync(tools.motoServer))
    return tools;

  console.log(
    'installing moto, cfn-lint, ansible-core and ssh-audit for the tests into .cache/python (less than a minute)',
  );
  // The environment is emptied first: behind a link that would be somebody else's.
  if (lstatSync(folder, { throwIfNoEntry: false })?.isSymbolicLink() === true) rmSync(folder);
  mkdirSync(folder, { recursive: true });
  const environment = ['python3', '-m', 'venv', '--clear', folder];
  if ((await run(environment)) !== undefined) await installVenv();
  const python = join(folder, 'bin', 'python');
  const pip = [python, '-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
  const uv = [python, '-m', 'uv', 'pip', 'install', '--quiet', '--python', python];
  const complaint =
    (await run(environment)) ??
    ((await installed([...pip, installer], [...uv, '--requirement', requirements]))
      ? undefined
      : await run([...pip, '--requirement', requirements]));
  if (complaint !== undefined)
    return {
      ok: false,
      reason: `${requirements} could not be installed: ${complaint} (on Debian: apt-get install python3-venv)`,
    };
  writeFileSync(stamp, wanted);
  return tools;
}

const run = (command: readonly string[]) => complaintOf(command, { limitMs: installMs });

/** Whether each step worked. */
async function installed(...steps: readonly (readonly string[])[]): Promise<boolean> {
  for (const step of steps) if ((await run(step)) !== undefined) return false;
  return true;
}

/** Debian's python3 comes without venv. */
async function installVenv(): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) return;
  console.log('installing python3-venv for the tests');
  await run(['sh', '-c', 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y python3-venv']);
}

export type MotoServer = { readonly endpoint: string; stop(): Promise<void> };

/** Starts moto on a free port of 127.0.0.1 and waits until it answers. */
export async function startMoto(program: string): Promise<MotoServer> {
  const port = await freePort();
  const child = spawn(program, ['-H', '127.0.0.1', '-p', String(port)], { stdio: 'ignore' });
  const endpoint = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + 60_000;
  while (!(await answers(endpoint))) {
    if (child.exitCode !== null || Date.now() > deadline) {
      await stopChild(child);
      throw new Error(`${program} does not answer on ${endpoint}`);
    }
    await sleep(200);
  }
  return { endpoint, stop: () => stopChild(child) };
}

async function answers(endpoint: string): Promise<boolean> {
  try {
    return (await fetch(`${endpoint}/moto-api/`, { signal: AbortSignal.timeout(2_000) })).ok;
  } catch {
    return false;
  }
}

async function stopChild(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
  });
  child.kill('SIGTERM');
  const forced = setTimeout(() => child.kill('SIGKILL'), 5_000);
  await gone;
  clearTimeout(forced);
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  if (address === null || typeof address === 'string') throw new Error('the system gave no port');
  return address.port;
}
