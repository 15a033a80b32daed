import { randomBytes } from 'node:crypto';
import { newTotpSecret, otpauthUri, totpCode } from '#core/totp';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData, type DataOption, type JsonOption } from './command-context.ts';
import { loadInstallation } from './installation.ts';
import { jsonText } from './output.ts';

export async function printCode(
  name: string,
  options: DataOption & JsonOption,
  context: CommandContext,
): Promise<void> {
  const { identities } = await loadInstallation(chosenData(options, context));
  const identity = identities.find((candidate) => candidate.name === name);
  if (identity?.totpSecret === undefined)
    throw new CliError(
      'not-found',
      `${JSON.stringify(name)} is no identity with a second factor; give it a totp entry in sshtrail.yaml`,
    );
  const present = totpCode(identity.totpSecret, context.now());
  context.output.line(options.json === true ? jsonText({ identity: name, code: present }) : present);
}

export function printNewSecret(name: string, options: JsonOption, { output }: CommandContext): void {
  const secret = newTotpSecret(randomBytes);
  const uri = otpauthUri({ issuer: 'sshtrail', identity: name, secret });
  if (options.json === true) output.line(jsonText({ identity: name, secret, uri }));
  else for (const line of [secret, uri]) output.line(line);
}
