import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import type { ControlStore } from '#core/contract';
import { confirmFactor, enrollFactor, removeFactor } from '#core/event';
import { confirmTotp, enrollTotp, removeTotp, totpLockedForMs } from '#core/totp';
import { CliError } from './cli-error.ts';
import type { CommandContext } from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { readConfiguration } from './installation.ts';
import { recordByHand } from './own-journal.ts';
import { withControl } from './sessions-locally.ts';
import type { FactorDesk, FactorStatus, NewFactor } from './totp-enrolment.ts';
import { changedMeanwhile, nothingWaits, refusedCode, tooManyCodes } from './totp-refusals.ts';
import { withoutSecrets } from './without-secrets.ts';

export function localFactors(data: DataDirectory, context: CommandContext): FactorDesk {
  return {
    enroll: (name, wish) => enroll(data, name, wish, context),
    confirm: (name, code) => confirm(data, name, code, context),
    remove: (name, reason) => remove(data, name, reason, context),
    status: (name) => status(data, name, context),
  };
}

async function enroll(
  data: DataDirectory,
  name: string,
  wish: { readonly replace: boolean; readonly confirm: boolean },
  context: CommandContext,
): Promise<NewFactor> {
  const { now } = context;
  requirePerson(data, name);
  const by = userInfo().username;
  const enrolment = await withControl(data, now, (control) =>
    enrollTotp({
      control,
      identity: name,
      by,
      nowMs: now(),
      randomBytes,
      ...wish,
      record: (what) => recordByHand(data, context, enrollFactor(by, now(), { identity: name, ...what })),
    }),
  );
  if (enrolment.kind === 'present')
    throw new CliError(
      'bad-input',
      `${name} has a second factor since ${new Date(enrolment.sinceMs).toISOString()}; to make another one good in its place: sshtrail totp enroll ${name} --replace`,
    );
  if (enrolment.kind === 'raced') throw new CliError('bad-input', changedMeanwhile(name));
  const { secret, uri, recoveryCodes, confirmBeforeMs } = enrolment;
  return {
    secret,
    uri,
    recoveryCodes,
    ...(confirmBeforeMs === undefined ? {} : { confirmBefore: new Date(confirmBeforeMs).toISOString() }),
  };
}

async function confirm(
  data: DataDirectory,
  name: string,
  code: string,
  context: CommandContext,
): Promise<void> {
  const { now } = context;
  requirePerson(data, name);
  const by = userInfo().username;
  const confirmation = await withControl(data, now, (control) =>
    confirmTotp({
      control,
      identity: name,
      code,
      nowMs: now(),
      record: (outcome) =>
        recordByHand(data, context, confirmFactor(by, now(), { identity: name, ...outcome })),
    }),
  );
  switch (confirmation.kind) {
    case 'confirmed':
      return;
    case 'refused':
      throw new CliError('code-refused', refusedCode(confirmation.reason));
    case 'locked':
      throw new CliError('bad-input', tooManyCodes(name, confirmation.retryAfterMs));
    case 'nothing-waits':
      throw new CliError('not-found', nothingWaits(name));
    case 'present':
    case 'raced':
      throw new CliError('bad-input', changedMeanwhile(name));
  }
}

async function remove(
  data: DataDirectory,
  name: string,
  reason: string,
  context: CommandContext,
): Promise<void> {
  const { now } = context;
  const said = withoutSecrets(reason, readConfiguration(data));
  const removed = await withControl(data, now, (control) =>
    removeTotp(control, name, () =>
      recordByHand(data, context, removeFactor(userInfo().username, now(), { identity: name, reason: said })),
    ),
  );
  if (!removed)
    throw new CliError(
      'not-found',
      isConfigured(data, name)
        ? `${name} has its second factor from sshtrail.yaml; remove its totp entry there`
        : `${JSON.stringify(name)} has no second factor; "sshtrail totp status" says who has one`,
    );
}

async function status(
  data: DataDirectory,
  name: string | undefined,
  { now }: CommandContext,
): Promise<readonly FactorStatus[]> {
  const { identities } = readConfiguration(data);
  const found = await withControl(data, now, async (control) => {
    const persons = identities.filter(({ type }) => type === 'person').map((identity) => identity.name);
    const enrolled = [...(await control.list('factor')), ...(await control.list('enrolment'))].map(
      ({ id }) => id,
    );
    const names = [...new Set([...persons, ...enrolled])].filter(
      (each) => name === undefined || each === name,
    );
    const configured = new Set(identities.filter(({ totp }) => totp !== undefined).map((each) => each.name));
    return Promise.all(names.map((each) => statusOf(control, configured.has(each), each, now())));
  });
  if (name !== undefined && found.length === 0)
    throw new CliError('not-found', `there is no person ${JSON.stringify(name)} in sshtrail.yaml`);
  return found;
}

async function statusOf(
  control: ControlStore,
  isInConfiguration: boolean,
  identity: string,
  nowMs: number,
): Promise<FactorStatus> {
  const [factor, state, waiting] = await Promise.all([
    control.get('factor', identity),
    control.get('totp', identity),
    control.get('enrolment', identity),
  ]);
  const locked = totpLockedForMs(state?.data, nowMs);
  return {
    identity,
    factor: isInConfiguration
      ? 'configured'
      : factor !== undefined
        ? 'enrolled'
        : waiting !== undefined
          ? 'unconfirmed'
          : 'none',
    ...(factor === undefined
      ? {}
      : {
          enrolledAt: new Date(factor.data.enrolledAtMs).toISOString(),
          enrolledBy: factor.data.enrolledBy,
        }),
    ...(waiting === undefined ? {} : { confirmBefore: new Date(waiting.data.expiresAtMs).toISOString() }),
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
