import type { AccessGrant, AccessRequest } from '#core/contract';
import { reasonText, stateAt, whoAndWhere } from '#core/grant';
import { CliError } from './cli-error.ts';
import { type CommandContext, chosenApi, chosenData } from './command-context.ts';
import type { ActorOption, DecideOptions, RequestOptions, RequestsOptions } from './commands/requests.ts';
import { jsonText, printable, table } from './output.ts';

/** Whoever keeps the requests for access: this machine's data directory, or a deployment's API. All refuse with a sentence. */
export type AccessDesk = {
  ask(wish: AccessWish): Promise<Asked>;
  /** Newest first; those that wait for somebody, or all. */
  list(isAll: boolean): Promise<readonly AccessRequest[]>;
  /** On the one whose id begins so. */
  decide(kind: Decision, start: string, reason: string): Promise<Decided>;
};

export type AccessWish = Pick<RequestOptions, 'target' | 'login' | 'reason' | 'for' | 'ticket'> & {
  readonly actions: readonly string[];
  readonly breakGlass: boolean;
};

export type Decision = 'approve' | 'reject' | 'cancel';
export type Decided = { readonly request: AccessRequest; readonly grant?: AccessGrant };
export type Asked = Decided & {
  /** Tells those who decide. */
  readonly announce: () => Promise<void>;
};

export async function request(options: RequestOptions, context: CommandContext): Promise<void> {
  const desk = await deskFor(options, context);
  const { target, login, reason, ticket } = options;
  const asked = await desk.ask({
    target,
    login,
    reason,
    ...(options.for === undefined ? {} : { for: options.for }),
    ...(ticket === undefined ? {} : { ticket }),
    actions: options.action ?? [],
    breakGlass: options.breakGlass === true,
  });
  print(asked.request, waitingSentence(asked), options, context);
  await asked.announce();
}

export async function requests(options: RequestsOptions, context: CommandContext): Promise<void> {
  const { output, now } = context;
  const shown = await (await deskFor(options, context)).list(options.all === true);
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
  kind: Decision,
  start: string,
  options: DecideOptions,
  context: CommandContext,
): Promise<void> {
  const reason = reasonText(options.reason ?? defaultReasons[kind]);
  if (reason === undefined)
    throw new CliError('bad-input', 'a reason has 1 to 500 characters; give one with --reason');
  const decided = await (await deskFor(options, context)).decide(kind, start, reason);
  print(decided.request, decidedSentence(decided, context.now()), options, context);
}

const defaultReasons = { approve: 'approved', reject: '', cancel: 'no longer needed' } as const;

async function deskFor(options: RequestsOptions & ActorOption, context: CommandContext): Promise<AccessDesk> {
  const api = chosenApi(options, context);
  if (api === undefined)
    return (await import('./requests-locally.ts')).localRequests(
      chosenData(options, context),
      options.as,
      context,
    );
  if (options.as !== undefined)
    throw new CliError('bad-input', 'on AWS you are who IAM says you are; leave --as out');
  return (await import('./requests-by-api.ts')).apiRequests(api, options, context);
}

function waitingSentence({ request: { id, needed, expiresAtMs }, grant }: Asked): string {
  if (grant !== undefined) return `you may log in until ${timeText(grant.untilMs)}`;
  const people = needed === 1 ? 'one person' : `${needed} people`;
  return `waits for approval by ${people} until ${timeText(expiresAtMs)}: sshtrail approve ${id}`;
}

function decidedSentence({ request: decided, grant }: Decided, nowMs: number): string {
  const { state, approvals, needed, review } = decided;
  if (review !== undefined) return `break-glass was ${review.outcome} afterwards`;
  if (state === 'approved') return `approved until ${timeText(grant?.untilMs ?? nowMs)}`;
  if (state === 'waiting') return `approved by ${approvals.length} of ${needed}; the others have to as well`;
  return state;
}

function print(
  what: AccessRequest,
  sentence: string,
  options: { readonly json?: boolean },
  { output }: CommandContext,
): void {
  if (options.json === true) output.line(jsonText(what));
  else output.line(printable(`${what.id} (${whoAndWhere(what)}): ${sentence}`));
}

const columns = ['request', 'identity', 'login', 'target', 'state', 'approvals', 'asked_at', 'reason'];

function rowOf(request: AccessRequest, nowMs: number) {
  const { id, identity, login, target, approvals, needed, askedAtMs, reason } = request;
  const state = stateAt(request, nowMs);
  return {
    request: id,
    identity,
    login,
    target: target.name,
    state: request.breakGlass ? `break-glass, ${reviewText(request)}` : state,
    approvals: `${approvals.length}/${needed}`,
    asked_at: new Date(askedAtMs).toISOString(),
    reason,
  };
}

function reviewText({ review }: AccessRequest): string {
  return review === undefined ? 'to be reviewed' : `${review.outcome} afterwards`;
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
