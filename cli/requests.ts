import { randomBytes } from 'node:crypto';
import { userInfo } from 'node:os';
import type { AccessRequest, ControlStore, Target } from '#core/contract';
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
  reasonText,
  requestNotice,
  stateAt,
  waitsForSomebody,
  whoAndWhere,
} from '#core/grant';
import type { PolicyRequest } from '#core/policy';
import { durationMs } from '#core/runbook';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenData } from './command-context.ts';
import type { DecideOptions, RequestOptions, RequestsOptions } from './commands/requests.ts';
import type { DataDirectory } from './data-directory.ts';
import { type Installation, loadInstallation } from './installation.ts';
import { configuredNotifier } from './notifier.ts';
import { jsonText, printable, table } from './output.ts';
import { recordByHand } from './own-journal.ts';
import { withControl } from './sessions.ts';

type Identity = Installation['identities'][number];

export async function request(options: RequestOptions, context: CommandContext): Promise<void> {
  const data = chosenData(options, context);
  const installation = await loadInstallation(data);
  const identity = identityOf(options.as, installation);
  const target = targetNamed(options.target, installation);
  const { access } = installation.configuration;
  const wanted = grantWish(
    installation.policy,
    { ...askedBy(identity, target, options.login, context.now()), action: { kind: 'connect' } },
    {
      id: `r-${randomBytes(16).toString('hex')}`,
      actions: options.action ?? [],
      reason: options.reason,
      ...(options.ticket === undefined ? {} : { ticket: options.ticket }),
      forMs: forMsOf(options.for, access),
      decideWithinMs: access.requestSeconds * 1000,
      breakGlass: options.breakGlass === true,
    },
  );
  if (!wanted.ok) throw new CliError('bad-input', wanted.message);
  await withControl(data, context.now, async (control) => {
    const desk = deskOf(control, data, context);
    const actor = handOf(identity);
    const notifier = configuredNotifier(installation.configuration, (line) => context.output.note(line));
    if (options.breakGlass === true) {
      const taken = await breakGlass(desk, actor, wanted.wish);
      print(taken.request, `you may log in until ${timeText(taken.grant.untilMs)}`, options, context);
      return notifier.notify(breakGlassNotice(taken.request));
    }
    const opened = await openRequest(desk, actor, wanted.wish);
    if (opened === 'too-many')
      throw new CliError(
        'bad-input',
        'too many of your requests wait; take one back with "sshtrail cancel ID"',
      );
    const people = opened.needed === 1 ? 'one person' : `${opened.needed} people`;
    print(
      opened,
      `waits for approval by ${people} until ${timeText(opened.expiresAtMs)}: sshtrail approve ${opened.id}`,
      options,
      context,
    );
    await notifier.notify(requestNotice(opened));
  });
}

export async function requests(options: RequestsOptions, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const all = await withControl(chosenData(options, context), now, listRequests);
  const shown = options.all === true ? all : all.filter((each) => waitsForSomebody(each, now()));
  if (options.json === true) {
    output.line(jsonText(shown.map((each) => ({ ...each, state: stateAt(each, now()) }))));
    return;
  }
  for (const line of table(
    columns,
    shown.map((each) => rowOf(each, now())),
    output.colour,
  ))
    output.line(line);
}

export async function decide(
  kind: 'approve' | 'reject' | 'cancel',
  id: string,
  options: DecideOptions,
  context: CommandContext,
): Promise<void> {
  const data = chosenData(options, context);
  const installation = await loadInstallation(data);
  const identity = identityOf(options.as, installation);
  const reason = reasonText(options.reason ?? defaultReasons[kind]);
  if (reason === undefined)
    throw new CliError('bad-input', 'a reason has 1 to 500 characters; give one with --reason');
  await withControl(data, context.now, async (control) => {
    const chosen = onlyMatch(await listRequests(control), id);
    const outcome = await decideRequest(
      deskOf(control, data, context),
      handOf(identity),
      chosen.id,
      { kind, by: identity.name, reason },
      (request) =>
        mayDecide(control, installation.policy, request, {
          ...askedBy(identity, request.target, request.login, context.now()),
          action: { kind: 'approve' },
        }),
    );
    report(outcome, chosen.id, options, context);
  });
}

const defaultReasons = { approve: 'approved', reject: '', cancel: 'no longer needed' } as const;

function report(outcome: RequestOutcome, id: string, options: DecideOptions, context: CommandContext): void {
  if (outcome.kind === 'unknown')
    throw new CliError('not-found', `${id} is gone; "sshtrail requests" lists what waits`);
  if (outcome.kind === 'refused') throw new CliError('bad-input', outcome.message);
  const { request: decided, grant } = outcome;
  print(decided, sentenceOf(decided, grant?.untilMs, context.now()), options, context);
}

function sentenceOf(request: AccessRequest, grantUntilMs: number | undefined, nowMs: number): string {
  const { state, approvals, needed, review } = request;
  if (review !== undefined) return `break-glass was ${review.outcome} afterwards`;
  if (state === 'approved') return `approved until ${timeText(grantUntilMs ?? nowMs)}`;
  if (state === 'waiting') return `approved by ${approvals.length} of ${needed}; the others have to as well`;
  return state;
}

function print(
  request: AccessRequest,
  sentence: string,
  options: { readonly json?: boolean },
  { output }: CommandContext,
): void {
  if (options.json === true) output.line(jsonText(request));
  else output.line(printable(`${request.id} (${whoAndWhere(request)}): ${sentence}`));
}

function deskOf(control: ControlStore, data: DataDirectory, context: CommandContext): RequestDesk {
  return { control, record: (draft) => recordByHand(data, context, draft), now: context.now };
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
      `--for takes 1m to ${maxGrantSeconds} s, written as 90s, 30m, 2h or 1d; access.maxGrantSeconds is the most`,
    );
  return ms;
}

function onlyMatch(all: readonly AccessRequest[], id: string): AccessRequest {
  const matches = all.filter((each) => each.id.startsWith(id));
  const [match] = matches;
  if (match === undefined)
    throw new CliError(
      'not-found',
      `no request begins with ${JSON.stringify(id)}; "sshtrail requests --all" lists them`,
    );
  if (matches.length > 1)
    throw new CliError(
      'bad-input',
      `${matches.length} requests begin with ${JSON.stringify(id)}; give more of the id`,
    );
  return match;
}

const columns = ['request', 'identity', 'login', 'target', 'state', 'approvals', 'asked_at', 'reason'];

function rowOf(request: AccessRequest, nowMs: number) {
  const { id, identity, login, target, approvals, needed, askedAtMs, reason } = request;
  const state = stateAt(request, nowMs);
  const isOpen = request.breakGlass && request.review === undefined;
  return {
    request: id,
    identity,
    login,
    target: target.name,
    state: request.breakGlass ? `break-glass${isOpen ? ', to be reviewed' : ''}` : state,
    approvals: `${approvals.length}/${needed}`,
    asked_at: new Date(askedAtMs).toISOString(),
    reason,
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
