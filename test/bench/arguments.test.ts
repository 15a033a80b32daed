import { describe, expect, test } from 'vitest';
import { parseArguments } from './arguments.ts';
import { BenchError } from './bench-error.ts';

const families = ['throughput', 'memory'];

describe('the command line of the benchmarks', () => {
  test('has a default for everything', () => {
    expect(parseArguments([], families)).toEqual({ only: [], sizeMib: 512, rounds: 3, help: false });
  });

  test('takes families, a file, a size, rounds and a folder for profiles', () => {
    const argv = ['--only', 'memory', '--only=throughput', '--json', 'f.json'];

    const parsed = parseArguments([...argv, '--size', '64', '--rounds', '1', '--profile', 'p'], families);

    expect(parsed).toEqual({
      only: ['memory', 'throughput'],
      jsonFile: 'f.json',
      sizeMib: 64,
      rounds: 1,
      profileDirectory: 'p',
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
