import { Command } from 'commander';
import { type CommandContext, withExamples } from '../command-context.ts';

export type ExtractOptions = { readonly hidden?: boolean };

export function extractCommand(context: CommandContext): Command {
  const command = new Command('extract')
    .description('list the commands in a recording of both directions of a terminal')
    .argument('<recording.jsonl>', 'a header line, then one {"t","k","d"} a line; k is i, o or r')
    .option('--hidden', 'also list where something was typed that was not shown')
    .action(async (path: string, options: ExtractOptions) =>
      (await import('../extract.ts')).extract(path, options, context),
    );
  return withExamples(command, [
    'sshtrail extract recording.jsonl',
    `sshtrail extract recording.jsonl | jq -r '[.t, .text] | @tsv'`,
  ]);
}
