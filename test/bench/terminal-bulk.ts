import { spawn } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Figure } from './figure.ts';
import { finished, openSshPaths, type SshPaths } from './ssh-paths.ts';
import { summarise } from './statistics.ts';
import type { Family, Workbench } from './workbench.ts';

const mebibyte = 1024 ** 2;
const line = 'Nov 21 10:00:00 web-1 app[1234]: GET /orders/4711 200 12ms user=alice\n';

export const terminalBulk: Family = {
  name: 'terminal-bulk',
  about: 'cat of a long text on a recorded terminal, beside a gateway whose recordings are told no output',
  onRequest: true,
  async measure(workbench) {
    const file = join(workbench.folder, 'long.log');
    await writeText(file, workbench.sizeBytes);
    const recorded = await openSshPaths(workbench);
    const silent = await openSshPaths(beside(workbench), { recordsOutput: false });
    const speeds = { recorded: [] as number[], silent: [] as number[] };
    const seconds = { recorded: [] as number[], silent: [] as number[] };
    const before = recorded.gateway.usage().rssBytes;
    let most = before;
    for (let round = 0; round <= workbench.rounds; round += 1)
      for (const [name, ssh] of [
        ['recorded', recorded],
        ['silent', silent],
      ] as const) {
        const cpuBefore = ssh.gateway.usage().cpuSeconds;
        const speed = await show(ssh, file, workbench.sizeBytes, () => {
          if (ssh === recorded) most = Math.max(most, ssh.gateway.usage().rssBytes);
        });
        await ssh.gateway.settled();
        const cpu = ((ssh.gateway.usage().cpuSeconds - cpuBefore) / workbench.sizeBytes) * 1024 * mebibyte;
        workbench.progress(
          `terminal-bulk, round ${round}: ${name} ${speed.toFixed(0)} MB/s, gateway ${cpu.toFixed(2)} s/GiB`,
        );
        // The first round warms up.
        if (round === 0) continue;
        speeds[name].push(speed);
        seconds[name].push(cpu);
      }
    const ours = summarise(speeds.recorded);
    const cpu = summarise(seconds.recorded);
    return [
      {
        name: 'terminal-bulk',
        unit: 'MB/s',
        measured: { kind: 'value', value: ours.mean, min: ours.min, max: ours.max },
        against: {
          kind: 'baseline',
          name: 'recording off',
          value: summarise(speeds.silent).mean,
          promisedRatio: { direction: 'at-least', limit: 0.9 },
        },
      },
      {
        name: 'terminal-bulk-cpu',
        unit: 's/GiB',
        measured: { kind: 'value', value: cpu.mean, min: cpu.min, max: cpu.max },
        against: { kind: 'baseline', name: 'recording off', value: summarise(seconds.silent).mean },
      },
      {
        name: 'terminal-bulk-memory',
        unit: 'MiB',
        measured: { kind: 'value', value: most / mebibyte },
        against: { kind: 'baseline', name: 'before', value: before / mebibyte },
      },
    ] satisfies readonly Figure[];
  },
};

/** The same workbench in a folder of its own, for the second gateway's target and client. */
function beside(workbench: Workbench): Workbench {
  const folder = join(workbench.folder, 'silent');
  mkdirSync(folder);
  return { ...workbench, folder };
}

async function writeText(file: string, bytes: number): Promise<void> {
  const block = Buffer.from(line.repeat(Math.ceil(mebibyte / line.length)));
  const blocks = function* () {
    for (let written = 0; written < bytes; written += block.length)
      yield block.subarray(0, Math.min(block.length, bytes - written));
  };
  await pipeline(Readable.from(blocks()), createWriteStream(file));
}

/** Megabytes a second from the moment the remote shell begins to show the file until the client has ended. */
async function show(ssh: SshPaths, file: string, bytes: number, look: () => void): Promise<number> {
  const started = `${file}.started`;
  const command = `date +%s%N > ${started}; exec cat ${file}`;
  const child = spawn('ssh', [...ssh.arguments('sshtrail', ['-tt']), command], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  ssh.own(child);
  const looking = setInterval(look, 250);
  try {
    await finished(child, 'sshtrail');
  } finally {
    clearInterval(looking);
  }
  const endMs = performance.timeOrigin + performance.now();
  return bytes / 1e3 / (endMs - Number(readFileSync(started, 'utf8')) / 1e6);
}
