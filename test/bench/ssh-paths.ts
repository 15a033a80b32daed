import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  formatKnownHostsLine,
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  mintCertificate,
  userExtensions,
} from '#ssh';
import { startPrivateSshd } from '../../cli/playground/private-sshd.ts';
import { BenchError } from './bench-error.ts';
import {
  type GatewayChoices,
  type GatewayProcess,
  type Premises,
  preparePremises,
  settled,
  startGatewayProcess,
  targetName,
  writeSecret,
} from './gateway.ts';
import { cpuWithChildren, hasChildren } from './process-usage.ts';
import { type Ssh2Proxy, startSsh2Proxy } from './ssh2-proxy.ts';
import type { Workbench } from './workbench.ts';

/**
 * The ways to the same sshd: straight, through an sshd as jump host, through a proxy made of the library ssh2, through the gateway. Each
 * is a Host of the client's configuration.
 */
export const pathNames = ['direct', 'jump', 'ssh2', 'sshtrail'] as const;
export type PathName = (typeof pathNames)[number];

/** What the figures call them. */
export const pathLabels: Readonly<Record<PathName, string>> = {
  direct: 'direct',
  jump: 'ssh -J',
  ssh2: 'ssh2',
  sshtrail: 'sshtrail',
};

/** A stock client, a stock sshd, and all three paths between them, at one cipher and one key exchange. */
export type SshPaths = {
  readonly premises: Premises;
  readonly gateway: GatewayProcess;
  /** Arguments for ssh up to the command; flags come first. */
  arguments(path: PathName, flags?: readonly string[]): readonly string[];
  /** Runs ssh to its end. @throws BenchError where it fails. */
  run(path: PathName, command: string): Promise<void>;
  /** An ssh that goes on until it is killed, at the latest at the end. */
  start(path: PathName, flags: readonly string[], command: string): ChildProcessWithoutNullStreams;
  /** Notes a process so that it does not outlive the benchmark. */
  own(child: ChildProcess): void;
  /**
   * CPU seconds of the proxy on the path so far, once it is at rest: the gateway, or the jump host with all it started.
   * Undefined where there is none, and where the system does not tell.
   */
  proxyCpuSeconds(path: PathName): Promise<number | undefined>;
};

export async function openSshPaths(workbench: Workbench, choices: GatewayChoices = {}): Promise<SshPaths> {
  const { folder } = workbench;
  const premises = await preparePremises(workbench);
  const authority = formatPublicKeyLine(premises.authority.publicKey);
  // The library shows a key, where everybody else shows a certificate: it knows none.
  const ssh2Key = generatePrivateKey('ed25519');
  const ssh2KeysFile = join(folder, 'ssh2_authorized_keys');
  writeSecret(ssh2KeysFile, `${formatPublicKeyLine(ssh2Key.publicKey)}\n`);
  const [target, jump] = await Promise.all(
    ['target', 'jump'].map(async (name) => {
      const hostKey = generatePrivateKey('ed25519');
      const sshd = await startPrivateSshd({
        directory: join(folder, name),
        authority,
        hostKey: formatPrivateKey(hostKey, name),
        extraConfiguration: [`Ciphers ${cipher}`, 'Match all', `  AuthorizedKeysFile ${ssh2KeysFile}`],
      });
      workbench.defer(() => sshd.stop());
      return { sshd, hostKey };
    }),
  );
  if (target === undefined || jump === undefined)
    throw new BenchError('failed', 'there is no sshd to measure with');
  const gateway = await startGatewayProcess(
    workbench,
    premises,
    { port: target.sshd.port, hostKey: target.hostKey },
    choices,
  );
  const ssh2 = await startSsh2Proxy(
    workbench,
    { host: premises.gatewayKey, engineerKeyFile: premises.engineerKeyFile, proxy: ssh2Key },
    target.sshd.port,
  );

  const login = userInfo().username;
  const certified = await certifyEngineer(folder, premises, login);
  const knownHosts = join(folder, 'known_hosts');
  const hosts = [
    { name: 'direct', port: target.sshd.port, key: target.hostKey, user: login, identity: certified },
    { name: 'jump-host', port: jump.sshd.port, key: jump.hostKey, user: login, identity: certified },
    {
      name: 'jump',
      port: target.sshd.port,
      key: target.hostKey,
      user: login,
      identity: certified,
      via: 'jump-host',
    },
    {
      name: 'ssh2',
      port: ssh2.port,
      key: premises.gatewayKey,
      user: login,
      identity: [`IdentityFile ${premises.engineerKeyFile}`],
    },
    {
      name: 'sshtrail',
      port: gateway.port,
      key: premises.gatewayKey,
      user: `${login}@${targetName}`,
      identity: [`IdentityFile ${premises.engineerKeyFile}`],
    },
  ];
  writeFileSync(
    knownHosts,
    hosts
      .map(({ name, key }) => `${formatKnownHostsLine({ patterns: [name], publicKey: key.publicKey })}\n`)
      .join(''),
  );
  const configuration = join(folder, 'ssh_config');
  writeFileSync(configuration, [...hosts.map(hostText), commonText(knownHosts)].join('\n'));
  return pathsWith(
    workbench,
    premises,
    { gateway, ssh2, jumpPid: jump.sshd.process.pid ?? 0 },
    configuration,
  );
}

type Proxies = {
  readonly gateway: GatewayProcess;
  readonly ssh2: Ssh2Proxy;
  readonly jumpPid: number;
};

function pathsWith(
  workbench: Workbench,
  premises: Premises,
  proxies: Proxies,
  configuration: string,
): SshPaths {
  const { gateway } = proxies;
  const living = new Set<ChildProcess>();
  workbench.defer(async () => {
    await Promise.all([...living].map(endProcess));
  });
  const own = (child: ChildProcess): void => {
    living.add(child);
    child.once('close', () => living.delete(child));
  };
  const sshArguments = (path: PathName, flags: readonly string[] = []) => [
    '-F',
    configuration,
    ...flags,
    path,
  ];
  return {
    premises,
    gateway,
    own,
    arguments: sshArguments,
    async run(path, command) {
      const child = spawn('ssh', [...sshArguments(path), command], { stdio: ['ignore', 'ignore', 'pipe'] });
      own(child);
      await finished(child, path);
    },
    start(path, flags, command) {
      const child = spawn('ssh', [...sshArguments(path, flags), command], { stdio: 'pipe' });
      own(child);
      // What a killed ssh leaves unread is no fault.
      child.stdin.on('error', () => undefined);
      return child;
    },
    async proxyCpuSeconds(path) {
      return cpuSecondsAtRest(proxies, path);
    },
  };
}

async function cpuSecondsAtRest(
  { gateway, ssh2, jumpPid }: Proxies,
  path: PathName,
): Promise<number | undefined> {
  switch (path) {
    case 'direct':
      return undefined;
    case 'jump':
      await childless(jumpPid);
      return cpuWithChildren(jumpPid);
    case 'ssh2':
      await settled(ssh2);
      return ssh2.usage().cpuSeconds;
    case 'sshtrail':
      await gateway.settled();
      return gateway.usage().cpuSeconds;
  }
}

/** A server's time for a connection counts once the connection's own process has ended. */
async function childless(pid: number): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (hasChildren(pid)) {
    if (Date.now() > deadline)
      throw new BenchError('failed', 'connections stay on the jump host after their clients left');
    await sleep(20);
  }
}

/** Waits for the end of an ssh whose standard error is a pipe. @throws BenchError where it fails. */
export async function finished(child: ChildProcess, path: PathName): Promise<void> {
  const said: Buffer[] = [];
  child.stderr?.on('data', (chunk: Buffer) => said.push(chunk));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0)
    throw new BenchError(
      'failed',
      `ssh over ${pathLabels[path]} ended with ${code}: ${Buffer.concat(said).toString().trim()}`,
    );
}

export async function endProcess(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill('SIGTERM');
  await closed;
}

/** The sshds let in certificates only, so the engineer gets one for the paths that lead past the gateway. */
async function certifyEngineer(
  folder: string,
  premises: Premises,
  login: string,
): Promise<readonly string[]> {
  const key = generatePrivateKey('ed25519');
  const nowSeconds = BigInt(Math.floor(Date.now() / 1000));
  const blob = await mintCertificate(
    {
      kind: 'user',
      publicKey: key.publicKey,
      keyId: 'bench',
      serial: 1n,
      principals: [login],
      validAfter: nowSeconds - 60n,
      validBefore: nowSeconds + 86_400n,
      extensions: userExtensions,
      nonce: randomBytes(32),
    },
    premises.authority,
  );
  const keyFile = join(folder, 'id_certified');
  const certificateFile = join(folder, 'id_certified-cert.pub');
  writeSecret(keyFile, formatPrivateKey(key, 'certified'));
  writeSecret(certificateFile, `ssh-ed25519-cert-v01@openssh.com ${blob.toString('base64')}\n`);
  return [`IdentityFile ${keyFile}`, `CertificateFile ${certificateFile}`];
}

function hostText(host: {
  readonly name: string;
  readonly port: number;
  readonly user: string;
  readonly identity: readonly string[];
  readonly via?: string;
}): string {
  return [
    `Host ${host.name}`,
    '  HostName 127.0.0.1',
    `  Port ${host.port}`,
    `  User ${host.user}`,
    `  HostKeyAlias ${host.name}`,
    ...(host.via === undefined ? [] : [`  ProxyJump ${host.via}`]),
    ...host.identity.map((line) => `  ${line}`),
    '',
  ].join('\n');
}

const cipher = 'aes128-gcm@openssh.com';

/** One key exchange for all, since the paths would else differ by it; keystrokes without the decoys that newer clients send. */
function commonText(knownHosts: string): string {
  return `Host *
  Ciphers ${cipher}
  KexAlgorithms curve25519-sha256
  IdentitiesOnly yes
  IdentityAgent none
  UserKnownHostsFile ${knownHosts}
  GlobalKnownHostsFile /dev/null
  StrictHostKeyChecking yes
  BatchMode yes
  ControlMaster no
  ControlPath none
  Compression no
  LogLevel ERROR
  IgnoreUnknown ObscureKeystrokeTiming
  ObscureKeystrokeTiming no
`;
}
