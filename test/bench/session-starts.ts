import type { Figure } from './figure.ts';
import { inFlight, openLoad } from './load.ts';
import { summarise } from './statistics.ts';
import type { Family } from './workbench.ts';

const warmUpSessions = 300;
const sessionsPerRound = 500;
const promised = { direction: 'at-least', limit: 500 } as const;

export const sessionStarts: Family = {
  name: 'session-starts',
  about: `logins with a shell each, ${inFlight} on their way at once, both legs and a minted certificate: how many a core of the gateway makes a second`,
  async measure(workbench) {
    const { gateway, open, close } = await openLoad(workbench);
    const cpu = () => gateway.usage().cpuSeconds;
    await open(warmUpSessions);
    await close();
    await open(warmUpSessions, 'direct');
    await close();

    const starts: number[] = [];
    const whole: number[] = [];
    const rates: number[] = [];
    const directRates: number[] = [];
    for (let round = 1; round <= workbench.rounds; round += 1) {
      const before = cpu();
      rates.push(sessionsPerRound / (await open(sessionsPerRound)));
      starts.push(sessionsPerRound / (cpu() - before));
      await close();
      whole.push(sessionsPerRound / (cpu() - before));
      directRates.push(sessionsPerRound / (await open(sessionsPerRound, 'direct')));
      await close();
      workbench.progress(
        `session-starts, round ${round}: ${starts.at(-1)?.toFixed(0)} starts, ${whole.at(-1)?.toFixed(0)} whole sessions for each CPU second; ${rates.at(-1)?.toFixed(0)} /s by the clock, ${directRates.at(-1)?.toFixed(0)} /s past the gateway`,
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
      figure('session-start-rate', rates, {
        kind: 'baseline',
        name: 'direct',
        value: summarise(directRates).mean,
      }),
    ];
  },
};
