import { Command } from 'commander';
import {
  type ApiOption,
  type CommandContext,
  type DataOption,
  type JsonOption,
  withApiOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';

export type ActorOption = { readonly as?: string };
export type RequestOptions = DataOption &
  ApiOption &
  JsonOption &
  ActorOption & {
    readonly target: string;
    readonly login: string;
    readonly reason: string;
    readonly for?: string;
    readonly ticket?: string;
    readonly action?: readonly string[];
    readonly breakGlass?: boolean;
  };
export type RequestsOptions = DataOption & ApiOption & JsonOption & { readonly all?: boolean };
export type DecideOptions = DataOption & ApiOption & JsonOption & ActorOption & { readonly reason?: string };

const implementation = () => import('../requests.ts');

export function requestCommand(context: CommandContext): Command {
  const command = new Command('request')
    .description('ask for access that somebody else has to approve, before logging in')
    .requiredOption('--target <name>', 'the server')
    .requiredOption('--login <account>', 'the account there')
    .requiredOption('--reason <text>', 'why; whoever approves it reads this')
    .option('--for <duration>', 'how long, from the approval on: 90s, 30m, 2h, 1d')
    .option('--ticket <id>', 'where it is written down')
    .option('--action <name...>', 'only these of what policy would allow, such as exec upload')
    .option('--break-glass', 'take it without approval, where policy allows that; people are paged')
    .action(async (options: RequestOptions) => (await implementation()).request(options, context));
  return withExamples(withActorOption(withJsonOption(withApiOption(command))), [
    'sshtrail request --target db-1 --login postgres --reason "restore the index" --for 2h',
    'sshtrail request --target db-1 --login postgres --reason "all is down" --break-glass',
  ]);
}

export function requestsCommand(context: CommandContext): Command {
  const command = new Command('requests')
    .description('requests for access that wait for somebody')
    .option('--all', 'also those that were decided on lately')
    .action(async (options: RequestsOptions) => (await implementation()).requests(options, context));
  return withExamples(withJsonOption(withApiOption(command)), [
    'sshtrail requests',
    'sshtrail requests --all --json',
    'sshtrail requests --api https://abcde12345.execute-api.eu-central-1.amazonaws.com/live',
  ]);
}

export function approveCommand(context: CommandContext): Command {
  const command = decision('approve', 'let somebody in who asked; never yourself')
    .option('--reason <text>', 'kept in the events')
    .action(async (id: string, options: DecideOptions) =>
      (await implementation()).decide('approve', id, options, context),
    );
  return finished(command, ['sshtrail approve r-01937c2e', 'sshtrail approve r-01937c2e --as bob']);
}

export function rejectCommand(context: CommandContext): Command {
  const command = decision('reject', 'turn a request down, or end what was taken by break-glass')
    .requiredOption('--reason <text>', 'who asked reads it')
    .action(async (id: string, options: DecideOptions) =>
      (await implementation()).decide('reject', id, options, context),
    );
  return finished(command, ['sshtrail reject r-01937c2e --reason "not during the freeze"']);
}

export function cancelCommand(context: CommandContext): Command {
  const command = decision('cancel', 'take your request back, or give back what it was granted')
    .option('--reason <text>', 'kept in the events')
    .action(async (id: string, options: DecideOptions) =>
      (await implementation()).decide('cancel', id, options, context),
    );
  return finished(command, ['sshtrail cancel r-01937c2e']);
}

function decision(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .argument('<request>', 'its id, or enough of its start to be the only one');
}

function finished(command: Command, examples: readonly string[]): Command {
  return withExamples(withActorOption(withJsonOption(withApiOption(command))), examples);
}

function withActorOption(command: Command): Command {
  return command.option(
    '--as <identity>',
    'who you are in sshtrail.yaml; not on AWS (default: the identity with the name of your account on this machine)',
  );
}
