import { randomBytes } from 'node:crypto';
import { Command } from 'commander';
import { newTotpSecret, otpauthUri, totpCode } from '#core/totp';
import { CliError } from './cli-error.ts';
import {
  type CommandContext,
  chosenData,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from './command-context.ts';
import { loadInstallation } from './installation.ts';
import { jsonText } from './output.ts';

/** Second factors by hand: a code for the demo identity, a secret for a new one. */
export function totpCommand(context: CommandContext): Command {
  const command = new Command('totp').description(
    'second factors: show the present code of an identity, or make a new secret',
  );
  const code = new Command('code')
    .description('the code an authenticator app would show now (needs the right to read the secret)')
    .argument('<identity>')
    .action(async (name: string, options: DataOption & JsonOption) => {
      const { identities } = await loadInstallation(chosenData(options, context));
      const identity = identities.find((candidate) => candidate.name === name);
      if (identity?.totpSecret === undefined)
        throw new CliError(
          'not-found',
          `${JSON.stringify(name)} is no identity with a second factor; give it a totp entry in sshtrail.yaml`,
        );
      const present = totpCode(identity.totpSecret, context.now());
      context.output.line(options.json === true ? jsonText({ identity: name, code: present }) : present);
    });
  const fresh = new Command('new')
    .description('a new secret, and the URI that authenticator apps read')
    .argument('<identity>')
    .action((name: string, options: JsonOption) => {
      const secret = newTotpSecret(randomBytes);
      const uri = otpauthUri({ issuer: 'sshtrail', identity: name, secret });
      if (options.json === true) context.output.line(jsonText({ identity: name, secret, uri }));
      else for (const line of [secret, uri]) context.output.line(line);
    });
  const examples = ['sshtrail totp code alice', 'sshtrail totp new bob'] as const;
  command.addCommand(withExamples(withJsonOption(withDataOption(code)), [examples[0]]));
  command.addCommand(withExamples(withJsonOption(fresh), [examples[1]]));
  return withExamples(command, examples);
}
