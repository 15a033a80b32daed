import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import type { AccessRequest, Target } from '#core/contract';
import type { AccessActor } from '#core/event';
import {
  breakGlass,
  breakGlassNotice,
  decideRequest,
  grantWish,
  listRequests,
  mayDecide,
  openRequest,
  type RequestDesk,
  type RequestOutcome,
  requestNotice,
  waitsForSomebody,
} from '#core/grant';
import { durationText, type PolicyRequest } from '#core/policy';
import { durationMs } from '#core/runbook';
import { CliError } from './cli-error.ts';
import type { CommandContext } from './command-context.ts';
import type { DataDirectory } from './data-directory.ts';
import { type Installation, loadInstallation } from './installation.ts';
import { configuredNotifier } from './notifier.ts';
import { onlyRequest } from './only-match.ts';
import { recordByHand } from './own-journal.ts';
import type { AccessDesk, AccessWish, Asked, Decided, Decision } from './requests.ts';
import { withControl } from './sessions-locally.ts';
import { withoutSecrets } from './without-secrets.ts';

type Identity = Installation['identities'][number];

/** `as` is who asks or decides; absent: who has the name of the account on this machine. */
export function localRequests(
  data: DataDirectory,
  as: string | undefined,
  context: CommandContext,
): AccessDesk {
  const { now } = context;
  return {
    ask: (wish) => ask(data, as, wish, context),
    async list(isAll) {
      const all = await withControl(data, now, listRequests);
      return isAll ? all : all.filter((each) => waitsForSomebody(each, now()));
    },
    decide: (kind, start, reason) => decide(data, as, { kind, start, reason }, context),
  };
}

async function ask(
  data: DataDirectory,
  as: string | undefined,
  wish: AccessWish,
  context: CommandContext,
): Promise<Asked> {
  const installation = await loadInstallation(data);
  const identity = identityOf(as, installation);
  const target = targetNamed(wish.target, installation);
  const { access } = installation.configuration;
  const wanted = grantWish(
    installation.policy,
    { ...askedBy(identity, target, wish.login, context.now()), action: { kind: 'connect' } },
    {
      id: `r-${randomBytes(16).toString('hex')}`,
      actions: wish.actions,
      reason: withoutSecrets(wish.reason, installation.configuration),
      ...(wish.ticket === undefined
        ? {}
        : { ticket: withoutSecrets(wish.ticket, installation.configuration) }),
      forMs: forMsOf(wish.for, access),
      decideWithinMs: access.requestSeconds * 1000,
      breakGlass: wish.breakGlass,
    },
  );
  if (!wanted.ok) throw new CliError('bad-input', wanted.message);
  const notifier = configuredNotifier(installation.configuration, (line) => context.output.note(line));
  return withControl(data, context.now, async (control) => {
    const desk: RequestDesk = { control, record: recorder(data, context), now: context.now };
    const actor = handOf(identity);
    if (wish.breakGlass) {
      const taken = await breakGlass(desk, actor, wanted.wish);
      return { ...taken, announce: () => notifier.notify(breakGlassNotice(taken.request)) };
    }
    const request = await openRequest(desk, actor, wanted.wish);
    if (request === 'too-many')
      throw new CliError(
        'bad-input',
        'too many of your requests wait; take one back with "sshtrail cancel ID"',
      );
    return { request, announce: () => notifier.notify(requestNotice(request)) };
  });
}

async function decide(
  data: DataDirectory,
  as: string | undefined,
  { kind, start, reason }: { readonly kind: Decision; readonly start: string; readonly reason: string },
  context: CommandContext,
): Promise<Decided> {
  const installation = await loadInstallation(data);
  const identity = identityOf(as, installation);
  return withControl(data, context.now, async (control) => {
    const { id } = onlyRequest(await listRequests(control), start);
    const outcome = await decideRequest(
      { control, record: recorder(data, context), now: context.now },
      handOf(identity),
      id,
      { kind, by: identity.name, reason: withoutSecrets(reason, installation.configuration) },
      (request) =>
        mayDecide(control, installation.policy, request, {
          ...askedBy(identity, request.target, request.login, context.now()),
          action: { kind: 'approve' },
        }),
    );
    return decidedOf(outcome, id);
  });
}

function decidedOf(outcome: RequestOutcome, id: string): Decided {
  if (outcome.kind === 'unknown')
    throw new CliError('not-found', `${id} is gone; "sshtrail requests" lists what waits`);
  if (outcome.kind === 'refused') throw new CliError('bad-input', outcome.message);
  return outcome;
}

function recorder(data: DataDirectory, context: CommandContext): RequestDesk['record'] {
  return (draft) => recordByHand(data, context, draft);
}

function handOf({ name, principalId, type }: Identity): AccessActor {
  return {
    kind: 'hand',
    identity: { name, principalId, type: type === 'service' ? 'ServiceIdentity' : 'LocalUser' },
    account: userInfo().username,
  };
}

/** Whoever may write here may say who they are: the data directory is its owner's alone. */
function identityOf(as: string | undefined, { identities }: Installation): Identity {
  const name = as ?? userInfo().username;
  const identity = identities.find((each) => each.name.toLowerCase() === name.toLowerCase());
  if (identity === undefined)
    throw new CliError(
      'not-found',
      `${JSON.stringify(name)} is no identity of sshtrail.yaml; say who you are with --as NAME`,
    );
  return identity;
}

function targetNamed(name: string, { configuration }: Installation): Target {
  const target = configuration.targets.find((each) => each.name === name);
  if (target === undefined)
    throw new CliError(
      'not-found',
      `${JSON.stringify(name)} is no target of sshtrail.yaml; log in to ask for one that is not in the file`,
    );
  return target;
}

function askedBy(
  { name, type, groups }: Identity,
  { name: target, host, port, labels }: AccessRequest['target'],
  login: string,
  nowMs: number,
): Omit<PolicyRequest, 'action'> {
  return {
    identity: { name, kind: type, groups },
    target: { name: target, host, port, labels },
    login,
    sourceIp: '127.0.0.1',
    nowMs,
  };
}

function forMsOf(
  text: string | undefined,
  { grantSeconds, maxGrantSeconds }: Installation['configuration']['access'],
): number {
  if (text === undefined) return grantSeconds * 1000;
  const ms = durationMs(text);
  if (ms === undefined || ms < 60_000 || ms > maxGrantSeconds * 1000)
    throw new CliError(
      'bad-input',
      `--for takes 1 minute to ${durationText(maxGrantSeconds * 1000)}, written as 90s, 30m, 2h or 1d; access.maxGrantSeconds is the most`,
    );
  return ms;
}
