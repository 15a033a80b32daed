import type { ControlStore, LiveSession } from '#core/contract';

/** Sessions an identity has now, on all gateways. One whose gateway was killed counts until that has been cleared up. */
export async function countSessions(control: ControlStore, identity: string): Promise<number> {
  const items = await control.list('session');
  return items.filter(({ data }) => data.identity === identity && data.state === 'open').length;
}

/** Of these, those of the same identity that began before this one. */
export function countEarlier(live: readonly LiveSession[], session: LiveSession): number {
  return live.filter(
    (other) => other.identity === session.identity && other.state === 'open' && isBefore(other, session),
  ).length;
}

/** Of two that began in the same moment one is the first, whoever asks. */
function isBefore(one: LiveSession, other: LiveSession): boolean {
  if (one.startedAtMs !== other.startedAtMs) return one.startedAtMs < other.startedAtMs;
  return one.sessionId < other.sessionId;
}

/**
 * Puts a session among those of its identity, unless there are `atMost` already. Each is written before it counts, so that of those that
 * come at the same time, on whichever gateways, never too many get in; it may be too few.
 */
export async function takeIdentityPlace(
  control: ControlStore,
  session: LiveSession,
  atMost: number,
): Promise<boolean> {
  await control.put('session', session.sessionId, session, { kind: 'any' });
  if ((await countSessions(control, session.identity)) <= atMost) return true;
  await control.delete('session', session.sessionId);
  return false;
}
