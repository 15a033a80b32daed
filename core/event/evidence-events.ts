import type { AuditDraft } from '#core/contract';
import { draft, isoTime } from './draft.ts';
import { authorIdentity } from './facts.ts';

/** A recording that somebody looks at, from a second on. */
export type RecordingAccess = {
  readonly sessionId: string;
  readonly recordingId: string;
  /** Of its manifest. */
  readonly key: string;
  readonly fromSecond: number;
};

/** Written before anything of the recording is shown. `by` is an operating system user. */
export function viewRecording(by: string, atMs: number, what: RecordingAccess): AuditDraft {
  return accessDraft('ViewRecording', by, atMs, what);
}

/** Somebody watches a session that goes on; written before anything of it is shown. They can only look. */
export function joinSession(
  by: string,
  atMs: number,
  session: {
    readonly sessionId: string;
    readonly identity: string;
    readonly principalId: string;
    readonly login: string;
    readonly target: string;
    readonly sourceIp: string;
  },
  channelId: string | undefined,
): AuditDraft {
  const actor = { userIdentity: authorIdentity(by), userAgent: 'sshtrail', additional: {} };
  const request = {
    subjectSessionId: session.sessionId,
    subjectName: session.identity,
    subjectPrincipalId: session.principalId,
    subjectSourceIp: session.sourceIp,
    target: session.target,
    targetUser: session.login,
    channelId,
  };
  return { ...draft('JoinSession', atMs, actor, { request }), readOnly: true };
}

/** Written before anything is shown of what was found. Who looks for a secret would name it, so the words come with theirs hidden. */
export function queryAuditLog(
  by: string,
  atMs: number,
  what: {
    readonly query: string;
    readonly user?: string | undefined;
    readonly target?: string | undefined;
    readonly sinceMs?: number | undefined;
    readonly untilMs?: number | undefined;
  },
): AuditDraft {
  const actor = { userIdentity: authorIdentity(by), userAgent: 'sshtrail', additional: {} };
  const request = {
    queryKind: 'search',
    query: { text: what.query, maxBytes: maxQueryBytes },
    subjectName: what.user,
    subjectTarget: what.target,
    since: isoTime(what.sinceMs),
    until: isoTime(what.untilMs),
  };
  return { ...draft('QueryAuditLog', atMs, actor, { request }), readOnly: true };
}

const maxQueryBytes = 4096;

/** Written before anything of it is given out. */
export function exportEvidence(
  by: string,
  atMs: number,
  what: RecordingAccess & { readonly format: string },
): AuditDraft {
  return accessDraft('ExportEvidence', by, atMs, what);
}

function accessDraft(
  eventName: 'ViewRecording' | 'ExportEvidence',
  by: string,
  atMs: number,
  what: RecordingAccess & { readonly format?: string },
): AuditDraft {
  const actor = { userIdentity: authorIdentity(by), userAgent: 'sshtrail', additional: {} };
  const request = {
    subjectSessionId: what.sessionId,
    recordingId: what.recordingId,
    recordingKey: what.key,
    fromSecond: what.fromSecond,
    format: what.format,
  };
  return { ...draft(eventName, atMs, actor, { request }), readOnly: true };
}
