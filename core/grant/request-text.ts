import type { AccessRequest, Notice } from '#core/contract';
import { printable } from '../wording/index.ts';
import type { DecisionRefusal } from './access-request.ts';

const maxReasonLength = 500;
export const maxTicketLength = 100;

/** A reason as it is kept: one line, fit for a terminal. Undefined where there is none or too much of it. */
export function reasonText(text: string): string | undefined {
  const plain = printable(text.trim());
  return plain === '' || plain.length > maxReasonLength ? undefined : plain;
}

/** `alice as deploy on db-1`. */
export function whoAndWhere({ identity, login, target }: AccessRequest): string {
  return printable(`${identity} as ${login} on ${target.name}`);
}

/** What people are told of a new request: who, what, why, and the command that decides on it. */
export function requestNotice(request: AccessRequest): Notice {
  const { id, reason, ticket, needed, expiresAtMs, forMs } = request;
  return {
    severity: 'medium',
    title: `${whoAndWhere(request)} needs approval`,
    text: [
      `Reason: ${reason}`,
      ...(ticket === undefined ? [] : [`Ticket: ${ticket}`]),
      `For ${minutes(forMs)}; by ${needed === 1 ? 'one person' : `${needed} people`}, until ${new Date(expiresAtMs).toISOString()}.`,
      `sshtrail approve ${id}`,
      `sshtrail reject ${id} --reason "..."`,
    ].join('\n'),
  };
}

/** A page: somebody is in without approval. */
export function breakGlassNotice(request: AccessRequest): Notice {
  const { id, reason, ticket, forMs } = request;
  return {
    severity: 'critical',
    title: `break-glass: ${whoAndWhere(request)}`,
    text: [
      `Reason: ${reason}`,
      ...(ticket === undefined ? [] : [`Ticket: ${ticket}`]),
      `Nobody approved it; it lasts ${minutes(forMs)}. Somebody else has to look at it:`,
      `sshtrail approve ${id}`,
      `sshtrail reject ${id} --reason "..."   (ends it at once)`,
    ].join('\n'),
  };
}

export const refusalSentences: Readonly<Record<DecisionRefusal, string>> = {
  'own-request': 'this is your own request; somebody else has to decide on it',
  'approved-before': 'you have approved it already; it counts once, so ask somebody else',
  'not-own-request': 'only who asked for it can take it back; reject it instead',
  'decided-before': 'somebody has decided on it before; "sshtrail requests --all" shows how',
  expired: 'its time is over; ask for access again',
};

function minutes(ms: number): string {
  const whole = Math.max(1, Math.round(ms / 60_000));
  return whole % 60 === 0 ? `${whole / 60} h` : `${whole} min`;
}
