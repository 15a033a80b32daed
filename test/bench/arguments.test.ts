import { describe, expect, test } from 'vitest';
import { parseArguments } from './arguments.ts';
import { BenchError } from './bench-error.ts';

const families = ['throughput', 'memory'];

describe('the command line of the benchmarks', () => {
  test('has a default for everything', () => {
    expect(parseArguments([], families)).toEqual({
      only: [],
      sizeMib: 512,
      rounds: 3,
      nodeFlags: [],
      help: false,
    });
  });

  test('takes families, a file, a size, rounds, a folder for profiles and flags for Node', () => {
    const argv = ['--only', 'memory', '--only=throughput', '--json', 'f.json'];

    const parsed = parseArguments(
      [...argv, '--size', '64', '--rounds', '1', '--profile', 'p', '--node-flag=--max-semi-space-size=1'],
      families,
    );

    expect(parsed).toEqual({
      only: ['memory', 'throughput'],
      jsonFile: 'f.json',
      sizeMib: 64,
      rounds: 1,
      profileDirectory: 'p',
      nodeFlags: ['--max-semi-space-size=1'],
      help: false,
    });
  });

  test.each([
    ['fail/an unknown family', ['--only', 'disk'], /no figure family "disk"; choose from throughput, memory/],
    ['fail/an unknown option', ['--fast'], /--fast/],
    ['fail/a size that is no number', ['--size', '1e3'], /--size takes a whole number/],
    ['fail/no rounds', ['--rounds', '0'], /--rounds takes a whole number/],
    ['fail/a stray word', ['memory'], /memory/],
  ])('refuses %s', (_name, argv, message) => {
    expect(() => parseArguments(argv, families)).toThrow(
      expect.objectContaining({
        name: BenchError.name,
        code: 'usage',
        message: expect.stringMatching(message),
      }),
    );
  });
});
