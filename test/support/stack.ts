import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createFileSigner } from '#adapters/local';
import type { Row, Target } from '#core/contract';
import { formatKnownHostsLine, formatPrivateKey, formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { type DataDirectory, dataDirectory } from '../../cli/data-directory.ts';
import { type RunningGateway, runGateway } from '../../cli/gateway-run.ts';
import { loadInstallation } from '../../cli/installation.ts';
import { ask, withLake } from '../../cli/lake-query.ts';
import { type PrivateSshd, startPrivateSshd } from '../../cli/playground/private-sshd.ts';
import { type Finished, type RunOptions, run } from './run.ts';

export type StackOptions = {
  /** More lines for the target's sshd_config. */
  readonly sshdConfiguration?: readonly string[];
  /** Cedar text; everything is permitted to engineers when absent. */
  readonly policy?: string;
  /** More lines for sshtrail.yaml, at its top level. */
  readonly configuration?: string;
  /** More identities: YAML list items. */
  readonly identities?: string;
};

/** A gateway with its evidence, a real sshd behind it, and what a stock client needs to get through. */
export type Stack = {
  readonly data: DataDirectory;
  readonly folder: string;
  readonly running: RunningGateway;
  readonly sshd: PrivateSshd;
  readonly target: Target;
  readonly login: string;
  /** Lines the gateway's operator would have read. */
  readonly reports: readonly string[];
  /** Options for ssh, scp and sftp that need no prompt and no file of this machine's user. */
  readonly sshOptions: readonly string[];
  /** `LOGIN@TARGET@127.0.0.1`. */
  destination(target?: string): string;
  /** Runs ssh with the options, the destination, and the rest of the arguments: flags first, the command last. */
  ssh(args: readonly string[], options?: RunOptions & { readonly destination?: string }): Promise<Finished>;
  /** The same with standard input from and output to files; resolves with the exit code. */
  sshWithFiles(
    args: readonly string[],
    files: { readonly stdinFile?: string; readonly stdoutFile?: string },
  ): Promise<number | null>;
  /** Runs `work` while `ssh -N` with these flags holds a forward that listens on `port`. */
  whileForwarding<Result>(
    flags: readonly string[],
    port: number,
    work: () => Promise<Result>,
  ): Promise<Result>;
  query(sql: string): Promise<readonly Row[]>;
  /** Asks until there are rows, or fails after ten seconds. */
  eventually(sql: string): Promise<readonly Row[]>;
  freePort(): Promise<number>;
  startAgent(): Promise<{ readonly socket: string; stop(): Promise<void> }>;
  close(): Promise<void>;
};

const permitAll = `@id("all") permit (principal in Group::"engineers", action, resource);\n`;

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const folder = mkdtempSync(join(tmpdir(), 'sshtrail-stack-'));
  const data = dataDirectory(join(folder, 'data'));
  for (const path of [data.root, data.keys]) mkdirSync(path, { recursive: true, mode: 0o700 });
  await createFileSigner(data.userAuthorityKey);
  const gatewayKey = generatePrivateKey('ed25519');
  const engineerKey = generatePrivateKey('ed25519');
  const targetKey = generatePrivateKey('ed25519');
  const engineerFile = join(folder, 'id_engineer');
  const knownHosts = join(folder, 'known_hosts');
  const secret = (path: string, text: string) => writeFileSync(path, text, { mode: 0o600 });
  secret(data.hostKey, formatPrivateKey(gatewayKey, 'gateway'));
  secret(engineerFile, formatPrivateKey(engineerKey, 'engineer'));
  secret(knownHosts, `${formatKnownHostsLine({ patterns: ['gateway'], publicKey: gatewayKey.publicKey })}\n`);
  secret(data.policy, options.policy ?? permitAll);
  secret(data.configuration, configurationText(formatPublicKeyLine(engineerKey.publicKey), options));

  const installation = await loadInstallation(data);
  const sshd = await startPrivateSshd({
    directory: join(folder, 'sshd'),
    authority: formatPublicKeyLine(installation.userAuthority.publicKey),
    hostKey: formatPrivateKey(targetKey, 'target'),
    ...(options.sshdConfiguration === undefined ? {} : { extraConfiguration: options.sshdConfiguration }),
  });
  const target: Target = {
    name: 'web-1',
    host: '127.0.0.1',
    port: sshd.port,
    labels: { env: 'test' },
    hostTrust: { kind: 'pinned', keys: [formatPublicKeyLine(targetKey.publicKey)] },
  };
  const reports: string[] = [];
  const running = await runGateway({
    data,
    installation,
    extraTargets: [target],
    listen: { host: '127.0.0.1', port: 0 },
    now: Date.now,
    report: (line) => reports.push(line),
  });

  const login = userInfo().username;
  const sshOptions = [
    ...[
      '-F',
      '/dev/null',
      '-o',
      `Port=${running.gateway.address.port}`,
      '-o',
      `IdentityFile=${engineerFile}`,
    ],
    ...[
      '-o',
      'IdentitiesOnly=yes',
      '-o',
      `UserKnownHostsFile=${knownHosts}`,
      '-o',
      'HostKeyAlias=gateway',
      '-o',
      'StrictHostKeyChecking=yes',
    ],
  ];
  const destination = (name = target.name) => `${login}@${name}@127.0.0.1`;
  const query = (sql: string) =>
    withLake(data, async (engine) => (await ask(engine, sql, 30_000, 10_000)).rows);

  return {
    data,
    folder,
    running,
    sshd,
    target,
    login,
    reports,
    sshOptions,
    destination,
    ssh(args, runOptions = {}) {
      const { flags, command } = splitArguments(args);
      return run(
        'ssh',
        [...sshOptions, ...flags, runOptions.destination ?? destination(), ...command],
        runOptions,
      );
    },
    sshWithFiles(args, files) {
      const { flags, command } = splitArguments(args);
      return runWithFiles('ssh', [...sshOptions, ...flags, destination(), ...command], files);
    },
    async whileForwarding(flags, port, work) {
      const child = spawn(
        'ssh',
        [...sshOptions, ...flags, '-o', 'ExitOnForwardFailure=yes', '-N', destination()],
        { stdio: 'ignore' },
      );
      try {
        await untilListening(port, child);
        return await work();
      } finally {
        await end(child);
      }
    },
    query,
    async eventually(sql) {
      const deadline = Date.now() + 10_000;
      for (;;) {
        const rows = await query(sql);
        if (rows.length > 0) return rows;
        if (Date.now() > deadline) throw new Error(`no row within 10 s: ${sql}`);
        await sleep(100);
      }
    },
    freePort,
    startAgent: () => startAgent(join(folder, 'agent'), engineerFile),
    async close() {
      await running.close('the test has ended');
      await sshd.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Flags come first; what follows them is the command. A flag that takes a value is one of these. */
function splitArguments(args: readonly string[]): {
  readonly flags: readonly string[];
  readonly command: readonly string[];
} {
  const withValue = new Set(['-o', '-O', '-L', '-R', '-D', '-i', '-p', '-W', '-J', '-S', '-E']);
  let index = 0;
  while (index < args.length && (args[index] ?? '').startsWith('-'))
    index += withValue.has(args[index] ?? '') ? 2 : 1;
  return { flags: args.slice(0, index), command: args.slice(index) };
}

async function runWithFiles(
  program: string,
  args: readonly string[],
  files: { readonly stdinFile?: string; readonly stdoutFile?: string },
): Promise<number | null> {
  const stdin = files.stdinFile === undefined ? 'ignore' : openSync(files.stdinFile, 'r');
  const stdout = files.stdoutFile === undefined ? 'ignore' : openSync(files.stdoutFile, 'w');
  const child = spawn(program, args, { stdio: [stdin, stdout, 'inherit'] });
  for (const descriptor of [stdin, stdout]) if (typeof descriptor === 'number') closeSync(descriptor);
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
}

async function untilListening(port: number, child: ChildProcess): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (Date.now() < deadline && child.exitCode === null) {
    // A port that is taken is one that somebody listens on; connecting would itself be forwarded.
    if (!(await isFree(port))) return;
    await sleep(50);
  }
  throw new Error(`ssh does not listen on ${port}; exit code ${child.exitCode}`);
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const closed = new Promise((resolve) => child.once('close', resolve));
  child.kill('SIGTERM');
  await closed;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once('error', () => resolve(false));
    probe.listen(port, '127.0.0.1', () => probe.close(() => resolve(true)));
  });
}

async function startAgent(
  socket: string,
  keyFile: string,
): Promise<{ readonly socket: string; stop(): Promise<void> }> {
  const child = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' });
  const deadline = Date.now() + 10_000;
  let added: Finished | undefined;
  while (added?.code !== 0) {
    if (Date.now() > deadline) throw new Error(`the agent takes no key: ${added?.stderr ?? ''}`);
    added = await run('ssh-add', ['-q', keyFile], { env: { SSH_AUTH_SOCK: socket } });
    if (added.code !== 0) await sleep(50);
  }
  return { socket, stop: () => end(child) };
}

function configurationText(engineer: string, options: StackOptions): string {
  return `gateway:
  listen: { host: 127.0.0.1, port: 0 }
  proxyId: gateway-1
  eventSource: ssh-proxy.example.com
  maxConnectionsPerSource: 1000
  maxStartsPerSourcePerMinute: 100000
identities:
  - name: engineer
    groups: [engineers]
    keys: [${JSON.stringify(engineer)}]
${options.identities ?? ''}
targets: []
policies: { files: [policy.cedar] }
userAuthority: { keyFile: keys/user-ca.pem }
hostKeys: { files: [keys/host-ed25519] }
${options.configuration ?? ''}
`;
}
