import { Command } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';
import { positiveInteger } from '../option-values.ts';

export type LoginOptions = DataOption &
  JsonOption & {
    readonly agent?: boolean;
    readonly file?: boolean;
    readonly folder?: string;
    readonly renew?: boolean;
    readonly validFor?: number;
    readonly code?: string;
    readonly host?: string;
    readonly name: string;
    readonly api?: string;
    readonly region?: string;
    readonly mfa: boolean;
    readonly knownHosts?: string;
  };

export function loginCommand(context: CommandContext): Command {
  const command = new Command('login')
    .description('get a certificate that logs in at the gateway for some hours, and what ssh needs to use it')
    .argument('[identity]', 'whose certificate, in the one-machine form (default: your own user name)')
    .option('--agent', 'keep the private key in the ssh-agent alone (default where SSH_AUTH_SOCK is set)')
    .option('--file', 'keep the private key in a file')
    .option('--folder <dir>', 'where certificate, ssh_config and known_hosts are kept (default: ~/.sshtrail)')
    .option('--renew', 'say and do nothing unless half the life of the certificate there is over')
    .option('--valid-for <seconds>', 'how long, at most what the gateway gives', positiveInteger)
    .option('--code <code>', 'a code of the authenticator app, or a recovery code: asks for nothing')
    .option('--host <host[:port]>', 'where engineers reach the gateway (default: where it listens)')
    .option('--name <name>', 'what to call the gateway: ssh LOGIN@TARGET@NAME', 'gateway')
    .option('--api <url>', 'the control API of a deployment on AWS (default: $SSHTRAIL_API)')
    .option('--region <region>', 'of that API, where its address does not say')
    .option('--no-mfa', 'on AWS: ask for a certificate without a second factor')
    .option('--known-hosts <file>', 'on AWS: where the lines that vouch for the gateway are')
    .action(async (identity: string | undefined, options: LoginOptions) =>
      (await import('../login.ts')).login(identity, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail login alice   # then ssh -F ~/.sshtrail/ssh_config root@web-1@gateway',
    'sshtrail login alice --file --code 123456 --json',
    'sshtrail login --renew --api https://abcde12345.execute-api.eu-central-1.amazonaws.com/live --host ssh.example.com',
  ]);
}
