import { Command } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';
import { notNegative, secondsOption } from '../option-values.ts';

export type PlayOptions = DataOption &
  JsonOption & {
    readonly at: number;
    readonly speed?: number;
    readonly idleLimit: number;
    readonly channel?: string;
  };

export function playCommand(context: CommandContext): Command {
  const command = new Command('play')
    .description('play what a session showed, in this terminal')
    .argument('<session>', 'the session id, or enough of its start to be the only one')
    .option('--at <time>', 'begin there: seconds, 12:30 or 1:02:03 since the start', secondsOption, 0)
    .option(
      '--speed <n>',
      '2 is twice as fast; 0 shows everything at once (default: 1, and 0 into a pipe)',
      notNegative,
    )
    .option('--idle-limit <seconds>', 'never wait longer than this', notNegative, 2)
    .option('--channel <name>', 'which of the recordings of a session that has several, such as c2')
    .action(async (id: string, options: PlayOptions) =>
      (await import('../play.ts')).playSession(id, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail play s-01937c2e',
    'sshtrail play s-01937c2e --at 12:30 --speed 4',
    'sshtrail play s-01937c2e --json    # one event a line',
  ]);
}
