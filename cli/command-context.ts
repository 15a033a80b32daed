import type { Command } from 'commander';
import { type DataDirectory, dataDirectory, defaultDataDirectory } from './data-directory.ts';
import type { Output } from './output.ts';

/** What every command is given by the entry. */
export type CommandContext = {
  readonly output: Output;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly now: () => number;
  /** Aborted on SIGINT and SIGTERM. */
  readonly signal: AbortSignal;
  /** Aborted when the same comes again: nobody wants to wait. */
  readonly hurry: AbortSignal;
};

export type DataOption = { readonly data?: string };
export type JsonOption = { readonly json?: boolean };

/** `--data`, else SSHTRAIL_DATA, else the folder `npm start` makes. */
export function chosenData(options: DataOption, context: CommandContext): DataDirectory {
  return dataDirectory(options.data ?? context.environment['SSHTRAIL_DATA'] ?? defaultDataDirectory);
}

export function withDataOption(command: Command): Command {
  return command.option(
    '--data <dir>',
    `the data directory (default: $SSHTRAIL_DATA, else ./${defaultDataDirectory})`,
  );
}

export function withJsonOption(command: Command): Command {
  return command.option('--json', 'print JSON for scripts');
}

/** Commander's help with examples a reader can paste. */
export function withExamples(command: Command, examples: readonly string[]): Command {
  return command.addHelpText(
    'after',
    `\nExamples:\n${examples.map((example) => `  $ ${example}`).join('\n')}`,
  );
}
