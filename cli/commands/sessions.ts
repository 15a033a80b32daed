import { Command } from 'commander';
import {
  type ApiOption,
  type CommandContext,
  type DataOption,
  type JsonOption,
  withApiOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';

export type SessionsOptions = DataOption & ApiOption & JsonOption;
export type KillOptions = SessionsOptions & { readonly reason: string };

export function sessionsCommand(context: CommandContext): Command {
  const command = new Command('sessions')
    .description('who is connected now (as who does)')
    .action(async (options: SessionsOptions) => (await import('../sessions.ts')).sessions(options, context));
  return withExamples(withJsonOption(withApiOption(command)), [
    'sshtrail sessions',
    'sshtrail sessions --json',
  ]);
}

export function killCommand(context: CommandContext): Command {
  const command = new Command('kill')
    .description('end a session at once; its engineer reads why')
    .argument('<session>', 'the session id, or enough of its start to be the only one')
    .option('--reason <text>', 'shown to the engineer and kept in the events', 'ended by an operator')
    .action(async (id: string, options: KillOptions) =>
      (await import('../sessions.ts')).kill(id, options, context),
    );
  return withExamples(withJsonOption(withApiOption(command)), [
    'sshtrail kill s-01937c2e',
    'sshtrail kill s-01937c2e --reason "change window is over"',
  ]);
}
