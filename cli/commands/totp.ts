import { Command } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';

/** Second factors by hand: a code for the demo identity, a secret for a new one. */
export function totpCommand(context: CommandContext): Command {
  const command = new Command('totp').description(
    'second factors: show the present code of an identity, or make a new secret',
  );
  const code = new Command('code')
    .description('the code an authenticator app would show now (needs the right to read the secret)')
    .argument('<identity>')
    .action(async (name: string, options: DataOption & JsonOption) =>
      (await import('../totp.ts')).printCode(name, options, context),
    );
  const fresh = new Command('new')
    .description('a new secret, and the URI that authenticator apps read')
    .argument('<identity>')
    .action(async (name: string, options: JsonOption) =>
      (await import('../totp.ts')).printNewSecret(name, options, context),
    );
  const examples = ['sshtrail totp code alice', 'sshtrail totp new bob'] as const;
  command.addCommand(withExamples(withJsonOption(withDataOption(code)), [examples[0]]));
  command.addCommand(withExamples(withJsonOption(fresh), [examples[1]]));
  return withExamples(command, examples);
}
