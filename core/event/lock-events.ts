import type { AuditDraft, Lock } from '#core/contract';
import { apiActor, type ProvedCaller } from './api-events.ts';
import { type Actor, draft, type Fields, isoTime, type Refusal } from './draft.ts';
import { authorIdentity, serviceActor } from './facts.ts';

/** Who makes or removes a lock. */
export type LockAuthor =
  /** An operating system user, at the command line. */
  | { readonly kind: 'person'; readonly name: string }
  | { readonly kind: 'caller'; readonly caller: ProvedCaller }
  | { readonly kind: 'runbook'; readonly runbookId: string };

/** As locks and events name them. */
export function nameOfAuthor(author: LockAuthor): string {
  switch (author.kind) {
    case 'person':
      return author.name;
    case 'caller':
      return `iam:${author.caller.identity.name}`;
    case 'runbook':
      return `runbook/${author.runbookId}`;
  }
}

/** On record before the lock is in the store. */
export function createLock(author: LockAuthor, atMs: number, lock: Lock): AuditDraft {
  return draft('CreateLock', atMs, actorOf(author, atMs), {
    request: lockFields(lock),
    response: { validTo: isoTime(lock.expiresAtMs) },
  });
}

/** The lock as it was. One that expires has no such event. */
export function deleteLock(author: LockAuthor, atMs: number, lock: Lock, detail?: string): AuditDraft {
  return draft('DeleteLock', atMs, actorOf(author, atMs), {
    request: { ...lockFields(lock), lockAuthor: lock.author },
    response: { validTo: isoTime(lock.expiresAtMs), detail },
  });
}

/** A lock that somebody wanted to make and may not. There is none, so it has no id. */
export function refuseLock(
  author: LockAuthor,
  atMs: number,
  wish: Pick<Lock, 'selector' | 'message'>,
  refusal: Refusal,
): AuditDraft {
  return draft('CreateLock', atMs, actorOf(author, atMs), { request: lockFields(wish), refusal });
}

/** One that somebody wanted to lift and may not: it still holds. */
export function refuseUnlock(author: LockAuthor, atMs: number, lock: Lock, refusal: Refusal): AuditDraft {
  return draft('DeleteLock', atMs, actorOf(author, atMs), {
    request: { ...lockFields(lock), lockAuthor: lock.author },
    refusal,
  });
}

/** None of the names that say what a session was: a lock is about it, and nothing happened in it. */
function lockFields({
  lockId,
  selector,
  message,
}: Pick<Lock, 'selector' | 'message'> & Partial<Pick<Lock, 'lockId'>>): Fields {
  return {
    lockId,
    subjectName: selector.identity,
    subjectKeyFingerprint: selector.keyFingerprint,
    subjectCertificateSerial: selector.certificateSerial,
    subjectSessionId: selector.sessionId,
    subjectTarget: selector.target,
    subjectTargetUser: selector.login,
    subjectSource: selector.source,
    everybody: selector.all,
    reason: message,
  };
}

function actorOf(author: LockAuthor, atMs: number): Actor {
  switch (author.kind) {
    case 'person':
      return { userIdentity: authorIdentity(author.name), userAgent: 'sshtrail', additional: {} };
    case 'caller':
      return apiActor(author.caller, atMs);
    case 'runbook':
      return serviceActor(nameOfAuthor(author), {});
  }
}
