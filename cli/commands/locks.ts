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
import { durationOption } from '../option-values.ts';

export type LockOptions = DataOption &
  ApiOption &
  JsonOption & {
    readonly identity?: string;
    readonly key?: string;
    readonly certificate?: string;
    readonly session?: string;
    readonly target?: string;
    readonly login?: string;
    readonly source?: string;
    readonly all?: boolean;
    readonly message: string;
    /** Milliseconds. */
    readonly for?: number;
  };

export type LockListOptions = DataOption & ApiOption & JsonOption;

export function lockCommand(context: CommandContext): Command {
  const command = new Command('lock')
    .description('end the sessions of whoever fits all that is said, and refuse them until it is lifted')
    .option('--identity <name>', 'whoever proves this identity')
    .option('--key <fingerprint>', 'whoever uses this key, or a certificate of it: SHA256:...')
    .option('--certificate <serial>', 'whoever uses the certificate with this serial')
    .option('--session <id>', 'this session alone')
    .option('--target <name>', 'on this target')
    .option('--login <name>', 'as this account on the target')
    .option('--source <range>', 'from this address or range, such as 192.0.2.0/24')
    .option('--all', 'everybody')
    .option('--message <text>', 'shown to the engineer and kept in the events', 'locked by an operator')
    .option(
      '--for <time>',
      'how long, such as 30m, 8h or 7d (default: until "sshtrail unlock")',
      durationOption,
    )
    .action(async (options: LockOptions) => (await import('../locks.ts')).lock(options, context));
  return withExamples(withJsonOption(withApiOption(command)), [
    'sshtrail lock --identity bob --message "call the security desk" --for 8h',
    'sshtrail lock --target db-1 --login root --message "change freeze"',
    'sshtrail lock --source 192.0.2.0/24',
    'sshtrail lock --identity Engineer+bob --api https://abcde12345.execute-api.eu-central-1.amazonaws.com/live',
  ]);
}

export function unlockCommand(context: CommandContext): Command {
  const command = new Command('unlock')
    .description('lift a lock, so that whoever it fits may come back')
    .argument('<lock>', 'the id of the lock, or enough of its start to be the only one')
    .action(async (id: string, options: LockListOptions) =>
      (await import('../locks.ts')).unlock(id, options, context),
    );
  return withExamples(withJsonOption(withApiOption(command)), ['sshtrail unlock l-01937c2e']);
}

export function locksCommand(context: CommandContext): Command {
  const command = new Command('locks')
    .description('which locks there are')
    .action(async (options: LockListOptions) => (await import('../locks.ts')).locks(options, context));
  return withExamples(withJsonOption(withApiOption(command)), ['sshtrail locks', 'sshtrail locks --json']);
}
