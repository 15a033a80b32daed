import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type JournalOptions, type OpenedJournal, openJournal, verifyLake } from '#adapters/local';
import { type AuditDraft, streamName } from '#core/contract';
import { executeCommand, startSession } from '#core/event';
import { origin } from '../../../core/chain/sample-chain.ts';
import { atMs, sessionFacts } from '../../../core/event/sample-facts.ts';

export const stream = streamName('gateway');

/** A data directory that is gone after the test. */
export async function dataDirectory(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'sshtrail-journal-'));
  onTestFinished(async () => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A journal that seals only when told, with a clock that stands still. */
export async function journalIn(
  directory: string,
  options: Partial<JournalOptions> = {},
): Promise<OpenedJournal> {
  const journal = await openJournal({
    directory,
    stream,
    origin,
    proxyId: 'p-eu1-a',
    now: () => atMs,
    randomBytes,
    sealAfterMs: 3_600_000,
    onFault: () => undefined,
    ...options,
  });
  onTestFinished(async () => journal.close().catch(() => undefined));
  return journal;
}

export function command(text: string): AuditDraft {
  return executeCommand(sessionFacts, atMs, { command: text, commandSource: 'exec' });
}

export function sessionStart(sessionId: string): AuditDraft {
  return startSession({ ...sessionFacts, sessionId }, atMs);
}

/** All sessions of the trail count as open. */
export async function verified(directory: string, liveSessions: readonly string[] = []) {
  return verifyLake(directory, {
    liveSessions: new Set(liveSessions),
    recordings: { get: async () => undefined },
  });
}

/** Files below a folder, as paths from there, sorted. */
export async function filesBelow(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

export function openSegmentPath(directory: string, firstSeq = 1): string {
  return join(directory, 'journal', stream, `${String(firstSeq).padStart(12, '0')}.ndjson`);
}

export function sealedSegmentPath(directory: string, firstSeq = 1, date = '2026-11-20'): string {
  return join(
    directory,
    'lake',
    'events',
    `dt=${date}`,
    stream,
    `${String(firstSeq).padStart(12, '0')}.ndjson.gz`,
  );
}

export async function linesOf(path: string): Promise<readonly string[]> {
  return (await readFile(path, 'utf8')).split('\n').slice(0, -1);
}
