import type { AuditDraft } from '#core/contract';
import { denyAccess } from '#core/event';

export type RefusalTally = {
  /** A connection was not taken, or lost its place before it had authenticated. */
  count(source: { readonly ip: string; readonly port: number }, reason: string): void;
  /** Puts on record what is due, or all that is not yet; to be called every now and then, and at the end. */
  flush(what: 'due' | 'all'): Promise<void>;
};

export type RefusalTallyOptions = {
  readonly proxyId: string;
  readonly record: (draft: AuditDraft) => Promise<unknown>;
  readonly now: () => number;
  readonly randomBytes: (size: number) => Buffer;
};

type Tally = { readonly reason: string; readonly port: number; waiting: number; recordedAtMs: number };

/** One event of a source and a reason in this time, however many connections. */
const everyMs = 60_000;
const maxTallies = 1000;
/** What stands for the sources beyond that. */
const others = '0.0.0.0';

/**
 * Refused connections in the events, without letting who is refused fill the journal: the first one of a source is on record at once, the
 * others as a number, once a minute.
 */
export function createRefusalTally(options: RefusalTallyOptions): RefusalTally {
  const { proxyId, record, now, randomBytes } = options;
  const tallies = new Map<string, Tally>();

  async function put(ip: string, tally: Tally, count: number): Promise<void> {
    tally.recordedAtMs = now();
    const attempt = {
      sessionId: `s-${randomBytes(16).toString('hex')}`,
      sourceIp: ip,
      sourcePort: tally.port,
      userAgent: '',
      proxyId,
      claimedUser: '',
    };
    await record(
      denyAccess(attempt, now(), {
        errorCode: 'SessionLimitExceeded',
        denyReason: tally.reason,
        message: `${count} connection${count === 1 ? '' : 's'} from this address not taken: ${tally.reason}`,
      }),
    );
  }

  async function sweep(all: boolean): Promise<void> {
    for (const [id, tally] of tallies) {
      const due = all || now() - tally.recordedAtMs >= everyMs;
      if (!due) continue;
      const { waiting } = tally;
      tally.waiting = 0;
      if (waiting > 0) await put(ipOf(id), tally, waiting);
      else tallies.delete(id);
    }
  }

  return {
    count({ ip, port }, reason) {
      const key = tallies.size < maxTallies || tallies.has(`${reason} ${ip}`) ? ip : others;
      const id = `${reason} ${key}`;
      const known = tallies.get(id);
      if (known !== undefined) {
        known.waiting += 1;
        return;
      }
      const tally: Tally = { reason, port, waiting: 0, recordedAtMs: now() };
      tallies.set(id, tally);
      // A journal that fails ends everything by itself; there is nothing more to do about it here.
      put(key, tally, 1).catch(() => undefined);
    },
    flush: (what) => sweep(what === 'all'),
  };
}

function ipOf(id: string): string {
  return id.slice(id.indexOf(' ') + 1);
}
