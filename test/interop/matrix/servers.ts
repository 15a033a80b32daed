import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { startPrivateSshd } from '../../../cli/playground/private-sshd.ts';
import {
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  type PrivateKey,
} from '../../../ssh/index.ts';

/** A server behind the gateway. */
export type MatrixServer = {
  readonly port: number;
  /** `type base64` of its host key. */
  readonly hostKeyLine: string;
  stop(): Promise<void>;
};

export type SshdProgram = { readonly program?: string; readonly lines: readonly string[] };

/** An sshd of OpenSSH 10.0, which runs its parts from files of its own. */
export function unpackedSshd(folder: string): SshdProgram {
  const parts = join(folder, 'usr', 'lib', 'openssh');
  return {
    program: join(folder, 'usr', 'sbin', 'sshd'),
    lines: [`SshdSessionPath ${join(parts, 'sshd-session')}`, `SshdAuthPath ${join(parts, 'sshd-auth')}`],
  };
}

export async function startSshd(
  directory: string,
  authority: string,
  { program, lines }: SshdProgram,
  extra: readonly string[] = [],
  hostKey: PrivateKey = generatePrivateKey('ed25519'),
): Promise<MatrixServer> {
  const sshd = await startPrivateSshd({
    directory,
    authority,
    hostKey: formatPrivateKey(hostKey, 'target'),
    ...(program === undefined ? {} : { program }),
    extraConfiguration: [...lines, ...extra],
  });
  return { port: sshd.port, hostKeyLine: formatPublicKeyLine(hostKey.publicKey), stop: () => sshd.stop() };
}

/**
 * A Dropbear that has this key for its user in a home of its own: it takes neither certificates nor another path for authorized_keys, so it
 * sees another /etc/passwd, which only root may arrange.
 */
export async function startDropbear(directory: string, key: PrivateKey): Promise<MatrixServer> {
  const home = join(directory, 'home');
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 });
  writeFileSync(join(home, '.ssh', 'authorized_keys'), `${formatPublicKeyLine(key.publicKey)}\n`, {
    mode: 0o600,
  });
  const passwd = join(directory, 'passwd');
  writeFileSync(
    passwd,
    readFileSync('/etc/passwd', 'utf8').replace(/^root:.*$/m, `root:x:0:0:root:${home}:/bin/bash`),
  );
  const hostKeyFile = join(directory, 'host_key');
  await ended(spawn('dropbearkey', ['-t', 'ed25519', '-f', hostKeyFile], { stdio: 'ignore' }));
  const port = await freePort();
  const child = spawn(
    'unshare',
    [
      '--mount',
      'sh',
      '-c',
      `mount --bind '${passwd}' /etc/passwd && exec dropbear -F -E -s -p 127.0.0.1:${port} -r '${hostKeyFile}' -P '${join(directory, 'pid')}'`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let log = '';
  child.stderr.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  const deadline = Date.now() + 10_000;
  while (!log.includes('Not backgrounding')) {
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(`dropbear did not start: ${log}`);
    await sleep(20);
  }
  return {
    port,
    hostKeyLine: await dropbearKeyLine(hostKeyFile),
    async stop() {
      child.kill('SIGTERM');
      await ended(child);
    },
  };
}

/** Whether a Dropbear can be a target here. */
export function canStartDropbear(): boolean {
  return process.platform === 'linux' && process.getuid?.() === 0 && existsSync('/usr/bin/unshare');
}

async function dropbearKeyLine(file: string): Promise<string> {
  const child = spawn('dropbearkey', ['-y', '-f', file], { stdio: ['ignore', 'pipe', 'ignore'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => {
    out += chunk.toString();
  });
  await ended(child);
  return /^(ssh-ed25519 \S+)/m.exec(out)?.[1] ?? '';
}

function ended(child: ChildProcess): Promise<void> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve();
    else child.once('close', () => resolve());
  });
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
