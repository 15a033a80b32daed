import type { EnteredRecord } from './entered-record.ts';
import type { Place, ProblemList } from './problem.ts';

export type SessionSummary = {
  readonly started: number;
  readonly ended: number;
  /** Started, not ended, and known to be open. */
  readonly live: number;
  /** Those, at most a thousand of them. */
  readonly open: readonly string[];
};

/** Whether a session of a stream that has no end may still be open. */
export type IsLive = (sessionId: string, stream: string) => boolean;

const maxOpenNamed = 1000;

type Entry = {
  readonly stream: string;
  started: Place | undefined;
  ended: Place | undefined;
  stored: number;
  /** How many recordings the EndSession speaks of. */
  claimed: number | undefined;
};

export type SessionLedger = {
  enter(record: EnteredRecord, at: Place): void;
  finish(isLive: IsLive): SessionSummary;
};

/** Every started session has one end, and as many recordings as that end says. */
export function sessionLedger(problems: ProblemList): SessionLedger {
  const entries = new Map<string, Entry>();
  /** Sessions that have all they should: most, so little is kept of them. */
  const whole = new Set<string>();

  const entryOf = (sessionId: string, stream: string): Entry => {
    const entry = entries.get(sessionId) ?? {
      stream,
      started: undefined,
      ended: undefined,
      stored: 0,
      claimed: undefined,
    };
    entries.set(sessionId, entry);
    return entry;
  };

  /** What comes of a session that had everything. */
  const enterLate = ({ eventName }: EnteredRecord, sessionId: string, at: Place) => {
    if (eventName === 'StoreRecording')
      problems.add(
        'missing-recording',
        at,
        `session ${sessionId} had as many recordings as its end says, and here is another`,
        sessionId,
      );
    else
      problems.add(
        'session-twice',
        at,
        `session ${sessionId} has a second ${eventName}, after one that was whole`,
        sessionId,
      );
  };

  return {
    enter(record, at) {
      const { sessionId, stream } = record;
      if (sessionId === undefined) return;
      if (whole.has(compact(sessionId))) {
        enterLate(record, sessionId, at);
        return;
      }
      const entry = entryOf(sessionId, stream);
      if (record.eventName === 'StoreRecording') {
        entry.stored += 1;
        return;
      }
      const end = record.eventName === 'EndSession';
      const before = end ? entry.ended : entry.started;
      if (before !== undefined)
        problems.add(
          'session-twice',
          at,
          `session ${sessionId} has a second ${record.eventName}; the first is in ${before.file}, record ${before.record}`,
          sessionId,
        );
      if (end) {
        entry.ended ??= at;
        entry.claimed = wholeNumber(record.recordings);
      } else entry.started ??= at;
      if (before !== undefined || entry.started === undefined || entry.ended === undefined) return;
      if (entry.claimed !== entry.stored) return;
      entries.delete(sessionId);
      whole.add(compact(sessionId));
    },
    finish(isLive) {
      const open: string[] = [];
      const summary = { started: whole.size, ended: whole.size, live: 0, open };
      for (const [sessionId, entry] of entries) {
        const live = isLive(sessionId, entry.stream);
        if (entry.started !== undefined) summary.started += 1;
        if (entry.ended !== undefined) summary.ended += 1;
        else if (entry.started !== undefined && live) {
          summary.live += 1;
          if (open.length < maxOpenNamed) open.push(sessionId);
        }
        reportEntry(sessionId, entry, live, problems);
      }
      return summary;
    },
  };
}

/** A lake has millions of sessions; the 32 hex digits of an id fit into 16 characters. */
function compact(sessionId: string): string {
  return /^s-[0-9a-f]{32}$/.test(sessionId)
    ? Buffer.from(sessionId.slice(2), 'hex').toString('latin1')
    : sessionId;
}

function reportEntry(
  sessionId: string,
  { started, ended, stored, claimed }: Entry,
  live: boolean,
  problems: ProblemList,
): void {
  if (started !== undefined && ended === undefined && !live)
    problems.add(
      'session-without-end',
      started,
      `session ${sessionId} has no EndSession and is not open`,
      sessionId,
    );
  if (ended === undefined) return;
  if (started === undefined)
    problems.add('session-without-start', ended, `session ${sessionId} ends but never started`, sessionId);
  if (claimed !== undefined && claimed !== stored)
    problems.add(
      'missing-recording',
      ended,
      `session ${sessionId} ends with ${claimed} recordings, but ${stored} StoreRecording events name one`,
      sessionId,
    );
}

function wholeNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}
