import { Command } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';
import { positiveInteger } from '../option-values.ts';

export type FolderOption = { readonly directory?: string };

export type RunOptions = FolderOption &
  DataOption &
  JsonOption & { readonly since: number; readonly live?: boolean };

export function runbookCommand(context: CommandContext): Command {
  const command = new Command('runbook').description(
    'what the runbooks are, whether they hold, and a run by hand',
  );
  const commands = [listCommand(context), lintCommand(context), testCommand(context), runCommand(context)];
  for (const each of commands)
    command.addCommand(
      each.option(
        '--directory <dir>',
        "the folder of runbooks (default: the configuration's, else the product's)",
      ),
    );
  return withExamples(command, [
    'sshtrail runbook list',
    'sshtrail runbook test',
    'sshtrail runbook run SSH-002 --since 24',
  ]);
}

function listCommand(context: CommandContext): Command {
  const command = new Command('list')
    .description('the runbooks and their triggers')
    .action(async (options: FolderOption & JsonOption) =>
      (await import('../runbook.ts')).listRunbooks(options, context),
    );
  return withExamples(withJsonOption(command), ['sshtrail runbook list', 'sshtrail runbook list --json']);
}

function lintCommand(context: CommandContext): Command {
  const command = new Command('lint')
    .description('check the files: shape, portable SQL, actions')
    .action(async (options: FolderOption & JsonOption) =>
      (await import('../runbook.ts')).lintRunbooks(options, context),
    );
  return withExamples(withJsonOption(command), [
    'sshtrail runbook lint',
    'sshtrail runbook lint --directory ./runbooks',
  ]);
}

function testCommand(context: CommandContext): Command {
  const command = new Command('test')
    .description('run the tests in the runbooks, with the query that production runs')
    .action(async (options: FolderOption & JsonOption) =>
      (await import('../runbook.ts')).testRunbooks(options, context),
    );
  return withExamples(withJsonOption(command), [
    'sshtrail runbook test',
    'sshtrail runbook test --directory ./runbooks --json',
  ]);
}

function runCommand(context: CommandContext): Command {
  const command = new Command('run')
    .description('run one runbook now; says what it would do, and does it only with --live')
    .argument('<id>', 'such as SSH-002')
    .option('--since <hours>', 'look back this far', positiveInteger, 1)
    .option('--live', 'take the actions, too')
    .action(async (id: string, options: RunOptions) =>
      (await import('../runbook.ts')).runOneRunbook(id, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail runbook run SSH-002 --since 24',
    'sshtrail runbook run SSH-002 --live',
  ]);
}
