import { Command, InvalidArgumentError } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';

export type AddHostOptions = DataOption &
  JsonOption & {
    readonly host: string;
    readonly port: number;
    readonly label: readonly string[];
    readonly login: readonly string[];
    readonly key: readonly string[];
    readonly authority: readonly string[];
    readonly scan?: boolean;
    readonly yes?: boolean;
  };

/** The targets of a configuration, and how another one gets into it. */
export function hostsCommand(context: CommandContext): Command {
  const command = new Command('hosts').description(
    'the servers behind the gateway: list them, look at the keys of one, add one, and let them trust the gateway',
  );
  for (const each of [
    listCommand(context),
    scanCommand(context),
    addCommand(context),
    authorityCommand(context),
  ])
    command.addCommand(each);
  return withExamples(command, [
    'sshtrail hosts list',
    'sshtrail hosts scan web-2.example.com:22',
    'sshtrail hosts add web-2 --host web-2.example.com --label env=prod --scan --yes',
    'sshtrail hosts authority > sshtrail-ca.pub',
  ]);
}

function listCommand(context: CommandContext): Command {
  const command = new Command('list')
    .description('the targets of the configuration, how each is known and logged in to')
    .action(async (options: DataOption & JsonOption) =>
      (await import('../hosts.ts')).listHosts(options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail hosts list',
    'sshtrail hosts list --json',
  ]);
}

function scanCommand(context: CommandContext): Command {
  const command = new Command('scan')
    .description('ask a server for its host keys and print what would pin them; trusts nothing by itself')
    .argument('<server>', 'the name of a target, or HOST[:PORT]')
    .action(async (server: string, options: DataOption & JsonOption) =>
      (await import('../hosts.ts')).scanServer(server, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail hosts scan web-1',
    'sshtrail hosts scan web-2.example.com:2222',
    'sshtrail hosts scan [2001:db8::7]:22 --json',
  ]);
}

function addCommand(context: CommandContext): Command {
  const command = new Command('add')
    .description('add a target to sshtrail.yaml, which keeps its comments and its layout')
    .argument('<name>', 'what engineers type: ssh LOGIN@NAME@gateway')
    .requiredOption('--host <host>', 'name or address the gateway connects to')
    .option('--port <port>', 'its port', portNumber, 22)
    .option('--label <name=value>', 'a label for policies; may be given again', repeated, [])
    .option(
      '--login <account>',
      'an account that may be asked for; any if absent; may be given again',
      repeated,
      [],
    )
    .option('--key <line>', 'a host key, as in a .pub file; may be given again', repeated, [])
    .option('--authority <line>', 'instead: the key of its host authority; may be given again', repeated, [])
    .option('--scan', 'instead: the keys that the server shows now')
    .option('--yes', 'with --scan: the fingerprints were compared with those on the server itself')
    .action(async (name: string, options: AddHostOptions) =>
      (await import('../add-host.ts')).addHost(name, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail hosts add web-2 --host 192.0.2.12 --label env=prod --key "ssh-ed25519 AAAA..."',
    'sshtrail hosts add web-2 --host 192.0.2.12 --scan --yes',
  ]);
}

function authorityCommand(context: CommandContext): Command {
  const command = new Command('authority')
    .description('the public key that the servers have to trust, for TrustedUserCAKeys in their sshd_config')
    .action(async (options: DataOption & JsonOption) =>
      (await import('../hosts.ts')).printAuthority(options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail hosts authority | ssh root@web-2.example.com "cat > /etc/ssh/sshtrail-ca.pub"',
  ]);
}

function portNumber(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535)
    throw new InvalidArgumentError('expected a port from 1 to 65535');
  return port;
}

function repeated(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}
