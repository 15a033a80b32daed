import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchError } from './bench-error.ts';
import type { Figure } from './figure.ts';
import { endProcess, openSshPaths, type SshPaths } from './ssh-paths.ts';
import { percentile } from './statistics.ts';
import type { Family } from './workbench.ts';

const lines = 200;
const warmUpLines = 20;
/** What people leave between the last letter and the accept key; a shell redraws its line meanwhile. */
const pauseMs = 50;
const deadlineMs = 10_000;
const prompt = 'ready$ ';

export const commandHold: Family = {
  name: 'command-hold',
  about: `${lines} lines to bash, each judged before its accept key passes, beside a gateway whose policy does not speak of commands`,
  onRequest: true,
  async measure(workbench) {
    const folder = join(workbench.folder, 'guarded');
    mkdirSync(folder);
    const terminals = {
      plain: await openBash(await openSshPaths(workbench)),
      guarded: await openBash(await openSshPaths({ ...workbench, folder }, { judgesCommands: true })),
    };
    const times = { plain: [] as number[], guarded: [] as number[] };
    for (let line = 0; line < warmUpLines + lines; line += 1)
      for (const name of ['plain', 'guarded'] as const) {
        const took = await runLine(terminals[name], `: line ${line}`);
        if (line >= warmUpLines) times[name].push(took);
      }
    for (const terminal of Object.values(terminals)) await endProcess(terminal.child);
    const at = (name: keyof typeof times, share: number) => percentile(times[name], share);
    return [
      {
        name: 'command-hold',
        unit: 'ms',
        measured: { kind: 'percentiles', p50: at('guarded', 0.5), p99: at('guarded', 0.99) },
        against: { kind: 'baseline', name: 'no policy on commands', value: at('plain', 0.5) },
      },
      {
        name: 'command-hold-added-p50',
        unit: 'ms',
        measured: { kind: 'value', value: at('guarded', 0.5) - at('plain', 0.5) },
        against: { kind: 'promise', bound: { direction: 'at-most', limit: 25 } },
      },
    ] satisfies readonly Figure[];
  },
};

type Bash = { readonly child: ChildProcessWithoutNullStreams; shown: string; at: number };

async function openBash(ssh: SshPaths): Promise<Bash> {
  const child = ssh.start('sshtrail', ['-tt'], `env PS1='${prompt}' bash --norc --noprofile -i`);
  child.stderr.resume();
  const bash: Bash = { child, shown: '', at: 0 };
  child.stdout.on('data', (data: Buffer) => {
    bash.at = performance.now();
    bash.shown += data.toString();
  });
  await shows(bash, prompt);
  return bash;
}

/** From the accept key to the next prompt, in milliseconds. */
async function runLine(bash: Bash, line: string): Promise<number> {
  bash.shown = '';
  bash.child.stdin.write(line);
  await shows(bash, line);
  await sleep(pauseMs);
  bash.shown = '';
  const started = performance.now();
  bash.child.stdin.write('\r');
  await shows(bash, prompt);
  return bash.at - started;
}

async function shows(bash: Bash, wanted: string): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!bash.shown.includes(wanted)) {
    if (bash.child.exitCode !== null || performance.now() > deadline)
      throw new BenchError(
        'failed',
        `bash showed ${JSON.stringify(bash.shown)}, not ${JSON.stringify(wanted)}`,
      );
    await sleep(1);
  }
}
