import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchError } from './bench-error.ts';
import type { Figure } from './figure.ts';
import {
  endProcess,
  openSshPaths,
  type PathName,
  pathLabels,
  pathNames,
  type SshPaths,
} from './ssh-paths.ts';
import { percentile } from './statistics.ts';
import type { Family } from './workbench.ts';

const keys = 500;
const keysPerTurn = 50;
const pauseMs = 4;
const echoDeadlineMs = 10_000;

/** Round trips in milliseconds, by path. */
type Echoes = ReadonlyMap<PathName, readonly number[]>;

export const keystrokes: Family = {
  name: 'keystrokes',
  about: `${keys} keys and their echoes on a terminal, the paths taking turns; alone and beside a bulk download through the same gateway`,
  async measure(workbench) {
    const ssh = await openSshPaths(workbench);
    workbench.progress(`keystrokes: ${keys} keys on each path`);
    const alone = await type(ssh, pathNames);
    workbench.progress(`keystrokes: ${keys} keys on each path beside a bulk download`);
    const bulk = await startBulk(ssh);
    const cpuBefore = ssh.gateway.usage().cpuSeconds;
    const started = performance.now();
    const beside = await type(ssh, ['direct', 'ssh2', 'sshtrail']);
    const busy = (ssh.gateway.usage().cpuSeconds - cpuBefore) / ((performance.now() - started) / 1000);
    workbench.progress(`keystrokes: the gateway used ${busy.toFixed(2)} of a processor meanwhile`);
    if (bulk.exitCode !== null || bulk.signalCode !== null)
      throw new BenchError(
        'failed',
        `the bulk download ended (${bulk.exitCode ?? bulk.signalCode}) beside which keys were to be measured`,
      );
    await endProcess(bulk);
    return [
      ...figuresOf(alone, '', [
        { name: 'p50', share: 0.5, limit: 0.25 },
        { name: 'p99', share: 0.99, limit: 2 },
      ]),
      ...figuresOf(beside, '-beside-bulk', [{ name: 'p99', share: 0.99, limit: 5 }]),
    ];
  },
};

function figuresOf(
  echoes: Echoes,
  suffix: string,
  promises: readonly { readonly name: string; readonly share: number; readonly limit: number }[],
): readonly Figure[] {
  const at = (path: PathName, share: number) => percentile(echoes.get(path) ?? [], share);
  const baselines = pathNames.filter((path) => path !== 'sshtrail' && echoes.has(path));
  return [
    ...baselines.map(
      (path): Figure => ({
        name: `keystroke${suffix}${path === 'direct' ? '' : `-beside-${path}`}`,
        unit: 'ms',
        measured: { kind: 'percentiles', p50: at('sshtrail', 0.5), p99: at('sshtrail', 0.99) },
        against: { kind: 'baseline', name: pathLabels[path], value: at(path, 0.5) },
      }),
    ),
    ...promises.map(
      ({ name, share, limit }): Figure => ({
        name: `keystroke${suffix}-added-${name}`,
        unit: 'ms',
        measured: { kind: 'value', value: at('sshtrail', share) - at('direct', share) },
        against: { kind: 'promise', bound: { direction: 'at-most', limit } },
      }),
    ),
  ];
}

/** Zeros without end to nowhere; resolves when they flow. They do not come by this process, whose delay would count as the gateway's. */
async function startBulk(ssh: SshPaths): Promise<ChildProcess> {
  const child = spawn('ssh', [...ssh.arguments('sshtrail'), 'echo go >&2; exec cat /dev/zero'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  ssh.own(child);
  await Promise.race([once(child.stderr, 'data'), once(child, 'close')]);
  child.stderr.pipe(process.stderr);
  return child;
}

/** A turn on each path after the other, until each has had all its keys. */
async function type(ssh: SshPaths, paths: readonly PathName[]): Promise<Echoes> {
  const terminals = await Promise.all(paths.map((path) => openTerminal(ssh, path)));
  const echoes = new Map(paths.map((path) => [path, [] as number[]]));
  for (const terminal of terminals) for (let key = 0; key < keysPerTurn; key += 1) await press(terminal);
  for (let turn = 0; turn < keys / keysPerTurn; turn += 1) {
    for (const [index, path] of paths.entries()) {
      const terminal = terminals[index];
      if (terminal === undefined) continue;
      for (let key = 0; key < keysPerTurn; key += 1) {
        echoes.get(path)?.push(await press(terminal));
        await sleep(pauseMs);
      }
    }
  }
  await Promise.all(terminals.map(endProcess));
  return echoes;
}

/** A program on a raw terminal that gives every key back. */
export async function openTerminal(ssh: SshPaths, path: PathName): Promise<ChildProcessWithoutNullStreams> {
  const child = ssh.start(path, ['-tt'], 'stty raw -echo; printf R; exec cat');
  child.stderr.resume();
  await next(child, path);
  return child;
}

export async function press(terminal: ChildProcessWithoutNullStreams): Promise<number> {
  const echo = next(terminal, 'the terminal');
  const started = performance.now();
  terminal.stdin.write('k');
  return (await echo) - started;
}

/** When the next output came. */
function next(terminal: ChildProcessWithoutNullStreams, name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new BenchError('failed', `${name} gave no echo within ${echoDeadlineMs} ms`)),
      echoDeadlineMs,
    );
    terminal.stdout.once('data', () => {
      const at = performance.now();
      clearTimeout(timer);
      resolve(at);
    });
  });
}
