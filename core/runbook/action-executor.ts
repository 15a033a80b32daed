import { createHash } from 'node:crypto';
import type { BlobStore, ControlStore, Finding, Row } from '#core/contract';
import { sessionId } from '#core/contract';
import { cellText } from './printable-text.ts';

/** What a runbook can do outside the audit trail. Each may be repeated without a second effect. */
export interface ActionExecutor {
  /** Freezes the finding and its rows; where they lie. */
  snapshot(finding: Finding, rows: readonly Row[]): Promise<string>;
  /** Live state, not the log. */
  sessionIsOpen(id: string): Promise<boolean>;
  /** Asks the gateway to end the session; `already` when somebody has. */
  revokeSession(
    id: string,
    revocation: { readonly by: string; readonly message: string },
  ): Promise<'asked' | 'already'>;
}

export type ActionExecutorOptions = {
  readonly blobs: BlobStore;
  readonly control: ControlStore;
  readonly now: () => number;
};

/** A revocation that no gateway took up is of no use after the longest session there can be. */
const revocationLifetimeMs = 7 * 86_400_000;

/** Over the stores: snapshots are objects, revocations are items that the gateways watch. */
export function createActionExecutor(options: ActionExecutorOptions): ActionExecutor {
  return {
    snapshot: async (finding, rows) => {
      const key = snapshotKey(finding);
      await options.blobs.putIfAbsent(key, Buffer.from(snapshotText(finding, rows)));
      return key;
    },
    sessionIsOpen: async (id) => {
      const session = await options.control.get('session', sessionId(id));
      return session?.data.state === 'open';
    },
    revokeSession: async (id, { by, message }) => {
      const session = sessionId(id);
      const atMs = options.now();
      const stored = await options.control.put(
        'revocation',
        session,
        { sessionId: session, by, message, atMs },
        { kind: 'absent' },
        atMs + revocationLifetimeMs,
      );
      return stored === undefined ? 'already' : 'asked';
    },
  };
}

/** `findings/dt=YYYY-MM-DD/<runbook>/<hash>.json`; the time is hashed too, since a key may be found again another time. */
function snapshotKey(finding: Finding): string {
  const hash = createHash('sha256').update(`${finding.foundAtMs}\n${finding.key}`).digest('hex');
  const day = new Date(finding.foundAtMs).toISOString().slice(0, 10);
  return `findings/dt=${day}/${finding.runbookId}/${hash}.json`;
}

function snapshotText(finding: Finding, rows: readonly Row[]): string {
  return `${cellText({
    snapshotVersion: 1,
    runbookId: finding.runbookId,
    key: finding.key,
    title: finding.title,
    severity: finding.severity,
    foundAt: new Date(finding.foundAtMs).toISOString(),
    columns: finding.columns,
    rows,
  })}\n`;
}
