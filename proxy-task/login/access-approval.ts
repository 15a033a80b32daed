import { setTimeout as delay } from 'node:timers/promises';
import type { AccessRequest, Notice, Notifier, Target } from '#core/contract';
import type { AccessActor, Refusal } from '#core/event';
import {
  breakGlass,
  breakGlassNotice,
  expireRequests,
  goodGrants,
  openRequest,
  type RequestDesk,
  reasonText,
  requestNotice,
  stateAt,
  type Wish,
  waitingOf,
  whoAndWhere,
} from '#core/grant';
import type { AccessSettings } from '../gateway-parts.ts';
import type { ApprovalWays } from '../session-access.ts';
import type { ProvenEngineer } from './engineer-authenticator.ts';
import type { LoginDialogue, LoginQuestion, LoginStep } from './login-question.ts';

/** What is missing is somebody's approval. */
export type WantedApproval = ApprovalWays & { readonly target: Target; readonly login: string };

export type AccessApprovalOptions = {
  readonly desk: RequestDesk;
  readonly notifier: Notifier;
  readonly settings: AccessSettings;
  /** How often a request that waits is looked at. */
  readonly lookEveryMs: number;
  readonly proxyId: string;
  readonly wanted: (engineer: ProvenEngineer) => Promise<WantedApproval | undefined>;
  readonly actor: (engineer: ProvenEngineer) => AccessActor;
  /** Who waits has a session's place from then on, where there is one left. */
  readonly takePlace: () => Refusal | undefined;
  /** Puts it on record that the login ends here. */
  readonly denied: (engineer: ProvenEngineer, refusal: Refusal) => Promise<void>;
  /** Hides secrets: people paste all kinds of things. */
  readonly redact: (text: string) => string;
  readonly randomBytes: (size: number) => Buffer;
  readonly report: (line: string) => void;
  /** Aborted when the connection is over. */
  readonly signal: AbortSignal;
};

/** Why a login that needed approval ended without; a closed list. */
type DenyReason =
  | 'approval-awaited'
  | 'approval-impossible'
  | 'break-glass-not-allowed'
  | 'no-reason'
  | 'request-cancelled'
  | 'request-expired'
  | 'request-gone'
  | 'request-rejected'
  | 'too-many-requests';

/** A word every so often, so that whoever waits knows that they still do, and nothing in between thinks the connection dead. */
const wordEveryMs = 25_000;
const breakGlassWord = /^break-glass\b[\s:,-]*/i;

/** Lets a login wait until somebody else has approved it, where policy allows it then. Stock clients show what is said and answer by themselves. */
export function accessApproval(options: AccessApprovalOptions): LoginQuestion {
  return {
    async of(engineer) {
      const wanted = await options.wanted(engineer);
      return wanted === undefined ? undefined : approvalDialogue(options, engineer, wanted);
    },
  };
}

function approvalDialogue(
  options: AccessApprovalOptions,
  engineer: ProvenEngineer,
  wanted: WantedApproval,
): LoginDialogue {
  const { desk, settings } = options;
  const { now } = desk;
  const { target, login } = wanted;
  let waiting: { readonly request: AccessRequest; readonly untilMs: number } | undefined;
  /** The engineer who may go on once they have read why. */
  let approved: ProvenEngineer | undefined;

  async function refuse(denyReason: DenyReason, message: string): Promise<LoginStep> {
    return end({ errorCode: 'AccessDenied', denyReason, message });
  }

  async function end(refusal: Refusal): Promise<LoginStep> {
    await options.denied(engineer, refusal);
    return { kind: 'refused', message: refusal.message };
  }

  /** One that waits already is waited for again: who was cut off comes back to it. */
  async function begin(): Promise<LoginStep> {
    const before = (await waitingOf(desk, engineer.identity.name)).find(
      (request) => request.target.name === target.name && request.login === login,
    );
    if (before !== undefined && wanted.needed !== undefined) return startWaiting(before);
    if (engineer.reason !== undefined && reasonText(engineer.reason) !== undefined)
      return askedFor(engineer.reason);
    return { kind: 'ask', request: reasonPrompt(wanted) };
  }

  async function askedFor(text: string): Promise<LoginStep> {
    const word = breakGlassWord.exec(text.trim());
    if (word !== null && !wanted.breakGlass)
      return refuse(
        'break-glass-not-allowed',
        'policy lets nobody in here by break-glass; give a reason, and wait for approval',
      );
    const given = word === null ? text : text.trim().slice(word[0].length);
    const reason = reasonText(options.redact(given));
    if (reason === undefined)
      return refuse('no-reason', 'a reason has 1 to 500 characters; log in again and give one');
    // A policy may have its own mind of reasons: nobody is asked, and nothing taken, that would not let in with this one.
    const still = await options.wanted({ ...engineer, reason });
    if (still === undefined || (word !== null && !still.breakGlass))
      return refuse(
        'approval-impossible',
        'policy would not let you in with that reason; log in again and give one as it wants it',
      );
    if (word !== null) return takeWithout(reason);
    if (wanted.needed === undefined)
      return refuse(
        'approval-impossible',
        'nobody can approve this; where it cannot wait, log in again and answer "break-glass: why"',
      );
    const request = await openRequest(
      desk,
      options.actor(engineer),
      wishOf(options, engineer, wanted, { reason, needed: wanted.needed }),
    );
    if (request === 'too-many')
      return refuse(
        'too-many-requests',
        'too many of your requests wait; cancel one with "sshtrail cancel ID"',
      );
    tell(options, requestNotice(request));
    return startWaiting(request);
  }

  async function takeWithout(reason: string): Promise<LoginStep> {
    const wish = wishOf(options, engineer, wanted, { reason, needed: wanted.needed ?? 1 });
    const { request, grant } = await breakGlass(desk, options.actor(engineer), wish);
    tell(options, breakGlassNotice(request));
    approved = { ...engineer, reason };
    return say(
      `break-glass: you are in until ${timeText(grant.untilMs)}; people were paged, and somebody else has to approve ${request.id} afterwards`,
    );
  }

  async function startWaiting(request: AccessRequest): Promise<LoginStep> {
    const full = options.takePlace();
    if (full !== undefined) return end(full);
    const people = request.needed === 1 ? 'one person' : `${request.needed} people`;
    const told = `${request.id} waits for approval by ${people}: ${whoAndWhere(request)}`;
    if (settings.waitMs === 0) return refuse('approval-awaited', `${told}; log in again once it is approved`);
    waiting = { request, untilMs: now() + settings.waitMs };
    return say(`${told}\nsshtrail approve ${request.id}`);
  }

  /** One stretch of waiting: until something is decided, or a word is due. */
  async function waitOn({ request: { id }, untilMs }: NonNullable<typeof waiting>): Promise<LoginStep> {
    const wordAtMs = Math.min(untilMs, now() + wordEveryMs);
    for (;;) {
      const item = await desk.control.get('request', id);
      if (item === undefined) return refuse('request-gone', `${id} is gone; log in again to ask again`);
      const step = await stepOf(item.data);
      if (step !== undefined) return step;
      if (now() >= untilMs)
        return refuse(
          'approval-awaited',
          `${id} still waits for approval, until ${timeText(item.data.expiresAtMs)}; log in again once it is approved`,
        );
      if (now() >= wordAtMs)
        return say(
          `${id} still waits for approval (${item.data.approvals.length} of ${item.data.needed} so far)`,
        );
      await delay(options.lookEveryMs, undefined, { signal: options.signal });
    }
  }

  async function stepOf(request: AccessRequest): Promise<LoginStep | undefined> {
    const why = request.decided === undefined ? '' : `: ${request.decided.reason}`;
    switch (stateAt(request, now())) {
      case 'waiting':
        return undefined;
      case 'approved': {
        // The grant comes after its event does; until it is there nobody is in.
        const holder = { identity: engineer.identity.name, target: target.name, login };
        const grant = (await goodGrants(desk, holder)).find((each) => each.requestId === request.id);
        if (grant === undefined) return undefined;
        approved = { ...engineer, reason: request.reason };
        return say(`approved by ${grant.approvedBy.join(' and ')} until ${timeText(grant.untilMs)}`);
      }
      case 'rejected':
        return refuse(
          'request-rejected',
          `${request.id} was rejected by ${request.decided?.by ?? 'somebody'}${why}`,
        );
      case 'cancelled':
        return refuse('request-cancelled', `${request.id} was cancelled${why}`);
      case 'expired':
        await expireRequests(desk, options.proxyId);
        return refuse(
          'request-expired',
          `nobody decided on ${request.id} in time; log in again to ask again`,
        );
    }
  }

  return {
    begin,
    async answer(responses) {
      if (approved !== undefined) return { kind: 'answered', engineer: approved };
      if (waiting !== undefined) return waitOn(waiting);
      return askedFor(responses[0] ?? '');
    },
  };
}

function wishOf(
  { randomBytes, settings }: AccessApprovalOptions,
  engineer: ProvenEngineer,
  { target, login }: WantedApproval,
  { reason, needed }: Pick<Wish, 'reason' | 'needed'>,
): Wish {
  const { name, host, port, labels } = target;
  return {
    id: `r-${randomBytes(16).toString('hex')}`,
    identity: engineer.identity.name,
    target: { name, host, port, labels },
    login,
    actions: ['*'],
    reason,
    forMs: settings.grantMs,
    decideWithinMs: settings.requestMs,
    needed,
  };
}

function reasonPrompt({ target, login, needed, breakGlass: mayBreak }: WantedApproval) {
  const instruction = [
    needed === undefined
      ? `${login} on ${target.name} is open by break-glass alone.`
      : `${login} on ${target.name} needs approval by ${needed === 1 ? 'one person' : `${needed} people`}. Say why.`,
    ...(mayBreak
      ? ['Where it cannot wait, answer "break-glass: why": you are in at once, and people are paged.']
      : []),
  ].join('\n');
  return { name: '', instruction, prompts: [{ text: 'Reason: ', echo: true }] };
}

/** Who asked is not kept waiting for the notice, and gets what policy gives whether or not it went out; that it did not is reported. */
function tell({ notifier, report }: AccessApprovalOptions, notice: Notice): void {
  notifier
    .notify(notice)
    .catch((error: unknown) =>
      report(
        `nobody was told "${notice.title}": ${error instanceof Error ? error.message : 'unknown fault'}`,
      ),
    );
}

function say(instruction: string): LoginStep {
  return { kind: 'ask', request: { name: '', instruction, prompts: [] } };
}

function timeText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
