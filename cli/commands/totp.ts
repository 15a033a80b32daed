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
export type EnrollOptions = StatusOptions & {
  readonly replace?: boolean;
  readonly code?: string;
  readonly confirm: boolean;
};
export type RemoveOptions = StatusOptions & { readonly reason: string };

/** Second factors: enrolled ones in the control store, and by hand those that the configuration names. */
export function totpCommand(context: CommandContext): Command {
  const command = new Command('totp').description(
    'second factors: enrol an identity for codes, see who has them, take them away',
  );
  const examples: string[] = [];
  for (const [subcommand, example, ...more] of [...enrolment(context), ...byHand(context)]) {
    command.addCommand(withExamples(withJsonOption(subcommand), [example, ...more]));
    examples.push(example);
  }
  return withExamples(command, examples);
}

type WithExample = readonly [subcommand: Command, example: string, ...more: string[]];

function enrolment(context: CommandContext): readonly WithExample[] {
  const enroll = new Command('enroll')
    .description(
      'give an identity a second factor: a secret for its authenticator app and ten recovery codes. It counts once the app has shown a right code: on a terminal that is asked for, else --code gives it in a second call, within ten minutes',
    )
    .argument('<identity>')
    .option('--replace', 'in the place of the one it has, which counts until the new one is confirmed')
    .option(
      '--code <code>',
      'the code that the app shows for what was enrolled a moment ago: it counts from now on',
    )
    .option(
      '--no-confirm',
      'it counts at once, for scripts that keep the secret themselves: nobody checks that an app has it',
    )
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
    [
      withApiOption(enroll),
      'sshtrail totp enroll bob',
      'sshtrail totp enroll bob --json > bob.json   # without a terminal: it waits for ...',
      'sshtrail totp enroll bob --code 123456       # ... the code that the app shows',
      'sshtrail totp enroll bob --no-confirm --json',
    ],
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
