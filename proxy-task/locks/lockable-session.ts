import type { LoginAttempt, SessionFacts } from '#core/event';
import { type LockFacts, lockRefusal } from '#core/lock';
import type { Session } from '../session.ts';
import type { EndOrder, Lockable } from './lock-guard.ts';

/** What locks are compared with. Before a target is chosen there is none to compare. */
export function lockFactsOf(who: SessionFacts | LoginAttempt): LockFacts {
  const { sessionId, sourceIp, keyFingerprint, certificateSerial } = who;
  const known = { sessionId, sourceIp, keyFingerprint, certificateSerial };
  return 'claimedUser' in who
    ? { ...known, identity: who.identity?.name, target: who.requestedTarget, login: who.requestedLogin }
    : { ...known, identity: who.identity.name, target: who.target.name, login: who.login };
}

/** Who is to go, goes: also where that cannot be put on record any more. */
export function lockableSession(session: Session, report: (line: string) => void): Lockable {
  return {
    end(order) {
      if (order.kind === 'control-unreadable') session.stop(unreadable);
      else void lockOut(session, order, report);
    },
  };
}

const unreadable = {
  endReason: 'ControlUnavailable',
  message: 'the gateway can no longer read who is locked out, so the session ends',
} as const;

async function lockOut(
  session: Session,
  { lock }: EndOrder & { readonly kind: 'locked' },
  report: (line: string) => void,
): Promise<void> {
  try {
    await session.lockOut(lock);
  } catch (error) {
    report(
      `session ${session.facts.sessionId} could not be locked out with evidence, so it is cut: ${error instanceof Error ? error.message : 'unknown'}`,
    );
    session.stop({ endReason: 'Locked', message: lockRefusal(lock).message, lockId: lock.lockId });
  }
}
