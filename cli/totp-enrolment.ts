import { askForCode, isAtTerminal } from './ask-for-code.ts';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenApi, chosenData } from './command-context.ts';
import type { EnrollOptions, RemoveOptions, StatusOptions } from './commands/totp.ts';
import { jsonText, printable, table } from './output.ts';
import { qrLines } from './qr-lines.ts';

/** Whoever keeps second factors: this machine's data directory, or a deployment's API. All refuse with a sentence. */
export type FactorDesk = {
  enroll(name: string, wish: { readonly replace: boolean; readonly confirm: boolean }): Promise<NewFactor>;
  /** By the first code of what was enrolled. Refuses with code `code-refused` where another one may be tried. */
  confirm(name: string, code: string): Promise<void>;
  remove(name: string, reason: string): Promise<void>;
  /** Of one identity, or of all that are known. */
  status(name: string | undefined): Promise<readonly FactorStatus[]>;
};

export type NewFactor = {
  readonly secret: string;
  readonly uri: string;
  readonly recoveryCodes: readonly string[];
  /** It counts for nothing yet, and is forgotten then. ISO 8601. */
  readonly confirmBefore?: string;
};

/** What one identity's second factor is like. Times are ISO 8601. */
export type FactorStatus = {
  readonly identity: string;
  readonly factor: 'none' | 'configured' | 'enrolled' | 'unconfirmed';
  readonly enrolledAt?: string;
  readonly enrolledBy?: string;
  /** A new one waits for its first code until then. */
  readonly confirmBefore?: string;
  readonly recoveryCodesLeft: number;
  readonly failures: number;
  readonly lockedUntil?: string;
  readonly driftSeconds: number;
};

/** Secret and recovery codes are shown this once. */
export async function enroll(name: string, options: EnrollOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  if (options.code !== undefined && (options.replace === true || !options.confirm))
    throw new CliError(
      'bad-input',
      '--code confirms what was enrolled before; leave --replace and --no-confirm to the call that enrols',
    );
  const desk = await deskFor(options, context);
  if (options.code !== undefined) {
    await desk.confirm(name, options.code);
    tellConfirmed(name, options, context);
    return;
  }
  const wish = { replace: options.replace === true, confirm: options.confirm };
  const { secret, uri, recoveryCodes, confirmBefore } = await desk.enroll(name, wish);
  if (options.json === true) {
    const confirmed = confirmBefore === undefined;
    output.line(
      jsonText({
        identity: name,
        secret,
        uri,
        recoveryCodes,
        confirmed,
        ...(confirmed ? {} : { confirmBefore }),
      }),
    );
    return;
  }
  if (isAtTerminal()) for (const line of qrLines(uri, process.stderr.columns)) output.note(line);
  for (const line of [uri, '', ...recoveryCodes]) output.line(printable(line));
  output.note(
    `the line that begins with otpauth is for the authenticator app of ${name}, as the QR code of a terminal is; each of the others is a recovery code that stands for one code. None of it is shown again.`,
  );
  if (confirmBefore !== undefined) await confirm(desk, name, confirmBefore, options, context);
}

/** Asks until a code is right, or too many were wrong; says how to go on where there is nobody to ask. */
async function confirm(
  desk: FactorDesk,
  name: string,
  confirmBefore: string,
  options: EnrollOptions,
  context: CommandContext,
): Promise<void> {
  const { output, signal } = context;
  const command = `sshtrail totp enroll ${name} --code CODE`;
  const until = `until ${confirmBefore.slice(11, 16)} UTC`;
  if (!isAtTerminal()) {
    output.note(
      printable(`it does not count yet. With a code that the app shows it does, ${until}: ${command}`),
    );
    return;
  }
  output.note(
    printable(`it counts once the app has shown a right code: type it here, or later, ${until}: ${command}`),
  );
  for (;;) {
    const code = await askForCode('Code of the app: ', signal, 'shown');
    try {
      await desk.confirm(name, code);
      break;
    } catch (fault) {
      if (!(fault instanceof CliError) || fault.code !== 'code-refused') throw fault;
      output.note(printable(fault.message));
    }
  }
  tellConfirmed(name, options, context);
}

function tellConfirmed(name: string, options: EnrollOptions, { output }: CommandContext): void {
  if (options.json === true) output.line(jsonText({ identity: name, confirmed: true }));
  else output.line(printable(`${name} has a second factor that counts from now on`));
}

export async function remove(name: string, options: RemoveOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  await (await deskFor(options, context)).remove(name, options.reason);
  if (options.json === true) output.line(jsonText({ identity: name, removed: true }));
  else output.line(printable(`${name} has no second factor any more`));
}

export async function status(
  name: string | undefined,
  options: StatusOptions,
  context: CommandContext,
): Promise<void> {
  const { output } = context;
  const found = await (await deskFor(options, context)).status(name);
  if (options.json === true) {
    output.line(jsonText(found));
    return;
  }
  const rows = found.map((one) => ({
    identity: one.identity,
    factor: one.factor,
    enrolled_at: one.enrolledAt ?? null,
    confirm_before: one.confirmBefore ?? null,
    recovery_codes_left: one.recoveryCodesLeft,
    locked_until: one.lockedUntil ?? null,
  }));
  for (const line of table(
    ['identity', 'factor', 'enrolled_at', 'confirm_before', 'recovery_codes_left', 'locked_until'],
    rows,
    output.colour,
  ))
    output.line(line);
}

async function deskFor(options: StatusOptions, context: CommandContext): Promise<FactorDesk> {
  const api = chosenApi(options, context);
  return api === undefined
    ? (await import('./factors-locally.ts')).localFactors(chosenData(options, context), context)
    : (await import('./factors-by-api.ts')).apiFactors(api, options, context);
}
