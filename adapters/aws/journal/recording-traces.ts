import type { AuditRecord } from '#core/contract';

/** What a stream says of the recordings of sessions without an end. */
export type RecordingTraces = {
  /** Ids of recordings that a StoreRecording names. */
  readonly stored: ReadonlySet<string>;
  /** Ids of recordings that were begun, as far as that is certain: of shells and of commands on a terminal. */
  readonly begun: ReadonlySet<string>;
  /** Sessions of which a ReportAuditLoss says that a recording is lost. */
  readonly reported: ReadonlySet<string>;
};

/** Notes them while records pass, newest first. They are complete when the last one has passed. */
export function traceRecordings(newestFirst: AsyncIterable<AuditRecord>): {
  readonly recordings: RecordingTraces;
  readonly passing: AsyncIterable<AuditRecord>;
} {
  const ended = new Set<string>();
  const stored = new Set<string>();
  const begun = new Set<string>();
  const reported = new Set<string>();

  function note(record: AuditRecord): void {
    const { additionalEventData, requestParameters: request } = record;
    // A loss is told by the gateway, not by the session.
    const session = additionalEventData['sessionId'] ?? request['subjectSessionId'];
    if (session === undefined || ended.has(session)) return;
    if (record.eventName === 'EndSession') ended.add(session);
    if (record.eventName === 'StoreRecording' && request['recordingId'] !== undefined)
      stored.add(request['recordingId']);
    if (record.eventName === 'ReportAuditLoss' && request['subject'] === 'recording') reported.add(session);
    const terminal =
      record.eventName === 'OpenShell' ||
      (record.eventName === 'ExecuteCommand' && request['pty'] === 'true');
    if (terminal && record.errorCode === undefined && request['channelId'] !== undefined)
      begun.add(`${session}/${request['channelId']}`);
  }

  async function* passing(): AsyncGenerator<AuditRecord> {
    for await (const record of newestFirst) {
      note(record);
      yield record;
    }
  }
  return { recordings: { stored, begun, reported }, passing: passing() };
}
