import type { AccessRequest, LiveSession, Lock } from '#core/contract';
import { CliError } from './cli-error.ts';

export function onlySession(open: readonly LiveSession[], start: string): LiveSession {
  return onlyMatch(open, ({ sessionId }) => sessionId, start, {
    kind: 'open session',
    list: 'sshtrail sessions',
  });
}

export function onlyLock(present: readonly Lock[], start: string): Lock {
  return onlyMatch(present, ({ lockId }) => lockId, start, { kind: 'lock', list: 'sshtrail locks' });
}

export function onlyRequest(all: readonly AccessRequest[], start: string): AccessRequest {
  return onlyMatch(all, ({ id }) => id, start, { kind: 'request', list: 'sshtrail requests --all' });
}

/** The one whose id begins so. @throws CliError where there is none, or several */
function onlyMatch<Item>(
  items: readonly Item[],
  idOf: (item: Item) => string,
  start: string,
  { kind, list }: { readonly kind: string; readonly list: string },
): Item {
  const matches = items.filter((item) => idOf(item).startsWith(start));
  const [match] = matches;
  if (match === undefined)
    throw new CliError('not-found', `no ${kind} begins with ${JSON.stringify(start)}; "${list}" lists them`);
  if (matches.length > 1)
    throw new CliError(
      'bad-input',
      `${matches.length} ${kind}s begin with ${JSON.stringify(start)}; give more of the id`,
    );
  return match;
}
