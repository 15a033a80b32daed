import { Command } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';

export type WatchOptions = DataOption & JsonOption & { readonly channel?: string };

export function watchCommand(context: CommandContext): Command {
  const command = new Command('watch')
    .description('look on while a session goes on, in this terminal; nothing can be typed into it')
    .argument('<session>', 'the session id, or enough of its start to be the only one')
    .option('--channel <name>', 'which of the recordings of a session that has several, such as c2')
    .action(async (id: string, options: WatchOptions) =>
      (await import('../watch.ts')).watch(id, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail watch s-01937c2e',
    'sshtrail watch s-01937c2e --channel c2',
    'sshtrail watch s-01937c2e --json    # one event a line',
  ]);
}
