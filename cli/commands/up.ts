import { Command, InvalidArgumentError } from 'commander';
import { type CommandContext, type DataOption, withDataOption, withExamples } from '../command-context.ts';

export type UpCommandOptions = DataOption & { readonly sshPort?: number; readonly playground: boolean };

export function upCommand(context: CommandContext): Command {
  const command = new Command('up')
    .description(
      'run the gateway and the runbooks; the first time, make everything they need and a playground',
    )
    .option(
      '--ssh-port <n>',
      'listen here instead of where sshtrail.yaml says (0: any free port)',
      portNumber,
    )
    .option('--no-playground', 'without the playground targets')
    .action(async (options: UpCommandOptions) => (await import('../up.ts')).up(options, context));
  return withExamples(withDataOption(command), [
    'sshtrail up',
    'npm start -- --ssh-port 2223',
    'sshtrail up --data /var/lib/sshtrail --no-playground',
  ]);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port > 65_535)
    throw new InvalidArgumentError('expected a port from 0 to 65535');
  return port;
}
