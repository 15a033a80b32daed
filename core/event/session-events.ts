import type { AuditDraft, AuditRecord, LiveSession } from '#core/contract';
import { apiActor, type ProvedCaller } from './api-events.ts';
import { draft, type Refusal } from './draft.ts';
import {
  actorOf,
  authorIdentity,
  type LoginAttempt,
  type SessionFacts,
  sessionFields,
  targetFields,
} from './facts.ts';

/** Why a session ended; a closed list. */
export const endReasons = [
  'ClientDisconnect',
  'TargetClosed',
  'Revoked',
  'Locked',
  'ControlUnavailable',
  'PolicyWithdrawn',
  'PolicyChanged',
  'IdleTimeout',
  'DurationExceeded',
  'ProxyShutdown',
  'ProxyLost',
  'AuditUnavailable',
  'ProtocolError',
  'Error',
] as const;
export type EndReason = (typeof endReasons)[number];

/** Durable before the target sees a byte. */
export function startSession(facts: SessionFacts, atMs: number): AuditDraft {
  return draft('StartSession', atMs, actorOf(facts, atMs), {
    request: { ...targetFields(facts), accessReason: facts.accessReason },
    response: { sessionId: facts.sessionId },
  });
}

export function endSession(
  facts: SessionFacts,
  atMs: number,
  what: {
    readonly endReason: EndReason;
    /** From the engineer to the target. */
    readonly bytesIn: number;
    readonly bytesOut: number;
    readonly seconds: number;
    readonly channels: number;
    /** How many StoreRecording events the session has. */
    readonly recordings: number;
    readonly detail?: string | undefined;
    /** The lock that ended it. */
    readonly lockId?: string | undefined;
    /** The policies that ended it. */
    readonly policySha256?: string | undefined;
  },
): AuditDraft {
  return draft('EndSession', atMs, actorOf(facts, atMs), {
    request: targetFields(facts),
    response: { ...what, sessionId: facts.sessionId },
    refusal:
      what.endReason === 'ProtocolError'
        ? { errorCode: 'ProtocolError', message: what.detail ?? 'a peer broke the SSH protocol; see its log' }
        : undefined,
  });
}

/** The session itself is refused. */
export function denyAccess(who: SessionFacts | LoginAttempt, atMs: number, refusal: Refusal): AuditDraft {
  const accessReason = 'claimedUser' in who ? undefined : who.accessReason;
  return draft('DenyAccess', atMs, actorOf(who, atMs), {
    request: { ...targetFields(who), accessReason },
    refusal,
  });
}

/** The one who acts is the author of the revocation; the session and its engineer stand in the parameters. */
export function revokeSession(
  facts: SessionFacts,
  atMs: number,
  what: { readonly by: string; readonly why: string; readonly lockId?: string },
): AuditDraft {
  const actor = {
    userIdentity: authorIdentity(what.by),
    userAgent: 'sshtrail',
    additional: { ...sessionFields(facts, atMs), sourcePort: undefined },
  };
  return draft('RevokeSession', atMs, actor, {
    request: {
      sessionId: facts.sessionId,
      ...targetFields(facts),
      subjectName: facts.identity.name,
      subjectPrincipalId: facts.identity.principalId,
      subjectSourceIp: facts.sourceIp,
      reason: what.why,
      lockId: what.lockId,
    },
  });
}

/** Somebody wanted to end a session and may not. It is nothing that happened in it, so the session is named as its subject alone. */
export function refuseRevocation(
  caller: ProvedCaller,
  atMs: number,
  what: { readonly session: LiveSession; readonly reason: string; readonly refused: Refusal },
): AuditDraft {
  const { sessionId, identity, principalId, sourceIp, target, login } = what.session;
  return draft('RevokeSession', atMs, apiActor(caller, atMs), {
    request: {
      subjectSessionId: sessionId,
      subjectName: identity,
      subjectPrincipalId: principalId,
      subjectSourceIp: sourceIp,
      subjectTarget: target,
      subjectTargetUser: login,
      reason: what.reason,
    },
    refusal: what.refused,
  });
}

/**
 * Sessions that were started and never ended, oldest first. The search ends at a StopProxy, since a gateway stops with
 * no session open, or at the second StartProxy: a gateway ends the lost sessions of its forerunner before it says that
 * it started, but by then it may have sessions of its own.
 */
export async function findLostSessions(
  newestFirst: AsyncIterable<AuditRecord>,
): Promise<readonly AuditRecord[]> {
  const ended = new Set<string>();
  const lost: AuditRecord[] = [];
  let starts = 0;
  for await (const record of newestFirst) {
    if (record.eventName === 'StartProxy') starts += 1;
    if (record.eventName === 'StopProxy' || starts === 2) break;
    const sessionId = record.additionalEventData['sessionId'];
    if (sessionId === undefined) continue;
    if (record.eventName === 'EndSession') ended.add(sessionId);
    if (record.eventName === 'StartSession' && !ended.delete(sessionId)) lost.push(record);
  }
  return lost.toReversed();
}

/** The EndSession that a gateway which was killed could not write, one for each StartSession. */
export function closeLostSessions(starts: readonly AuditRecord[], atMs: number): readonly AuditDraft[] {
  return starts.map((start) => endLostSession(start, atMs));
}

function endLostSession(start: AuditRecord, atMs: number): AuditDraft {
  return lostSessionDraft(start, 'EndSession', atMs, { endReason: 'ProxyLost' satisfies EndReason });
}

/** The StoreRecording that a gateway which was killed could not write. */
export function storeLostRecording(
  start: AuditRecord,
  atMs: number,
  stored: {
    readonly recordingId: string;
    readonly key: string;
    readonly manifestSha256: string;
    readonly seconds: number;
    readonly bytes: number;
    readonly truncated: boolean;
  },
): AuditDraft {
  const draft = lostSessionDraft(start, 'StoreRecording', atMs, {
    recordingKey: stored.key,
    recordingSha256: stored.manifestSha256,
    recordingSeconds: String(stored.seconds),
    recordingBytes: String(stored.bytes),
    recordingTruncated: String(stored.truncated),
  });
  return { ...draft, requestParameters: { ...draft.requestParameters, recordingId: stored.recordingId } };
}

/** An event of a lost session: who and where as its StartSession says. */
function lostSessionDraft(
  start: AuditRecord,
  eventName: 'EndSession' | 'StoreRecording',
  atMs: number,
  response: Readonly<Record<string, string>>,
): AuditDraft {
  const own = /^(chain|ingestTime$|eventTimeMs$)/;
  const kept = Object.entries(start.additionalEventData).filter(([name]) => !own.test(name));
  return {
    eventName,
    eventTimeMs: atMs,
    readOnly: false,
    userIdentity: start.userIdentity,
    ...(start.sourceIPAddress === undefined ? {} : { sourceIPAddress: start.sourceIPAddress }),
    ...(start.userAgent === undefined ? {} : { userAgent: start.userAgent }),
    requestParameters: start.requestParameters,
    responseElements: { ...start.responseElements, ...response },
    additionalEventData: { ...Object.fromEntries(kept), startEventId: start.eventID },
  };
}
