import { Command } from 'commander';
import {
  type ApiOption,
  type CommandContext,
  type DataOption,
  type JsonOption,
  withApiOption,
  withDataOption,
  withExamples,
  withJsonOption,
} from '../command-context.ts';

export type StatusOptions = DataOption & ApiOption & JsonOption;
export type EnrollOptions = StatusOptions & { readonly replace?: boolean };
export type RemoveOptions = StatusOptions & { readonly reason: string };

/** Second factors: enrolled ones in the control store, and by hand those that the configuration names. */
export function totpCommand(context: CommandContext): Command {
  const command = new Command('totp').description(
    'second factors: enrol an identity for codes, see who has them, take them away',
  );
  const examples: string[] = [];
  for (const [subcommand, example] of [...enrolment(context), ...byHand(context)]) {
    command.addCommand(withExamples(withJsonOption(subcommand), [example]));
    examples.push(example);
  }
  return withExamples(command, examples);
}

type WithExample = readonly [subcommand: Command, example: string];

function enrolment(context: CommandContext): readonly WithExample[] {
  const enroll = new Command('enroll')
    .description(
      'give an identity a second factor: a secret for its authenticator app and ten recovery codes',
    )
    .argument('<identity>')
    .option('--replace', 'in the place of the one it has, which is good for nothing from then on')
    .action(async (name: string, options: EnrollOptions) =>
      (await import('../totp-enrolment.ts')).enroll(name, options, context),
    );
  const remove = new Command('remove')
    .description('take the second factor that was enrolled away from an identity')
    .argument('<identity>')
    .option('--reason <text>', 'goes on record', 'removed by hand')
    .action(async (name: string, options: RemoveOptions) =>
      (await import('../totp-enrolment.ts')).remove(name, options, context),
    );
  const status = new Command('status')
    .description('who has a second factor, how many recovery codes are left, and who is locked out')
    .argument('[identity]')
    .action(async (name: string | undefined, options: StatusOptions) =>
      (await import('../totp-enrolment.ts')).status(name, options, context),
    );
  return [
    [withApiOption(enroll), 'sshtrail totp enroll bob'],
    [withApiOption(status), 'sshtrail totp status'],
    [withApiOption(remove), 'sshtrail totp remove bob --reason "lost the phone"'],
  ];
}

function byHand(context: CommandContext): readonly WithExample[] {
  const code = new Command('code')
    .description('the code an authenticator app would show now (needs the right to read the secret)')
    .argument('<identity>')
    .action(async (name: string, options: DataOption & JsonOption) =>
      (await import('../totp.ts')).printCode(name, options, context),
    );
  const fresh = new Command('new')
    .description('a new secret for sshtrail.yaml, and the URI that authenticator apps read')
    .argument('<identity>')
    .action(async (name: string, options: JsonOption) =>
      (await import('../totp.ts')).printNewSecret(name, options, context),
    );
  return [
    [withDataOption(code), 'sshtrail totp code alice'],
    [fresh, 'sshtrail totp new bob'],
  ];
}
