import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AuditRecord } from '#core/contract';
import { trackOpenSessions } from '#core/journal';
import { hasCode, openForReading, writeNewSynced } from './confined-files.ts';

/**
 * Remembers the number of the oldest session without an end, so that after a kill the search for lost sessions need not
 * go back to the start of the gateway. It is a hint: lost or unreadable, more is read; and `sshtrail verify` names a
 * session without an end whatever it says.
 */
export type OldestOpenSession = {
  /** Durable records, in order. */
  note(records: readonly AuditRecord[]): void;
  /** Leaves the hint in the folder. */
  save(): Promise<void>;
};

export function trackOldestOpenSession(folder: string, stillOpen: readonly AuditRecord[]): OldestOpenSession {
  const sessions = trackOpenSessions(stillOpen);
  let savedSeq = 0;
  return {
    note: (records) => sessions.note(records),
    async save() {
      const seq = sessions.oldestSeq();
      if (seq === savedSeq) return;
      const path = join(folder, hintName);
      await rm(`${path}.unfinished`, { force: true });
      await writeNewSynced(`${path}.unfinished`, Buffer.from(`${JSON.stringify({ seq })}\n`));
      await rename(`${path}.unfinished`, path);
      savedSeq = seq;
    },
  };
}

/** No session that began before this number is open; 0 where nothing is known. */
export async function readOldestOpenSession(folder: string): Promise<number> {
  try {
    const file = await openForReading(join(folder, hintName));
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(64), 0, 64, 0);
      const seq = /^\{"seq":(\d{1,12})\}\n$/.exec(buffer.toString('latin1', 0, bytesRead))?.[1];
      return seq === undefined ? 0 : Number(seq);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return 0;
    throw error;
  }
}

const hintName = 'oldest-open-session.json';
