import { CliError } from './cli-error.ts';
import { type ClientFiles, clientConfiguration, knownHostsLines } from './client-files.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { SshConfigOptions } from './commands/ssh-config.ts';
import type { DataDirectory } from './data-directory.ts';
import { gatewayProcess } from './gateway-process.ts';
import { type Installation, loadInstallation } from './installation.ts';
import { jsonText } from './output.ts';

export async function sshConfig(options: SshConfigOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const files = await clientFiles(options, context);
  const [configuration, knownHosts] = [clientConfiguration(files), knownHostsLines(files)];
  if (options.json === true) output.line(jsonText({ configuration, knownHosts }));
  else for (const line of options.knownHosts === true ? knownHosts : configuration) output.line(line);
}

async function clientFiles(options: SshConfigOptions, context: CommandContext): Promise<ClientFiles> {
  const data = chosenData(options, context);
  return clientFilesOf(await loadInstallation(data), data, options);
}

/** What ssh has to know of the gateway of an installation. */
export function clientFilesOf(
  { configuration, hostKeys, hostAuthority }: Installation,
  data: DataDirectory,
  options: Pick<SshConfigOptions, 'name' | 'host' | 'identity' | 'knownHostsFile'>,
): ClientFiles {
  return {
    alias: requireAlias(options.name),
    ...addressOf(options.host, gatewayProcess(data) ?? configuration.gateway.listen),
    hostKeys: hostKeys.map(({ publicKey }) => publicKey),
    ...(hostAuthority === undefined ? {} : { hostAuthority: hostAuthority.publicKey }),
    targets: configuration.targets,
    knownHostsFile: options.knownHostsFile,
    ...(options.identity === undefined ? {} : { identityFile: options.identity }),
  };
}

export function requireAlias(name: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name))
    throw new CliError(
      'bad-input',
      'the name of a Host block has letters, digits and . _ -; choose another with --name',
    );
  return name;
}

export function addressOf(
  given: string | undefined,
  listening: { readonly host: string; readonly port: number },
): { readonly host: string; readonly port: number } {
  if (given === undefined) return { host: listening.host, port: listening.port };
  const [, host, port] = /^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(given) ?? [];
  const number = port === undefined ? listening.port : Number(port);
  if (host === undefined || number < 1 || number > 65_535)
    throw new CliError(
      'bad-input',
      '--host is a name or an address with or without a port, such as ssh.example.com:2222',
    );
  return { host: host.replace(/^\[|\]$/g, ''), port: number };
}
