import { parseArgs } from 'node:util';
import { FuzzError } from './fuzz-error.ts';

export type Arguments = {
  readonly seconds: number;
  /** Names of targets; none means all. */
  readonly targets: readonly string[];
  /** One input to run, and nothing else. */
  readonly seedFile?: string;
  /** From what the run's choices follow; another one at each run where it is not given. */
  readonly random: number;
  /** Whether inputs that reached new code are kept as seeds. */
  readonly keep: boolean;
  readonly help: boolean;
};

/** @throws FuzzError `usage`. */
export function parseArguments(argv: readonly string[], known: readonly string[], random: number): Arguments {
  const { target = [], seed, ...values } = parsedValues(argv);
  for (const name of target)
    if (!known.includes(name))
      throw new FuzzError('usage', `there is no target ${JSON.stringify(name)}; --help lists them`);
  if (seed !== undefined && target.length !== 1)
    throw new FuzzError('usage', '--seed takes an input of one target; name it with --target');
  return {
    seconds: whole('--seconds', values.seconds ?? '600', 86_400),
    targets: target,
    ...(seed === undefined ? {} : { seedFile: seed }),
    random: values.random === undefined ? random : whole('--random', values.random, 2 ** 31),
    keep: values.keep === true,
    help: values.help === true,
  };
}

function parsedValues(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        seconds: { type: 'string' },
        target: { type: 'string', multiple: true },
        seed: { type: 'string' },
        random: { type: 'string' },
        keep: { type: 'boolean' },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new FuzzError('usage', error instanceof Error ? error.message : 'the options cannot be read', {
      cause: error,
    });
  }
}

function whole(option: string, text: string, most: number): number {
  const value = Number(text);
  if (!/^\d{1,10}$/.test(text) || value < 1 || value > most)
    throw new FuzzError(
      'usage',
      `${option} takes a whole number from 1 to ${most}, not ${JSON.stringify(text)}`,
    );
  return value;
}
