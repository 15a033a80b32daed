import { relative, resolve } from 'node:path';
import { formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { drainGateway, onUncaughtFault } from '../proxy-task/index.ts';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { UpCommandOptions } from './commands/up.ts';
import { type DataDirectory, defaultDataDirectory } from './data-directory.ts';
import { demoIdentities, prepareDataDirectory } from './first-run.ts';
import { answeringGateway } from './gateway-process.ts';
import type { GatewayRunOptions, RunningGateway } from './gateway-run.ts';
import { loadInstallation } from './installation.ts';
import { type Output, printableBlock } from './output.ts';
import { type Playground, startPlayground } from './playground/playground.ts';
import { keepServing } from './recover-serving.ts';
import { startServing } from './serving.ts';

export type UpOptions = {
  readonly data: DataDirectory;
  /** Overrides the configuration; 0 takes any free port. */
  readonly sshPort?: number;
  readonly playground: boolean;
  readonly now: () => number;
  readonly report: (line: string) => void;
  /** Opens the journal; of use where a disk that fails is wanted. */
  readonly journal?: GatewayRunOptions['journal'];
};

/** After a fault that nobody caught: what sessions get, and what ending in order may take. */
const faultGraceMs = 5_000;
const faultDeadlineMs = 20_000;

/** The whole product on one machine: gateway, runbooks and, unless told otherwise, a playground. */
export type Running = {
  /** The gateway as it is now: after a full disk it is another one. */
  readonly running: RunningGateway;
  readonly playground: Playground | undefined;
  readonly firstRun: boolean;
  /** What sessions get to end by themselves, by the configuration. */
  readonly drainSeconds: number;
  /** Takes no more connections and waits for the sessions; the runbooks go on. */
  drain(reason: string, graceMs: number, hurry?: AbortSignal): Promise<void>;
  close(reason: string): Promise<void>;
};

export async function up(options: UpCommandOptions, context: CommandContext): Promise<void> {
  const { output, now, signal } = context;
  const data = chosenData(options, context);
  const report = (line: string) => output.note(`${new Date(now()).toISOString()} ${printableBlock(line)}`);
  const running = await startUp({
    data,
    ...(options.sshPort === undefined ? {} : { sshPort: options.sshPort }),
    playground: options.playground,
    now,
    report,
  });
  onUncaughtFault({
    report,
    stop: async (reason) => {
      await running.drain(reason, faultGraceMs);
      await running.close(reason);
    },
    deadlineMs: faultDeadlineMs,
    exit: (code) => process.exit(code),
  });
  welcome(output, data, running);
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
  const { sessionCount } = running.running.gateway;
  const { drainSeconds } = running;
  if (sessionCount > 0 && drainSeconds > 0)
    output.note(
      `stopping: ${sessionCount} sessions have ${drainSeconds} s to end; stop again to end them now`,
    );
  await running.drain('the gateway stops', drainSeconds * 1000, context.hurry);
  output.note('stopping: sessions end, their evidence is sealed');
  await running.close('the gateway stops');
}

/** Starts everything in order; whatever fails half-way stops what was started before. */
export async function startUp(options: UpOptions): Promise<Running> {
  const { data, now, report } = options;
  const other = await answeringGateway(data);
  if (other !== undefined)
    throw new CliError(
      'bad-input',
      `a gateway already runs on ${data.root} (process ${other.pid}, port ${other.port}); stop it first, or choose another folder with --data DIR`,
    );
  const firstRun = await prepareDataDirectory(data, {
    listen: {
      host: '127.0.0.1',
      port: options.sshPort === undefined || options.sshPort === 0 ? 2222 : options.sshPort,
    },
  });
  const installation = await loadInstallation(data);
  const playground = options.playground
    ? await startPlayground({
        directory: data.playground,
        authority: formatPublicKeyLine(installation.userAuthority.publicKey),
        hostKey: generatePrivateKey('ed25519'),
      })
    : undefined;
  const serve = (sshPort: number) =>
    startServing({ ...options, sshPort, installation, targets: playground?.targets ?? [] });
  try {
    const first = await serve(options.sshPort ?? installation.configuration.gateway.listen.port);
    const { port } = first.running.gateway.address;
    const serving = keepServing(first, { data, report, again: () => serve(port) });
    return {
      get running() {
        return serving.current.running;
      },
      playground,
      firstRun,
      drainSeconds: installation.configuration.gateway.drainSeconds,
      drain: (reason, graceMs, hurry) =>
        drainGateway(serving.current.running.gateway, {
          reason,
          graceMs,
          ...(hurry === undefined ? {} : { hurry }),
          now,
        }),
      async close(reason) {
        try {
          await serving.close(reason);
        } finally {
          await playground?.stop();
        }
      },
    };
  } catch (error) {
    await playground?.stop();
    throw error;
  }
}

function welcome(output: Output, data: DataDirectory, { running, playground }: Running): void {
  const { host, port } = running.gateway.address;
  output.line(`sshtrail is ready on ${host}:${port}; its data is in ${data.root}`);
  if (playground === undefined) return;
  const here = data.root === resolve(defaultDataDirectory);
  const config = shellWord(here ? relative('.', data.sshConfig) : data.sshConfig);
  const dataOption = here ? '' : ` --data ${shellWord(data.root)}`;
  const { login } = playground;
  output.line('');
  output.line('Open a shell on the playground, recorded (paste this in another terminal):');
  output.line('');
  output.line(`  ssh -F ${config} ${login}@playground@gateway`);
  output.line(
    `  ssh -F ${config} ${login}@playground            # the same by ssh -J, which ends inside the gateway`,
  );
  output.line('');
  output.line('Then try:');
  output.line('');
  output.line(`  npx sshtrail last${dataOption}`);
  output.line(
    `  npx sshtrail query${dataOption} "SELECT event_time, user_name, target_name, event_name, command FROM events ORDER BY event_time DESC LIMIT 20"`,
  );
  output.line(
    `  ssh -F ${config} ${login}@staging@gateway     # no second factor there: runbook SSH-002 ends it within seconds and says why`,
  );
  output.line('');
  output.line(
    `The playground is ${playground.server === 'sshd' ? "this machine's own sshd, run privately" : 'a small built-in server, since no sshd is installed here'}.`,
  );
  output.line(
    `With a second factor: ssh -F ${config} ${login}@production@gateway-mfa, code: npx sshtrail totp code ${demoIdentities.withTotp}${dataOption}`,
  );
  output.line('Ctrl-C stops everything.');
}

function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
