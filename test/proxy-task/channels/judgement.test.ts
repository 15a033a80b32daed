import { expect, test } from 'vitest';
import type { AuditDraft } from '#core/contract';
import { lockRefusal } from '#core/lock';
import type { ChannelOwner } from '../../../proxy-task/channels/channel-owner.ts';
import { judgeLock } from '../../../proxy-task/channels/judgement.ts';
import { atMs, sessionFacts } from '../../core/event/sample-facts.ts';
import { lockOf } from '../../core/lock/sample-locks.ts';

const lock = lockOf({ identity: 'alice@example.com' });

function ownerWith(locked: ChannelOwner['locked'], drafts: AuditDraft[]) {
  return {
    facts: sessionFacts,
    now: () => atMs,
    locked,
    record: async (draft: AuditDraft) => void drafts.push(draft),
  };
}

test('what begins in a session that is locked is refused with the message, on record with the lock', async () => {
  const drafts: AuditDraft[] = [];

  const verdict = await judgeLock(ownerWith(() => lockRefusal(lock), drafts));

  expect(verdict).toEqual({
    kind: 'refuse',
    openFailureReason: 1,
    exitStatus: 126,
    message: `sshtrail: call the security desk (lock ${lock.lockId}) (session ${sessionFacts.sessionId})`,
  });
  expect(drafts).toMatchObject([
    {
      eventName: 'DenyAccess',
      errorCode: 'AccessDenied',
      additionalEventData: { denyReason: 'locked', lockId: lock.lockId, sessionId: sessionFacts.sessionId },
    },
  ]);
});

test('a session without a lock is judged no further', () => {
  expect(judgeLock(ownerWith(() => undefined, []))).toBeUndefined();
});
