import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { BenchError } from './bench-error.ts';
import type { Figure } from './figure.ts';
import { inFlight, type Load, openLoad } from './load.ts';
import { childrenOf, usageOf } from './process-usage.ts';
import { summarise } from './statistics.ts';
import type { Family, Workbench } from './workbench.ts';

/** Of each process, so that one of two has compiled as much of what it runs as the single one, and has as much to do. */
const warmUpSessions = 200;
const sessionsPerRound = 400;

/**
 * Client, target and gateway share this machine's cores, so what the clock says of two processes is what the machine has left. What they could do
 * with a core each is what the busier of them spends on its share.
 */
export const workerStarts: Family = {
  name: 'worker-starts',
  about: `logins with a shell each, ${inFlight} on their way at once, through one gateway process and through two: what they could do with a core each`,
  onRequest: true,
  async measure(workbench) {
    const one = await openLoad(subfolder(workbench, 'one'), 1);
    const two = await openLoad(subfolder(workbench, 'two'), 2);
    for (const [load, processes] of [
      [one, 1],
      [two, 2],
    ] as const) {
      await load.open(warmUpSessions * processes);
      await load.close();
    }
    const alone: number[] = [];
    const together: number[] = [];
    const clock: number[] = [];
    for (let round = 1; round <= workbench.rounds; round += 1) {
      const single = await measured(one, [one.gateway.pid]);
      const double = await measured(two, childrenOf(two.gateway.pid));
      alone.push(single.starts);
      together.push(double.starts);
      clock.push(double.rate / single.rate);
      workbench.progress(
        `worker-starts, round ${round}: one ${single.starts.toFixed(0)} /s, two ${double.starts.toFixed(0)} /s with a core each; by the clock ${single.rate.toFixed(0)} and ${double.rate.toFixed(0)}`,
      );
    }
    const { mean, min, max } = summarise(together);
    const figures: Figure[] = [
      {
        name: 'two-workers-starts',
        unit: '/s',
        measured: { kind: 'value', value: mean, min, max },
        against: {
          kind: 'baseline',
          name: 'one process',
          value: summarise(alone).mean,
          promisedRatio: { direction: 'at-least', limit: 1.7 },
        },
      },
      {
        name: 'two-workers-by-the-clock',
        unit: 'x',
        measured: { kind: 'value', value: summarise(clock).mean },
        against: { kind: 'baseline', name: 'one process', value: 1 },
      },
    ];
    return figures;
  },
};

/** Starts a second that the processes could do, were the busiest of them limited by its own core alone. */
async function measured(
  load: Load,
  pids: readonly number[],
): Promise<{ readonly starts: number; readonly rate: number }> {
  if (pids.length === 0) throw new BenchError('failed', 'the gateway has no processes to measure');
  const before = pids.map((pid) => usageOf(pid).cpuSeconds);
  const sessions = sessionsPerRound * pids.length;
  const seconds = await load.open(sessions);
  const spent = pids.map((pid, index) => usageOf(pid).cpuSeconds - (before[index] ?? 0));
  await load.close();
  return { starts: sessions / Math.max(...spent), rate: sessions / seconds };
}

function subfolder(workbench: Workbench, name: string): Workbench {
  const folder = join(workbench.folder, name);
  mkdirSync(folder);
  return { ...workbench, folder };
}
