import type { AuditDraft, Lock } from '#core/contract';
import { type ApiCaller, apiActor } from './api-events.ts';
import { type Actor, draft, type Fields, isoTime } from './draft.ts';
import { authorIdentity, serviceActor } from './facts.ts';

/** Who makes or removes a lock. */
export type LockAuthor =
  /** An operating system user, at the command line. */
  | { readonly kind: 'person'; readonly name: string }
  | { readonly kind: 'caller'; readonly caller: Omit<ApiCaller, 'mfa'> }
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

/** None of the names that say what a session was: a lock is about it, and nothing happened in it. */
function lockFields({ lockId, selector, message }: Lock): Fields {
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
