import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Target } from '#core/contract';
import { type GatewayRunOptions, type RunningGateway, runGateway } from '../../cli/gateway-run.ts';
import { loadInstallation } from '../../cli/installation.ts';
import { type PreparationOptions, type PreparedGateway, prepareGateway } from './prepared-gateway.ts';
import { type Finished, type RunOptions, run } from './run.ts';

export type StackOptions = PreparationOptions & {
  /** Targets beside the one of the preparation. */
  readonly extraTargets?: (prepared: PreparedGateway) => readonly Target[];
  readonly journal?: NonNullable<GatewayRunOptions['journal']>;
  readonly parts?: NonNullable<GatewayRunOptions['parts']>;
};

/** A gateway with its evidence, a real sshd behind it, and what a stock client needs to get through. */
export type Stack = Omit<PreparedGateway, 'sshOptions' | 'remove'> & {
  readonly running: RunningGateway;
  /** Lines the gateway's operator would have read. */
  readonly reports: readonly string[];
  /** Options for ssh, scp and sftp that need no prompt and no file of this machine's user. */
  readonly sshOptions: readonly string[];
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
  freePort(): Promise<number>;
  startAgent(): Promise<{ readonly socket: string; stop(): Promise<void> }>;
  close(): Promise<void>;
};

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const prepared = await prepareGateway(options);
  const { data, folder, engineerFile, destination } = prepared;
  const installation = await loadInstallation(data);
  const reports: string[] = [];
  const running = await runGateway({
    data,
    installation,
    extraTargets: options.extraTargets?.(prepared) ?? [],
    ...(options.journal === undefined ? {} : { journal: options.journal }),
    ...(options.parts === undefined ? {} : { parts: options.parts }),
    listen: { host: '127.0.0.1', port: 0 },
    now: Date.now,
    report: (line) => reports.push(line),
  });
  const sshOptions = prepared.sshOptions(running.gateway.address.port);

  return {
    ...prepared,
    running,
    reports,
    sshOptions,
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
    freePort,
    startAgent: () => startAgent(join(folder, 'agent'), engineerFile),
    async close() {
      try {
        await running.close('the test has ended');
      } finally {
        await prepared.remove();
      }
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
