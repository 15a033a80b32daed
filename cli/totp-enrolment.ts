import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import type { ControlStore } from '#core/contract';
import { enrollFactor, removeFactor } from '#core/event';
import { enrollTotp, removeTotp, totpLockedForMs } from '#core/totp';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData, type DataOption, type JsonOption } from './command-context.ts';
import type { EnrollOptions, RemoveOptions } from './commands/totp.ts';
import type { DataDirectory } from './data-directory.ts';
import { readConfiguration } from './installation.ts';
import { jsonText, table } from './output.ts';
import { recordByHand } from './own-journal.ts';
import { withControl } from './sessions.ts';

/** Secret and recovery codes are shown this once. */
export async function enroll(name: string, options: EnrollOptions, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const data = chosenData(options, context);
  requirePerson(data, name);
  const by = userInfo().username;
  const enrolment = await withControl(data, now, (control) =>
    enrollTotp({
      control,
      identity: name,
      by,
      nowMs: now(),
      randomBytes,
      replace: options.replace === true,
      record: (what) => recordByHand(data, context, enrollFactor(by, now(), { identity: name, ...what })),
    }),
  );
  if (enrolment.kind === 'present')
    throw new CliError(
      'bad-input',
      `${name} has a second factor since ${new Date(enrolment.sinceMs).toISOString()}; to make another one good in its place: sshtrail totp enroll ${name} --replace`,
    );
  if (enrolment.kind === 'raced')
    throw new CliError(
      'bad-input',
      `somebody else changed the factor of ${name} at the same time; see "sshtrail totp status"`,
    );
  const { secret, uri, recoveryCodes } = enrolment;
  if (options.json === true) {
    output.line(jsonText({ identity: name, secret, uri, recoveryCodes }));
    return;
  }
  for (const line of [uri, '', ...recoveryCodes]) output.line(line);
  output.note(
    `the first line is for the authenticator app of ${name}; each of the others is a recovery code that stands for one code. None of it is shown again.`,
  );
}

export async function remove(name: string, options: RemoveOptions, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const data = chosenData(options, context);
  const what = { identity: name, reason: options.reason };
  const removed = await withControl(data, now, (control) =>
    removeTotp(control, name, () =>
      recordByHand(data, context, removeFactor(userInfo().username, now(), what)),
    ),
  );
  if (!removed)
    throw new CliError(
      'not-found',
      isConfigured(data, name)
        ? `${name} has its second factor from sshtrail.yaml; remove its totp entry there`
        : `${JSON.stringify(name)} has no second factor; "sshtrail totp status" says who has one`,
    );
  if (options.json === true) output.line(jsonText({ identity: name, removed: true }));
  else output.line(`${name} has no second factor any more`);
}

/** What one identity's second factor is like. Times are ISO 8601. */
type FactorStatus = {
  readonly identity: string;
  readonly factor: 'none' | 'configured' | 'enrolled';
  readonly enrolledAt?: string;
  readonly enrolledBy?: string;
  readonly recoveryCodesLeft: number;
  readonly failures: number;
  readonly lockedUntil?: string;
  readonly driftSeconds: number;
};

export async function status(
  name: string | undefined,
  options: DataOption & JsonOption,
  context: CommandContext,
): Promise<void> {
  const { output, now } = context;
  const data = chosenData(options, context);
  const { identities } = readConfiguration(data);
  const found = await withControl(data, now, async (control) => {
    const persons = identities.filter(({ type }) => type === 'person').map((identity) => identity.name);
    const enrolled = (await control.list('factor')).map(({ id }) => id);
    const names = [...new Set([...persons, ...enrolled])].filter(
      (each) => name === undefined || each === name,
    );
    const configured = new Set(identities.filter(({ totp }) => totp !== undefined).map((each) => each.name));
    return Promise.all(names.map((each) => statusOf(control, configured.has(each), each, now())));
  });
  if (name !== undefined && found.length === 0)
    throw new CliError('not-found', `there is no person ${JSON.stringify(name)} in sshtrail.yaml`);
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

async function statusOf(
  control: ControlStore,
  isInConfiguration: boolean,
  identity: string,
  nowMs: number,
): Promise<FactorStatus> {
  const [factor, state] = await Promise.all([control.get('factor', identity), control.get('totp', identity)]);
  const locked = totpLockedForMs(state?.data, nowMs);
  return {
    identity,
    factor: isInConfiguration ? 'configured' : factor === undefined ? 'none' : 'enrolled',
    ...(factor === undefined
      ? {}
      : {
          enrolledAt: new Date(factor.data.enrolledAtMs).toISOString(),
          enrolledBy: factor.data.enrolledBy,
        }),
    recoveryCodesLeft: factor?.data.recoveryCodes.length ?? 0,
    failures: state?.data.failures ?? 0,
    ...(locked === 0 ? {} : { lockedUntil: new Date(nowMs + locked).toISOString() }),
    driftSeconds: 30 * (state?.data.driftSteps ?? 0),
  };
}

function requirePerson(data: DataDirectory, name: string): void {
  const identity = readConfiguration(data).identities.find((each) => each.name === name);
  if (identity === undefined)
    throw new CliError(
      'not-found',
      `there is no identity ${JSON.stringify(name)} in sshtrail.yaml; add it first`,
    );
  if (identity.type === 'service')
    throw new CliError('bad-input', `${name} is a service: nobody is there to type a code`);
  if (identity.totp !== undefined)
    throw new CliError(
      'bad-input',
      `${name} has its second factor from sshtrail.yaml; remove its totp entry there before you enrol it`,
    );
}

function isConfigured(data: DataDirectory, name: string): boolean {
  return readConfiguration(data).identities.some((each) => each.name === name && each.totp !== undefined);
}
