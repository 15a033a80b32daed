import { parseArgs } from 'node:util';
import { BenchError } from './bench-error.ts';

export type Arguments = {
  /** Names of families; none means those that run by default. */
  readonly only: readonly string[];
  /** Where the figures go as JSON. */
  readonly jsonFile?: string;
  /** Of one transfer. */
  readonly sizeMib: number;
  readonly rounds: number;
  /** Where each gateway process leaves its CPU profile. */
  readonly profileDirectory?: string;
  /** Flags of Node for every gateway process. */
  readonly nodeFlags: readonly string[];
  readonly help: boolean;
};

/** @throws BenchError `usage`. */
export function parseArguments(argv: readonly string[], families: readonly string[]): Arguments {
  const values = parsedValues(argv);
  const { only = [], json, profile, 'node-flag': nodeFlags = [] } = values;
  for (const name of only) {
    if (!families.includes(name))
      throw new BenchError(
        'usage',
        `there is no figure family ${JSON.stringify(name)}; choose from ${families.join(', ')}`,
      );
  }
  return {
    only,
    ...(json === undefined ? {} : { jsonFile: json }),
    sizeMib: count('--size', values.size ?? '512', 16 * 1024),
    rounds: count('--rounds', values.rounds ?? '3', 100),
    ...(profile === undefined ? {} : { profileDirectory: profile }),
    nodeFlags,
    help: values.help === true,
  };
}

function parsedValues(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        only: { type: 'string', multiple: true },
        json: { type: 'string' },
        size: { type: 'string' },
        rounds: { type: 'string' },
        profile: { type: 'string' },
        'node-flag': { type: 'string', multiple: true },
        help: { type: 'boolean' },
      },
    }).values;
  } catch (error) {
    throw new BenchError('usage', error instanceof Error ? error.message : 'the options cannot be read', {
      cause: error,
    });
  }
}

function count(option: string, text: string, most: number): number {
  const value = Number(text);
  if (!/^\d{1,6}$/.test(text) || value < 1 || value > most)
    throw new BenchError(
      'usage',
      `${option} takes a whole number from 1 to ${most}, not ${JSON.stringify(text)}`,
    );
  return value;
}
