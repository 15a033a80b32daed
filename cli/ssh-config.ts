import { Command } from 'commander';
import { CliError } from './cli-error.ts';
import { type ClientFiles, clientConfiguration, knownHostsLines } from './client-files.ts';
import {
  type CommandContext,
  chosenData,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from './command-context.ts';
import { gatewayProcess } from './gateway-process.ts';
import { loadInstallation } from './installation.ts';
import { jsonText } from './output.ts';

type Options = DataOption &
  JsonOption & {
    readonly host?: string;
    readonly name: string;
    readonly identity?: string;
    readonly knownHostsFile: string;
    readonly knownHosts?: boolean;
  };

export function sshConfigCommand(context: CommandContext): Command {
  const command = new Command('ssh-config')
    .description("print what an engineer's ssh needs to get through this gateway without a question")
    .option('--host <host[:port]>', 'where engineers reach the gateway (default: where it listens)')
    .option('--name <name>', 'what to call the gateway in ssh -J NAME', 'gateway')
    .option('--identity <file>', 'the private key to log in with (default: what ssh would try)')
    .option(
      '--known-hosts-file <file>',
      'where the lines of --known-hosts will be kept',
      '~/.ssh/known_hosts_sshtrail',
    )
    .option('--known-hosts', 'print the known_hosts lines instead')
    .action(async (options: Options) => {
      const { output } = context;
      const files = await clientFiles(options, context);
      const [configuration, knownHosts] = [clientConfiguration(files), knownHostsLines(files)];
      if (options.json === true) output.line(jsonText({ configuration, knownHosts }));
      else for (const line of options.knownHosts === true ? knownHosts : configuration) output.line(line);
    });
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail ssh-config --known-hosts > ~/.ssh/known_hosts_sshtrail',
    'sshtrail ssh-config --host ssh.example.com:2222 >> ~/.ssh/config   # then ssh root@web-1@gateway, or ssh -J gateway root@web-1',
  ]);
}

async function clientFiles(options: Options, context: CommandContext): Promise<ClientFiles> {
  const data = chosenData(options, context);
  const { configuration, hostKeys, hostAuthority } = await loadInstallation(data);
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(options.name))
    throw new CliError(
      'bad-input',
      'the name of a Host block has letters, digits and . _ -; choose another with --name',
    );
  return {
    alias: options.name,
    ...addressOf(options.host, gatewayProcess(data) ?? configuration.gateway.listen),
    hostKeys: hostKeys.map(({ publicKey }) => publicKey),
    ...(hostAuthority === undefined ? {} : { hostAuthority: hostAuthority.publicKey }),
    targets: configuration.targets,
    knownHostsFile: options.knownHostsFile,
    ...(options.identity === undefined ? {} : { identityFile: options.identity }),
  };
}

function addressOf(
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
