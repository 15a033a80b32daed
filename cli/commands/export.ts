import { Command, Option } from 'commander';
import { type CommandContext, type DataOption, withDataOption, withExamples } from '../command-context.ts';
import { notNegative, secondsOption } from '../option-values.ts';

const formats = ['cast', 'cast2', 'text', 'html'] as const;
type Format = (typeof formats)[number];

export type ExportOptions = DataOption & {
  readonly format: Format;
  readonly output?: string;
  readonly at: number;
  readonly idleLimit?: number;
  readonly channel?: string;
};

export function exportCommand(context: CommandContext): Command {
  const command = new Command('export')
    .description('write what a session showed into a file for others')
    .argument('<session>', 'the session id, or enough of its start to be the only one')
    .addOption(
      new Option(
        '--format <format>',
        'cast: asciicast version 3; cast2: version 2; text: what the screen said; html: a page that plays it offline',
      )
        .choices(formats)
        .makeOptionMandatory(),
    )
    .option('--output <file>', 'a file that does not exist yet (default: standard output)')
    .option(
      '--at <time>',
      'begin there: seconds, 12:30 or 1:02:03 since the start; the page has everything and opens there',
      secondsOption,
      0,
    )
    .option('--idle-limit <seconds>', 'shorten longer waits to this (default: times as they were)', positive)
    .option('--channel <name>', 'which of the recordings of a session that has several, such as c2')
    .action(async (id: string, options: ExportOptions) =>
      (await import('../export.ts')).exportSession(id, options, context),
    );
  return withExamples(withDataOption(command), [
    'sshtrail export s-01937c2e --format html --output incident-41.html',
    'sshtrail export s-01937c2e --format html --at 12:30 --idle-limit 3 --output incident-41.html',
    'sshtrail export s-01937c2e --format cast --output incident-41.cast    # asciinema play incident-41.cast',
    'sshtrail export s-01937c2e --format text | grep -n passwd',
  ]);
}

function positive(text: string): number {
  return Math.max(0.1, notNegative(text));
}
