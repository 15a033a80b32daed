import { Command } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';

export function doctorCommand(context: CommandContext): Command {
  const command = new Command('doctor')
    .description('check an installation and say what to do about what is wrong')
    .action(async (options: DataOption & JsonOption) =>
      (await import('../doctor.ts')).doctor(options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail doctor',
    'sshtrail doctor --data /var/lib/sshtrail --json',
  ]);
}
