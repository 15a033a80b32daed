import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { newTotpSecret, otpauthUri, totpCode } from '#core/totp';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData, type DataOption, type JsonOption } from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { loadInstallation } from './installation.ts';
import { jsonText } from './output.ts';
import { withControl } from './sessions-locally.ts';

export async function printCode(
  name: string,
  options: DataOption & JsonOption,
  context: CommandContext,
): Promise<void> {
  const data = chosenData(options, context);
  const { identities } = await loadInstallation(data);
  const configured = identities.find((candidate) => candidate.name === name)?.totpSecret;
  const secret = configured ?? (await enrolledSecret(data, name, context));
  if (secret === undefined)
    throw new CliError(
      'not-found',
      `${JSON.stringify(name)} is no identity with a second factor; give it a totp entry in sshtrail.yaml, or run: sshtrail totp enroll NAME`,
    );
  const present = totpCode(secret, context.now());
  context.output.line(options.json === true ? jsonText({ identity: name, code: present }) : present);
}

export function printNewSecret(name: string, options: JsonOption, { output }: CommandContext): void {
  const secret = newTotpSecret(randomBytes);
  const uri = otpauthUri({ issuer: 'sshtrail', identity: name, secret });
  if (options.json === true) output.line(jsonText({ identity: name, secret, uri }));
  else for (const line of [secret, uri]) output.line(line);
}

async function enrolledSecret(
  data: DataDirectory,
  name: string,
  { now }: CommandContext,
): Promise<string | undefined> {
  if (!existsSync(data.control)) return undefined;
  return withControl(data, now, async (control) => (await control.get('factor', name))?.data.secret);
}
