import { Command } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';

export type SshConfigOptions = DataOption &
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
    .action(async (options: SshConfigOptions) =>
      (await import('../ssh-config.ts')).sshConfig(options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail ssh-config --known-hosts > ~/.ssh/known_hosts_sshtrail',
    'sshtrail ssh-config --host ssh.example.com:2222 >> ~/.ssh/config   # then ssh root@web-1@gateway, or ssh -J gateway root@web-1',
  ]);
}
