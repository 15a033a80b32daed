import type { Figure } from './figure.ts';
import { inFlight, openLoad } from './load.ts';
import { usageOf } from './process-usage.ts';
import { summarise } from './statistics.ts';
import type { Family } from './workbench.ts';

const warmUpSessions = 200;
const sessionsPerRound = 300;
const promised = { direction: 'at-least', limit: 500 } as const;

export const sessionStarts: Family = {
  name: 'session-starts',
  about: `logins with a shell each, ${inFlight} on their way at once, both legs and a minted certificate: how many a core of the gateway makes a second`,
  async measure(workbench) {
    const { gateway, client, target, open, close } = await openLoad(workbench);
    const cpu = () => gateway.usage().cpuSeconds;
    // Past the gateway, client and target are the same two legs with nothing in between: no policy, no evidence.
    const endsCpu = () => usageOf(client.pid).cpuSeconds + usageOf(target.pid).cpuSeconds;
    await open(warmUpSessions);
    await close();
    await open(warmUpSessions, 'direct');
    await close();

    const starts: number[] = [];
    const whole: number[] = [];
    const rates: number[] = [];
    const directRates: number[] = [];
    const engine: number[] = [];
    for (let round = 1; round <= workbench.rounds; round += 1) {
      const before = cpu();
      rates.push(sessionsPerRound / (await open(sessionsPerRound)));
      starts.push(sessionsPerRound / (cpu() - before));
      await close();
      whole.push(sessionsPerRound / (cpu() - before));
      const endsBefore = endsCpu();
      directRates.push(sessionsPerRound / (await open(sessionsPerRound, 'direct')));
      engine.push(sessionsPerRound / (endsCpu() - endsBefore));
      await close();
      workbench.progress(
        `session-starts, round ${round}: ${starts.at(-1)?.toFixed(0)} starts, ${whole.at(-1)?.toFixed(0)} whole sessions for each CPU second; ${rates.at(-1)?.toFixed(0)} /s by the clock, ${directRates.at(-1)?.toFixed(0)} /s past the gateway with ${engine.at(-1)?.toFixed(0)} for each CPU second of both ends`,
      );
    }
    const figure = (name: string, values: readonly number[], against: Figure['against']): Figure => {
      const { mean, min, max } = summarise(values);
      return {
        name,
        unit: name === 'session-start-rate' ? '/s' : '/s/core',
        measured: { kind: 'value', value: mean, min, max },
        against,
      };
    };
    return [
      figure('session-starts', starts, { kind: 'promise', bound: promised }),
      figure('sessions-start-to-end', whole, { kind: 'promise', bound: promised }),
      figure('session-starts-beside-engine', starts, {
        kind: 'baseline',
        name: 'client and target',
        value: summarise(engine).mean,
      }),
      figure('session-start-rate', rates, {
        kind: 'baseline',
        name: 'direct',
        value: summarise(directRates).mean,
      }),
    ];
  },
};
