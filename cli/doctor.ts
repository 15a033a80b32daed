import { spawnSync } from 'node:child_process';
import { existsSync, statfsSync, statSync } from 'node:fs';
import { unknownNames } from '#core/policy';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData, type DataOption, type JsonOption } from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { gatewayProcess, identification } from './gateway-process.ts';
import { type Installation, loadInstallation } from './installation.ts';
import { jsonText, printableBlock } from './output.ts';
import { playgroundEnvironments } from './playground/playground.ts';
import { findSshd } from './playground/private-sshd.ts';
import { withControl } from './sessions-locally.ts';
import { verifyData } from './verify.ts';

/** One thing looked at. `warning` works, but somebody should know. */
type Check = { readonly name: string; readonly state: 'ok' | 'warning' | 'fault'; readonly text: string };

const minFreeBytes = 1024 ** 3;

const signs = { ok: 'ok     ', warning: 'warning', fault: 'FAULT  ' } as const;

export async function doctor(options: DataOption & JsonOption, context: CommandContext): Promise<void> {
  const { output } = context;
  const checks = await examine(chosenData(options, context), context);
  if (options.json === true) output.line(jsonText(checks));
  else
    for (const { name, state, text } of checks)
      output.line(`${signs[state]} ${name}: ${printableBlock(text)}`);
  const faults = checks.filter(({ state }) => state === 'fault').length;
  if (faults > 0)
    throw new CliError(
      'unusable-data',
      `${faults} of ${checks.length} checks failed; what to do stands beside each`,
    );
}

/** Names in policies that nobody has: valid for Cedar, and yet a rule that never applies. */
function policyNames({ policy, identities, configuration }: Installation): readonly Check[] {
  const playgroundTargets = Object.entries(playgroundEnvironments).map(([name, env]) => ({
    name,
    labels: { env },
  }));
  return unknownNames(policy, identities, [...configuration.targets, ...playgroundTargets]).map(
    ({ file, line, message, fix }) => ({
      name: 'policies',
      state: 'warning',
      text: `${file}:${line} ${message}; ${fix}`,
    }),
  );
}

async function examine(data: DataDirectory, context: CommandContext): Promise<readonly Check[]> {
  const checks: Check[] = [
    nodeVersion(),
    program('ssh', 'engineers need it; on Debian: apt-get install openssh-client'),
    sshd(),
  ];
  if (!existsSync(data.root))
    return [
      ...checks,
      {
        name: 'data directory',
        state: 'fault',
        text: `${data.root} does not exist; run "sshtrail up", or say where it is with --data DIR`,
      },
    ];
  checks.push(permissions(data), freeSpace(data));
  checks.push(
    await attempt('configuration, keys and policies', async () => {
      const installation = await loadInstallation(data);
      checks.push(...policyNames(installation));
      return describe(installation);
    }),
  );
  checks.push(
    await attempt('control store', () =>
      withControl(
        data,
        context.now,
        async (control) => `${(await control.list('session')).length} sessions open`,
      ),
    ),
  );
  checks.push(await gateway(data));
  checks.push(
    await attempt('evidence', async () => {
      const verification = await verifyData(data, context.now);
      if (!verification.ok)
        throw new CliError(
          'not-verified',
          `${verification.problemsFound} problems; run "sshtrail verify" and keep the directory as it is`,
        );
      return `${verification.streams.reduce((sum, stream) => sum + stream.records, 0)} records verified`;
    }),
  );
  return checks;
}

function nodeVersion(): Check {
  const major = Number(process.versions.node.split('.')[0]);
  return major >= 24
    ? { name: 'node', state: 'ok', text: process.versions.node }
    : {
        name: 'node',
        state: 'fault',
        text: `${process.versions.node} is too old; start sshtrail by npx or npm, which bring Node 24`,
      };
}

function program(name: string, advice: string): Check {
  const found = spawnSync(name, ['-V'], { encoding: 'utf8' });
  return found.error === undefined
    ? { name, state: 'ok', text: (found.stderr + found.stdout).trim().split('\n')[0] ?? '' }
    : { name, state: 'warning', text: `not found; ${advice}` };
}

function sshd(): Check {
  const found = findSshd(process.env['PATH'] ?? '');
  return found === undefined
    ? {
        name: 'sshd',
        state: 'warning',
        text: 'not found, so the playground uses a built-in server without sftp and forwarding; on Debian: apt-get install openssh-server',
      }
    : { name: 'sshd', state: 'ok', text: found };
}

function permissions(data: DataDirectory): Check {
  const { mode } = statSync(data.root);
  return (mode & 0o077) === 0
    ? { name: 'data directory', state: 'ok', text: data.root }
    : {
        name: 'data directory',
        state: 'warning',
        text: `others can look into ${data.root}; run: chmod 700 ${data.root}`,
      };
}

function freeSpace(data: DataDirectory): Check {
  const { bavail, bsize } = statfsSync(data.root);
  const free = bavail * bsize;
  const text = `${(free / 1024 ** 3).toFixed(1)} GiB free`;
  return free >= minFreeBytes
    ? { name: 'disk', state: 'ok', text }
    : { name: 'disk', state: 'warning', text: `${text}; a full disk ends every session, so make room` };
}

function describe(installation: Installation): string {
  const { configuration, identities, policy } = installation;
  return `${identities.length} identities, ${configuration.targets.length} targets, ${policy.policies.length} policies`;
}

async function gateway(data: DataDirectory): Promise<Check> {
  const running = gatewayProcess(data);
  if (running === undefined)
    return { name: 'gateway', state: 'warning', text: 'not running; start it with "sshtrail up"' };
  return attempt(
    'gateway',
    async () =>
      `${await identification(running.host, running.port)} on ${running.host}:${running.port}, process ${running.pid}`,
  );
}

async function attempt(name: string, work: () => Promise<string>): Promise<Check> {
  try {
    return { name, state: 'ok', text: await work() };
  } catch (error) {
    return { name, state: 'fault', text: error instanceof Error ? error.message : 'unknown fault' };
  }
}
