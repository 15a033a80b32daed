import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { cipherSecondsPerGib } from './cipher-floor.ts';
import type { Figure } from './figure.ts';
import { finished, openSshPaths, type PathName, pathLabels, pathNames, type SshPaths } from './ssh-paths.ts';
import { type Summary, summarise } from './statistics.ts';
import type { Family, Workbench } from './workbench.ts';

type Direction = 'up' | 'down';
const directions: readonly Direction[] = ['up', 'down'];

/** Of one transfer: speed, and what the proxy on the path, where there is one, spent. */
type Transfer = { readonly megabytesPerSecond: number; readonly proxySecondsPerGib: number | undefined };
type Measured = {
  readonly path: PathName;
  readonly direction: Direction;
  readonly transfer: Transfer;
};

/** What stands beside ours as a proxy. */
const proxies = ['jump', 'ssh2'] as const;

const gibibyte = 1024 ** 3;
const warmUpBytes = 64 * 1024 ** 2;

export const throughput: Family = {
  name: 'throughput',
  about: 'one bulk transfer each way, aes128-gcm on every leg; the CPU time of the proxy',
  async measure(workbench) {
    const ssh = await openSshPaths(workbench);
    for (const path of pathNames)
      for (const direction of directions) await transfer(ssh, path, direction, warmUpBytes);

    const measured: Measured[] = [];
    const cipher: number[] = [];
    for (let round = 1; round <= workbench.rounds; round += 1) {
      cipher.push(cipherSecondsPerGib());
      workbench.progress(`throughput, round ${round}: ciphers alone ${cipher.at(-1)?.toFixed(2)} s/GiB`);
      for (const direction of directions) {
        for (const path of pathNames) {
          const done = await transfer(ssh, path, direction, workbench.sizeBytes);
          measured.push({ path, direction, transfer: done });
          report(workbench, round, path, direction, done);
        }
      }
    }
    return directions.flatMap((direction) => figuresOf(measured, direction, summarise(cipher).mean));
  },
};

function report(
  workbench: Workbench,
  round: number,
  path: PathName,
  direction: Direction,
  done: Transfer,
): void {
  const cpu =
    done.proxySecondsPerGib === undefined ? '' : `, proxy ${done.proxySecondsPerGib.toFixed(2)} s/GiB`;
  workbench.progress(
    `throughput, round ${round}: ${direction} ${pathLabels[path]} ${done.megabytesPerSecond.toFixed(0)} MB/s${cpu}`,
  );
}

function figuresOf(all: readonly Measured[], direction: Direction, cipher: number): readonly Figure[] {
  const transfers = (path: PathName) =>
    all.filter((each) => each.path === path && each.direction === direction).map((each) => each.transfer);
  const speed = (path: PathName) => summarise(transfers(path).map((each) => each.megabytesPerSecond));
  const cpu = (path: PathName): Summary | undefined => {
    const seconds = transfers(path).flatMap((each) => each.proxySecondsPerGib ?? []);
    return seconds.length === 0 ? undefined : summarise(seconds);
  };
  const ours = speed('sshtrail');
  const ourCpu = cpu('sshtrail');
  const figures: Figure[] = [
    {
      name: `throughput-${direction}`,
      unit: 'MB/s',
      measured: { kind: 'value', value: ours.mean, min: ours.min, max: ours.max },
      against: {
        kind: 'baseline',
        name: pathLabels.direct,
        value: speed('direct').mean,
        promisedRatio: { direction: 'at-least', limit: 0.8 },
      },
    },
    ...proxies.map(
      (path): Figure => ({
        name: `throughput-${direction}-beside-${path}`,
        unit: 'MB/s',
        measured: { kind: 'value', value: ours.mean, min: ours.min, max: ours.max },
        against: { kind: 'baseline', name: pathLabels[path], value: speed(path).mean },
      }),
    ),
  ];
  if (ourCpu === undefined) return figures;
  const others = proxies.map((path) => ({ path, seconds: cpu(path)?.mean ?? 0 }));
  return [...figures, ...cpuFigures(direction, ourCpu, cipher, others)];
}

/** Seconds of CPU for a GiB: beside the promises, the ciphers that no relay can do without, and the other proxies where their time is known. */
function cpuFigures(
  direction: Direction,
  ours: Summary,
  cipher: number,
  others: readonly { readonly path: (typeof proxies)[number]; readonly seconds: number }[],
): readonly Figure[] {
  const name = `proxy-cpu-${direction}`;
  const of = {
    unit: 's/GiB',
    measured: { kind: 'value', value: ours.mean, min: ours.min, max: ours.max },
  } as const;
  return [
    { name, ...of, against: { kind: 'promise', bound: { direction: 'at-most', limit: 1.2 } } },
    {
      name: `${name}-beside-ciphers`,
      ...of,
      against: { kind: 'baseline', name: 'ciphers alone', value: cipher },
    },
    ...others
      .filter(({ seconds }) => seconds > 0)
      .map(({ path, seconds }): Figure => {
        const promised = { promisedRatio: { direction: 'at-most', limit: 1 } } as const;
        return {
          name: `${name}-beside-${path}`,
          ...of,
          against: {
            kind: 'baseline',
            name: pathLabels[path],
            value: seconds,
            ...(path === 'ssh2' ? promised : {}),
          },
        };
      }),
  ];
}

async function transfer(
  ssh: SshPaths,
  path: PathName,
  direction: Direction,
  bytes: number,
): Promise<Transfer> {
  const before = await ssh.proxyCpuSeconds(path);
  const seconds = direction === 'up' ? await upload(ssh, path, bytes) : await download(ssh, path, bytes);
  const after = await ssh.proxyCpuSeconds(path);
  return {
    megabytesPerSecond: bytes / 1e6 / seconds,
    proxySecondsPerGib:
      before === undefined || after === undefined ? undefined : ((after - before) / bytes) * gibibyte,
  };
}

/** The command says on standard error that it begins: the login and the shell's start are not part of the transfer. */
async function download(ssh: SshPaths, path: PathName, bytes: number): Promise<number> {
  const command = `echo go >&2; exec head -c ${bytes} /dev/zero`;
  const child = spawn('ssh', [...ssh.arguments(path), command], { stdio: ['ignore', 'ignore', 'pipe'] });
  ssh.own(child);
  const ended = finished(child, path);
  await Promise.race([said(child.stderr), ended]);
  const started = performance.now();
  await ended;
  return (performance.now() - started) / 1000;
}

/** The bytes come from a process that waits for a line on descriptor 3, which it gets when the other end is ready. */
async function upload(ssh: SshPaths, path: PathName, bytes: number): Promise<number> {
  const script = `{ read _ <&3; exec head -c ${bytes} /dev/zero; } | exec ssh "$@"`;
  const command = 'echo go >&2; exec cat > /dev/null';
  const child = spawn('sh', ['-c', script, 'sh', ...ssh.arguments(path), command], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  ssh.own(child);
  const ended = finished(child, path);
  await Promise.race([said(child.stderr), ended]);
  const started = performance.now();
  const gate = child.stdio[3];
  if (gate !== null && gate !== undefined && 'end' in gate) gate.end('\n');
  await ended;
  return (performance.now() - started) / 1000;
}

function said(stream: Readable | null): Promise<void> {
  return new Promise((resolve) => stream?.once('data', () => resolve()));
}
