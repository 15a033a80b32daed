import type { Comparison, Figure } from './figure.ts';
import { inFlight, type Load, openLoad } from './load.ts';
import { usageOf } from './process-usage.ts';
import { summarise } from './statistics.ts';
import type { Family } from './workbench.ts';

const warmUpSessions = 200;
const sessionsPerRound = 300;
const promised = { direction: 'at-least', limit: 500 } as const;

/** One way's round: sessions per second by the clock, and CPU seconds per session of what stands between or at the ends. */
type Round = { readonly perSecond: number; readonly startSeconds: number; readonly wholeSeconds: number };

export const sessionStarts: Family = {
  name: 'session-starts',
  about: `logins with a shell each, ${inFlight} on their way at once, both legs and a minted certificate: how many a core of the gateway makes a second`,
  async measure(workbench) {
    const load = await openLoad(workbench);
    const { gateway, client, target } = load;
    const ssh2 = await load.ssh2();
    const ways = {
      gateway: () => gateway.usage().cpuSeconds,
      // Past every proxy, client and target are the same two legs with nothing in between: no policy, no evidence.
      direct: () => usageOf(client.pid).cpuSeconds + usageOf(target.pid).cpuSeconds,
      ssh2: () => ssh2.usage().cpuSeconds,
    };
    const names = ['gateway', 'direct', 'ssh2'] as const;
    for (const way of names) {
      await load.open(warmUpSessions, way);
      await load.close();
    }

    const rounds: Record<(typeof names)[number], Round[]> = { gateway: [], direct: [], ssh2: [] };
    for (let round = 1; round <= workbench.rounds; round += 1) {
      for (const way of names) {
        const done = await measured(load, way, ways[way]);
        rounds[way].push(done);
        workbench.progress(
          `session-starts, round ${round}: ${way} ${(done.startSeconds * 1000).toFixed(2)} ms of CPU each, ${(done.wholeSeconds * 1000).toFixed(2)} ms with the end; ${done.perSecond.toFixed(0)} /s by the clock`,
        );
      }
    }
    return figuresOf(rounds);
  },
};

async function measured(load: Load, way: 'gateway' | 'direct' | 'ssh2', cpu: () => number): Promise<Round> {
  const before = cpu();
  const seconds = await load.open(sessionsPerRound, way);
  const opened = cpu();
  await load.close();
  return {
    perSecond: sessionsPerRound / seconds,
    startSeconds: (opened - before) / sessionsPerRound,
    wholeSeconds: (cpu() - before) / sessionsPerRound,
  };
}

function figuresOf(
  rounds: Readonly<Record<'gateway' | 'direct' | 'ssh2', readonly Round[]>>,
): readonly Figure[] {
  const ours = rounds.gateway;
  const perCore = ours.map(({ startSeconds }) => 1 / startSeconds);
  const milliseconds = ours.map(({ startSeconds }) => startSeconds * 1000);
  const beside = (name: string, values: readonly number[]): Comparison => ({
    kind: 'baseline',
    name,
    value: summarise(values).mean,
  });
  const promise = { kind: 'promise', bound: promised } as const;
  return [
    figure('session-starts', '/s/core', perCore, promise),
    figure(
      'sessions-start-to-end',
      '/s/core',
      ours.map(({ wholeSeconds }) => 1 / wholeSeconds),
      promise,
    ),
    figure(
      'session-start-cpu-beside-engine',
      'ms',
      milliseconds,
      beside(
        'client and target',
        rounds.direct.map(({ startSeconds }) => startSeconds * 1000),
      ),
    ),
    figure(
      'session-start-cpu-beside-ssh2',
      'ms',
      milliseconds,
      beside(
        'ssh2',
        rounds.ssh2.map(({ startSeconds }) => startSeconds * 1000),
      ),
    ),
    ...(['direct', 'ssh2'] as const).map((way) =>
      figure(
        way === 'direct' ? 'session-start-rate' : 'session-start-rate-beside-ssh2',
        '/s',
        ours.map(({ perSecond }) => perSecond),
        beside(
          way,
          rounds[way].map(({ perSecond }) => perSecond),
        ),
      ),
    ),
  ];
}

function figure(name: string, unit: string, values: readonly number[], against: Comparison): Figure {
  const { mean, min, max } = summarise(values);
  return { name, unit, measured: { kind: 'value', value: mean, min, max }, against };
}
