import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { newTotpSecret, otpauthUri, totpCode } from '#core/totp';
import { CliError } from './cli-error.ts';
import {
  type CommandContext,
  chosenData,
  type DataOption,
  withDataOption,
  withExamples,
} from './command-context.ts';
import { loadInstallation } from './installation.ts';

/** Second factors by hand: a code for the demo identity, a secret for a new one. */
export function totpCommand(context: CommandContext): Command {
  const command = new Command('totp').description(
    'second factors: show the present code of an identity, or make a new secret',
  );
  const code = new Command('code')
    .description('the code an authenticator app would show now (needs the right to read the secret)')
    .argument('<identity>')
    .action(async (name: string, options: DataOption) => {
      const { identities } = await loadInstallation(chosenData(options, context));
      const identity = identities.find((candidate) => candidate.name === name);
      if (identity?.totpSecret === undefined)
        throw new CliError(
          'not-found',
          `${JSON.stringify(name)} is no identity with a second factor in sshtrail.yaml`,
        );
      context.output.line(totpCode(identity.totpSecret, context.now()));
    });
  const fresh = new Command('new')
    .description('a new secret, and the URI that authenticator apps read')
    .argument('<identity>')
    .action((name: string) => {
      const secret = newTotpSecret(randomBytes);
      context.output.line(secret);
      context.output.line(otpauthUri({ issuer: 'sshtrail', identity: name, secret }));
    });
  return withExamples(command.addCommand(withDataOption(code)).addCommand(fresh), [
    'sshtrail totp code alice',
    'sshtrail totp new bob',
  ]);
}
