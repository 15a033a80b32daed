import { Command } from 'commander';
import {
  type CommandContext,
  type DataOption,
  type JsonOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';
import { wholeNumber } from '../option-values.ts';

export type PolicyOptions = DataOption & JsonOption;

/** Words as the policies' tables of tests have them. */
export type ExplainOptions = PolicyOptions & {
  readonly user: string;
  readonly action: string;
  readonly target?: string;
  readonly login?: string;
  readonly command?: string;
  readonly subsystem?: string;
  readonly path?: string;
  readonly bytes?: number;
  readonly program?: string;
  readonly destination?: string;
  readonly mfa?: string | true;
  readonly mfaAge?: number;
  readonly approved?: number | true;
  readonly breakGlass?: boolean;
  readonly reason?: string;
  readonly sessions?: number;
  readonly source?: string;
  readonly at?: string;
};

export type TestPolicyOptions = PolicyOptions & { readonly junit?: boolean };

/** Policies before they count: whether they can be used, what they say, and whether that is what was meant. */
export function policyCommand(context: CommandContext): Command {
  const command = new Command('policy').description(
    'check the policies, explain an answer of theirs, and test them',
  );
  for (const each of [checkCommand(context), explainCommand(context), testCommand(context)])
    command.addCommand(each);
  return withExamples(command, [
    'sshtrail policy check',
    'sshtrail policy explain --user alice --target web-1 --login deploy --action shell',
    'sshtrail policy test policy-tests.yaml',
  ]);
}

function checkCommand(context: CommandContext): Command {
  const command = new Command('check')
    .description('whether the gateway could use these policies, and names in them that nobody has')
    .argument('[files...]', "files of policies (default: the configuration's)")
    .action(async (files: readonly string[], options: PolicyOptions) =>
      (await import('../policy.ts')).checkPolicies(files, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail policy check',
    'sshtrail policy check new.cedar --json',
  ]);
}

function explainCommand(context: CommandContext): Command {
  const command = new Command('explain')
    .description('what the gateway would answer, which policies make it, and what would change it')
    .requiredOption('--user <name>', 'an identity of the configuration')
    .requiredOption('--action <action>', 'connect, shell, exec, command, upload, approve, revoke, ...')
    .option('--target <name>', 'a target of the configuration; revoke without one is about all of them')
    .option('--login <account>', 'the account on the target')
    .option('--command <text>', 'of exec and command')
    .option('--subsystem <name>', 'of subsystem')
    .option('--path <path>', 'of upload and download')
    .option('--bytes <count>', 'of upload and download', wholeNumber)
    .option('--program <name>', 'of upload and download: sftp, scp, rsync or git')
    .option('--destination <host:port>', 'of forwards; or the path of a Unix socket')
    .option('--mfa [method]', 'as if a second factor was proved: totp (default), fido2, iam, ...')
    .option('--mfa-age <seconds>', 'how long ago', wholeNumber)
    .option('--approved [count]', 'as if so many (1) had approved', wholeNumber)
    .option('--break-glass', 'as if by a grant for an emergency')
    .option('--reason <text>', 'as if they gave this reason')
    .option('--sessions <count>', 'as if they had so many sessions', wholeNumber)
    .option('--source <address>', 'as if they came from there (default: 192.0.2.1)')
    .option('--at <time>', 'as if it was then, such as 2026-11-20T22:00:00Z (default: now)')
    .action(async (options: ExplainOptions) =>
      (await import('../policy.ts')).explainPolicy(options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail policy explain --user alice --target db-1 --login deploy --action shell --mfa',
    'sshtrail policy explain --user alice --target db-1 --login deploy --action exec --command "systemctl restart pay"',
  ]);
}

function testCommand(context: CommandContext): Command {
  const command = new Command('test')
    .description('ask the questions of a table, and fail where an answer is not the expected one')
    .argument('<file>', 'the table, YAML')
    .option('--junit', 'print a report as JUnit writes it (XML)')
    .action(async (file: string, options: TestPolicyOptions) =>
      (await import('../policy.ts')).testPolicies(file, options, context),
    );
  return withExamples(withJsonOption(withDataOption(command)), [
    'sshtrail policy test policy-tests.yaml',
    'sshtrail policy test policy-tests.yaml --junit > report.xml',
  ]);
}
