import type { Command } from 'commander';
import { CliError } from './cli-error.ts';
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
export type ApiOption = { readonly api?: string; readonly region?: string };
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

/** `--api`, else SSHTRAIL_API unless a data directory is named; undefined where it is about one machine. */
export function chosenApi(options: DataOption & ApiOption, context: CommandContext): string | undefined {
  if (options.api !== undefined && options.data !== undefined)
    throw new CliError(
      'bad-input',
      'it is about a deployment on AWS or about the data directory of one machine; give --api or --data, not both',
    );
  const api = options.api ?? (options.data === undefined ? context.environment['SSHTRAIL_API'] : undefined);
  return api === '' ? undefined : api;
}

/** For the commands that work on one machine and on a deployment alike. */
export function withApiOption(command: Command): Command {
  return withDataOption(command)
    .option(
      '--api <url>',
      'the control API of a deployment on AWS, in the place of a data directory (default: $SSHTRAIL_API)',
    )
    .option('--region <region>', 'of that API, where its address does not say');
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
