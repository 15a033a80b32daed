import { type CommandContext, chosenApi, chosenData } from './command-context.ts';
import type { EnrollOptions, RemoveOptions, StatusOptions } from './commands/totp.ts';
import { jsonText, printable, table } from './output.ts';

/** Whoever keeps second factors: this machine's data directory, or a deployment's API. All refuse with a sentence. */
export type FactorDesk = {
  enroll(name: string, isReplacing: boolean): Promise<NewFactor>;
  remove(name: string, reason: string): Promise<void>;
  /** Of one identity, or of all that are known. */
  status(name: string | undefined): Promise<readonly FactorStatus[]>;
};

export type NewFactor = {
  readonly secret: string;
  readonly uri: string;
  readonly recoveryCodes: readonly string[];
};

/** What one identity's second factor is like. Times are ISO 8601. */
export type FactorStatus = {
  readonly identity: string;
  readonly factor: 'none' | 'configured' | 'enrolled';
  readonly enrolledAt?: string;
  readonly enrolledBy?: string;
  readonly recoveryCodesLeft: number;
  readonly failures: number;
  readonly lockedUntil?: string;
  readonly driftSeconds: number;
};

/** Secret and recovery codes are shown this once. */
export async function enroll(name: string, options: EnrollOptions, context: CommandContext): Promise<void> {
  const { output } = context;
  const desk = await deskFor(options, context);
  const { secret, uri, recoveryCodes } = await desk.enroll(name, options.replace === true);
  if (options.json === true) {
    output.line(jsonText({ identity: name, secret, uri, recoveryCodes }));
    return;
  }
  for (const line of [uri, '', ...recoveryCodes]) output.line(printable(line));
  output.note(
    `the first line is for the authenticator app of ${name}; each of the others is a recovery code that stands for one code. None of it is shown again.`,
  );
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
    recovery_codes_left: one.recoveryCodesLeft,
    locked_until: one.lockedUntil ?? null,
  }));
  for (const line of table(
    ['identity', 'factor', 'enrolled_at', 'recovery_codes_left', 'locked_until'],
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
