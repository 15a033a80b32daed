import { randomBytes } from 'node:crypto';
import { onTestFinished } from 'vitest';
import {
  type ObjectJournalOptions,
  type OpenedObjectJournal,
  openObjectJournal,
  type SealReport,
  sealDeadWriter,
  verifyObjectLake,
} from '#adapters/aws';
import type { JournalError } from '#adapters/local';
import {
  type AuditDraft,
  type AuditRecord,
  type EventSink,
  type SessionId,
  sessionId,
  streamName,
} from '#core/contract';
import {
  endSession,
  executeCommand,
  openShell,
  parseAuditRecord,
  startProxy,
  startSession,
} from '#core/event';
import type { StreamStores } from '../../../../adapters/aws/journal/object-journal.ts';
import { linesOfMember } from '../../../../adapters/aws/journal/sealed-segments.ts';
import { origin } from '../../../core/chain/sample-chain.ts';
import { atMs, sessionFacts } from '../../../core/event/sample-facts.ts';
import { type MemoryStores, storesOver } from './memory-stores.ts';

export { atMs } from '../../../core/event/sample-facts.ts';
export const stream = streamName('task-0123456789abcdef');
export const proxyId = 'p-eu1-a';
export const version = '0.1.0';
export const started = startProxy({ proxyId, version }, atMs, { listen: [], tornBytes: 0, lostSessions: 0 });
export const session = (digit: string): SessionId => sessionId(`s-${digit.repeat(32)}`);

/** A journal that seals when told or when a segment is full, with a clock that stands still. */
export async function journalOver(
  stores: StreamStores,
  options: Partial<ObjectJournalOptions> = {},
): Promise<OpenedObjectJournal> {
  const journal = await openObjectJournal({
    ...stores,
    stream,
    origin,
    proxyId,
    role: 'gateway',
    now: () => atMs,
    randomBytes,
    sinks: [],
    sealAfterMs: 3_600_000,
    closeWithinMs: 20,
    onFault: () => undefined,
    ...options,
  });
  onTestFinished(async () => journal.close().catch(() => undefined));
  return journal;
}

export function seal(
  stores: StreamStores,
  options: Partial<Parameters<typeof sealDeadWriter>[0]> = {},
): Promise<SealReport> {
  return sealDeadWriter({
    ...stores,
    stream,
    origin,
    proxyId: 'seal-1',
    version,
    now: () => atMs + 120_000,
    randomBytes,
    sinks: [],
    closeWithinMs: 1000,
    onFault: () => undefined,
    ...options,
  });
}

export function command(text: string, id: SessionId = session('a')): AuditDraft {
  return executeCommand({ ...sessionFacts, sessionId: id }, atMs, { command: text, commandSource: 'exec' });
}

export function sessionStart(id: SessionId): AuditDraft {
  return startSession({ ...sessionFacts, sessionId: id }, atMs);
}

export function shellOpened(id: SessionId, channelId = 'c1'): AuditDraft {
  return openShell({ ...sessionFacts, sessionId: id }, atMs, { channelId, columns: 80, rows: 24 });
}

export function sessionEnd(id: SessionId, recordings = 0): AuditDraft {
  return endSession({ ...sessionFacts, sessionId: id }, atMs, {
    endReason: 'TargetClosed',
    bytesIn: 0,
    bytesOut: 0,
    seconds: 1,
    channels: 1,
    recordings,
  });
}

/** A sink that keeps what it is given. */
export function keepingSink(name = 'bus'): EventSink & { readonly records: AuditRecord[] } {
  const records: AuditRecord[] = [];
  return {
    name,
    records,
    deliver: async (delivered) => void records.push(...delivered),
  };
}

/** All records of the lake, in the order of their keys. */
export async function lakeRecords(memory: MemoryStores): Promise<readonly AuditRecord[]> {
  const records: AuditRecord[] = [];
  for (const [, bytes] of [...memory.evidence].filter(([key]) => key.startsWith('events/')).sort(byKey))
    for await (const line of linesOfMember(bytes)) {
      const record = parseAuditRecord(line);
      if (record !== undefined) records.push(record);
    }
  return records;
}

export function verified(memory: MemoryStores, liveSessions: readonly string[] = []) {
  const { evidence, journal } = storesOver(memory);
  return verifyObjectLake(evidence, { journal, liveSessions: new Set(liveSessions) });
}

export function journalKeys(memory: MemoryStores): readonly string[] {
  return [...memory.journal.keys()].sort();
}

export function names(records: readonly AuditRecord[]): readonly string[] {
  return records.map(({ eventName }) => eventName);
}

export function numbers(records: readonly AuditRecord[]): readonly number[] {
  return records.map(({ additionalEventData }) => Number(additionalEventData['chainSeq']));
}

export function codeOf(error: unknown): JournalError['code'] | undefined {
  return error instanceof Error && 'code' in error ? (error.code as JournalError['code']) : undefined;
}

function byKey([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
