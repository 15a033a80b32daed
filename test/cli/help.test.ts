import type { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { buildProgram } from '../../cli/program.ts';
import { capturingContext, sshtrail } from '../support/command-line.ts';

const program = buildProgram(capturingContext({}).context);

function allCommands(command: Command, path: readonly string[] = []): readonly [string, Command][] {
  return command.commands.flatMap((each) => {
    const name = [...path, each.name()];
    return [[name.join(' '), each] as [string, Command], ...allCommands(each, name)];
  });
}

function helpOf(command: Command): string {
  let text = '';
  command.configureOutput({ writeOut: (part) => void (text += part) });
  command.outputHelp();
  return text;
}

describe.each(allCommands(program))('sshtrail %s --help', (name, command) => {
  test('has examples that call it', () => {
    const examples = /\nExamples:\n((?: {2}\$ .+\n?)+)/.exec(helpOf(command))?.[1] ?? '';

    const others = name === 'up' || name === 'demo' ? ['npm start', 'npm run demo'] : [];
    expect(examples.trim().split('\n').length).toBeGreaterThan(0);
    for (const example of examples.trim().split('\n'))
      expect([`sshtrail ${name}`, ...others].some((start) => example.trim().startsWith(`$ ${start}`))).toBe(
        true,
      );
  });

  test('has a sentence that says what it is for', () => {
    expect(command.description()).toMatch(/^[a-z].{10,}[^.]$/);
  });
});

test('every command that prints something prints JSON for scripts, too', () => {
  const without = allCommands(program)
    .filter(([, command]) => command.commands.length === 0)
    .filter(([, command]) => !command.options.some(({ long }) => long === '--json'))
    .map(([name]) => name);

  expect(without).toEqual(['up', 'extract', 'export', 'open-original', 'demo']);
});

describe('exit codes', () => {
  test.each([
    [0, ['--help']],
    [0, ['--version']],
    [0, ['query', '--help']],
    [2, []],
    [2, ['nonsense']],
    [2, ['query']],
    [2, ['query', '--bogus', 'SELECT 1']],
    [2, ['last', '-n', 'zero']],
    [2, ['up', '--ssh-port', '65536']],
    [2, ['play', 's-01', '--speed', '-1']],
  ])('are %i for %j', async (code, args) => {
    const finished = await sshtrail(args);

    expect(finished.code).toBe(code);
    expect(finished.stderr).not.toMatch(/^\s+at /m);
    if (code === 2) expect(finished.stdout.toString()).toBe('');
  });
});
