import { Command } from 'commander';
import { type CommandContext, withExamples } from '../command-context.ts';

export function demoCommand(context: CommandContext): Command {
  const command = new Command('demo')
    .description("play the whole story unattended with the system's ssh; exits 0 only if each step held")
    .option('--keep', 'keep the data directory and say where it is')
    .action(async (options: { readonly keep?: boolean }) =>
      (await import('../demo.ts')).demo(options.keep === true, context),
    );
  return withExamples(command, ['npm run demo', 'sshtrail demo --keep']);
}
