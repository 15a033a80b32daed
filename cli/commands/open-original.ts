import { Command } from 'commander';
import { type CommandContext, type DataOption, withDataOption, withExamples } from '../command-context.ts';

export type OpenOriginalOptions = DataOption & {
  readonly privateKey: string;
  readonly output: string;
  readonly channel?: string;
};

export function openOriginalCommand(context: CommandContext): Command {
  const command = new Command('open-original')
    .description('write what a session showed before secrets were hidden, with the key it was sealed to')
    .argument('<session>', 'the session id, or enough of its start to be the only one')
    .requiredOption('--private-key <file>', 'the private half of redaction.sealOriginalTo, PEM')
    .requiredOption('--output <file>', 'a file that does not exist yet: asciicast version 3')
    .option('--channel <name>', 'which of the recordings of a session that has several, such as c2')
    .action(async (id: string, options: OpenOriginalOptions) =>
      (await import('../open-original.ts')).openOriginal(id, options, context),
    );
  return withExamples(withDataOption(command), [
    'sshtrail open-original s-01937c2e --private-key original.pem --output incident-41.cast',
  ]);
}
