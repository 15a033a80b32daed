import type { AuditRecord } from '#core/contract';

/** Follows durable records for the number of the oldest session without an end: a search for lost sessions ends there. */
export type OpenSessions = {
  /** Durable records, in order. */
  note(records: readonly AuditRecord[]): void;
  /** No session that began before this number is open. */
  oldestSeq(): number;
};

export function trackOpenSessions(stillOpen: readonly AuditRecord[]): OpenSessions {
  /** In order of their starts. */
  const open = new Map<string, number>();
  let nextSeq = 1;
  const note = (records: readonly AuditRecord[]) => {
    for (const record of records) {
      const { sessionId, chainSeq } = record.additionalEventData;
      const seq = Number(chainSeq);
      nextSeq = seq + 1;
      if (sessionId === undefined) continue;
      if (record.eventName === 'StartSession') open.set(sessionId, seq);
      if (record.eventName === 'EndSession') open.delete(sessionId);
    }
  };
  note(stillOpen);
  return {
    note,
    oldestSeq() {
      const [seq = nextSeq] = open.values();
      return seq;
    },
  };
}
