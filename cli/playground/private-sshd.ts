import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

export type PrivateSshdOptions = {
  /** Holds its configuration, host key and log; made if missing. */
  readonly directory: string;
  /** `type base64` of the CA whose user certificates it accepts. Nothing else lets anybody in. */
  readonly authority: string;
  /** OpenSSH private key text of its host key. */
  readonly hostKey: string;
  /** More lines for sshd_config. */
  readonly extraConfiguration?: readonly string[];
  /** Path of the sshd to run; found on the machine when absent. */
  readonly program?: string;
};

export type PrivateSshd = {
  readonly port: number;
  readonly logFile: string;
  readonly process: ChildProcess;
  stop(): Promise<void>;
};

class PrivateSshdError extends Error {
  override readonly name = 'PrivateSshdError';
  readonly code = 'sshd-did-not-start';
}

/** Finds sshd where systems keep it; ordinary users' PATH often leaves those folders out. */
export function findSshd(path: string): string | undefined {
  const folders = [
    '/usr/sbin',
    '/usr/local/sbin',
    '/sbin',
    ...path.split(delimiter).filter((folder) => folder !== ''),
  ];
  return folders.map((folder) => join(folder, 'sshd')).find(isExecutable);
}

/**
 * Starts an sshd of our own on a free port of 127.0.0.1, as the user who runs this process. It trusts one certificate
 * authority and nothing else: no passwords, no authorized_keys, no PAM.
 */
export async function startPrivateSshd(options: PrivateSshdOptions): Promise<PrivateSshd> {
  const program = options.program ?? findSshd(process.env['PATH'] ?? '');
  if (program === undefined) throw new PrivateSshdError('no sshd found: install the package openssh-server');
  prepareFolder(options);

  // The port is free when it is chosen and may be taken a moment later: then another is tried.
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const started = await start(program, options, port);
    if (started.ok) return started.sshd;
    if (attempt === 5 || !started.log.includes('Address already in use')) {
      throw new PrivateSshdError(
        `sshd did not start; its log ${started.logFile} says: ${lastLines(started.log)}`,
      );
    }
  }
}

type Started =
  | { readonly ok: true; readonly sshd: PrivateSshd }
  | { readonly ok: false; readonly log: string; readonly logFile: string };

async function start(program: string, options: PrivateSshdOptions, port: number): Promise<Started> {
  const configuration = join(options.directory, 'sshd_config');
  const logFile = join(options.directory, 'sshd.log');
  writeFileSync(configuration, configurationText(options, port), { mode: 0o600 });
  writeFileSync(logFile, '', { mode: 0o600 });
  const log = openSync(logFile, 'a');
  const child = spawn(program, ['-D', '-e', '-f', configuration], { stdio: ['ignore', log, log] });
  const state = { exited: false };
  const exit = new Promise<void>((resolve) => {
    child.once('error', () => {
      state.exited = true;
      resolve();
    });
    child.once('exit', () => {
      state.exited = true;
      resolve();
    });
  });

  const deadline = Date.now() + 10_000;
  while (!state.exited && Date.now() < deadline) {
    if (readFileSync(logFile, 'utf8').includes('Server listening on')) {
      return { ok: true, sshd: { port, logFile, process: child, stop: () => stop(child, exit) } };
    }
    await sleep(20);
  }
  await stop(child, exit);
  return { ok: false, log: readFileSync(logFile, 'utf8'), logFile };
}

async function stop(child: ChildProcess, exit: Promise<void>): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM');
  await exit;
}

function prepareFolder(options: PrivateSshdOptions): void {
  mkdirSync(options.directory, { recursive: true, mode: 0o700 });
  // sshd run by root separates privileges into this empty folder and refuses to start without it.
  if (process.getuid?.() === 0 && !existsSync('/run/sshd') && existsSync('/run'))
    mkdirSync('/run/sshd', { mode: 0o755 });
  writeFileSync(join(options.directory, 'host_key'), options.hostKey, { mode: 0o600 });
  writeFileSync(join(options.directory, 'user_ca.pub'), `${options.authority}\n`, { mode: 0o644 });
}

function configurationText(options: PrivateSshdOptions, port: number): string {
  const lines = [
    'ListenAddress 127.0.0.1',
    `Port ${port}`,
    `HostKey ${quoted(join(options.directory, 'host_key'))}`,
    `TrustedUserCAKeys ${quoted(join(options.directory, 'user_ca.pub'))}`,
    'AuthorizedKeysFile none',
    'PasswordAuthentication no',
    'KbdInteractiveAuthentication no',
    'PermitRootLogin yes',
    'UsePAM no',
    'StrictModes no',
    'PidFile none',
    'PrintMotd no',
    'PrintLastLog no',
    'MaxStartups 200',
    'MaxSessions 200',
    'AcceptEnv LANG LC_*',
    'Subsystem sftp internal-sftp',
    'LogLevel VERBOSE',
    ...(options.extraConfiguration ?? []),
  ];
  return `${lines.join('\n')}\n`;
}

function quoted(path: string): string {
  return `"${path}"`;
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => {
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', resolve);
  });
  const address = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  if (address === null || typeof address === 'string')
    throw new PrivateSshdError('the system gave no port on 127.0.0.1');
  return address.port;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function lastLines(log: string): string {
  return log.trim().split('\n').slice(-3).join(' | ');
}
