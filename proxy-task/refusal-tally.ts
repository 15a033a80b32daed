import type { AuditDraft } from '#core/contract';
import { type ConnectionRefusal, type RefusedConnections, refuseConnections } from '#core/event';
import { sourceBlock } from './source-block.ts';

export type RefusalTallyOptions = {
  readonly proxy: { readonly proxyId: string; readonly version: string };
  readonly now: () => number;
  /** Resolves when the event is durable. */
  readonly record: (draft: AuditDraft) => Promise<unknown>;
  readonly onFault: (error: unknown) => void;
  readonly intervalMs?: number;
  readonly maxSources?: number;
};

/**
 * Puts refused connections on record without being a way to fill the journal: the first refusal of a source at once, later ones together,
 * at most one event a minute and source, and beyond so many sources one event for all others.
 */
export type RefusalTally = {
  refused(address: string, reason: ConnectionRefusal): void;
  /** Puts what is counted on record, and counts no more. */
  close(): Promise<void>;
};

/** A minute's refusals of one source. */
type Tally = {
  address: string | undefined;
  sinceMs: number;
  readonly counts: Map<ConnectionRefusal, number>;
};

const minuteMs = 60_000;
/** Sources with an event of their own each minute. With the one for all others this bounds what a flood writes. */
const sourcesWithTheirOwn = 100;
const others = 'others';

export function createRefusalTally(options: RefusalTallyOptions): RefusalTally {
  const { proxy, now, record, onFault, intervalMs = minuteMs, maxSources = sourcesWithTheirOwn } = options;
  const tallies = new Map<string, Tally>();
  const writing = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function refused(address: string, reason: ConnectionRefusal): void {
    if (closed) return;
    const block = sourceBlock(address);
    const known = tallies.get(block);
    if (known === undefined && tallies.size >= maxSources) {
      const all = tallies.get(others);
      if (all === undefined) begin(others, undefined, reason);
      else count(all, reason);
    } else if (known === undefined) begin(block, address, reason);
    else count(known, reason);
  }

  function begin(key: string, address: string | undefined, reason: ConnectionRefusal): void {
    const tally: Tally = { address, sinceMs: now(), counts: new Map([[reason, 1]]) };
    tallies.set(key, tally);
    write(tally);
    timer ??= setInterval(sweep, intervalMs).unref();
  }

  /** Who was refused since the last look is told of; who was not is forgotten. */
  function sweep(): void {
    const at = now();
    for (const [key, tally] of tallies) {
      if (at - tally.sinceMs < intervalMs) continue;
      if (tally.counts.size === 0) tallies.delete(key);
      else write(tally);
    }
    if (tallies.size > 0) return;
    clearInterval(timer);
    timer = undefined;
  }

  function write(tally: Tally): void {
    const refusals: RefusedConnections = {
      sourceIp: tally.address,
      counts: [...tally.counts].map(([reason, refusals]) => ({ reason, count: refusals })),
      sinceMs: tally.sinceMs,
    };
    tally.counts.clear();
    tally.sinceMs = now();
    const written = durable(refuseConnections(proxy, now(), refusals));
    writing.add(written);
    void written.finally(() => writing.delete(written));
  }

  /** What cannot be recorded is the journal's failure, which ends everything; here it must not be one more. */
  async function durable(draft: AuditDraft): Promise<void> {
    try {
      await record(draft);
    } catch (error) {
      onFault(error);
    }
  }

  return {
    refused,
    async close() {
      closed = true;
      clearInterval(timer);
      for (const tally of tallies.values()) if (tally.counts.size > 0) write(tally);
      tallies.clear();
      await Promise.all(writing);
    },
  };
}

function count(tally: Tally, reason: ConnectionRefusal): void {
  tally.counts.set(reason, (tally.counts.get(reason) ?? 0) + 1);
}
