import { type ChainPosition, type LinkedRecord, link } from '#core/chain';
import type { AuditDraft, EventOrigin } from '#core/contract';
import { toAuditRecord, uuidV7 } from '#core/event';
import { JournalError } from './journal-error.ts';
import { maxLineBytes } from './line-split.ts';

export type RecordSource = {
  readonly origin: EventOrigin;
  readonly proxyId: string;
  readonly randomBytes: (count: number) => Uint8Array;
};

/** Verification and recovery refuse longer lines, so none is written. */
const maxRecordBytes = maxLineBytes >> 1;

/**
 * The draft as the record at this position.
 * @throws JournalError `invalid`
 */
export function linkDraft(
  position: ChainPosition,
  draft: AuditDraft,
  ingestTimeMs: number,
  { origin, proxyId, randomBytes }: RecordSource,
): LinkedRecord {
  let linked: LinkedRecord;
  try {
    const eventId = uuidV7(ingestTimeMs, randomBytes(10));
    const additionalEventData = { proxyId, ...draft.additionalEventData };
    linked = link(
      position,
      toAuditRecord({ ...draft, additionalEventData }, { eventId, origin, ingestTimeMs }),
    );
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new JournalError('invalid', `this ${draft.eventName} cannot be kept as a record: ${reason}`, {
      cause,
    });
  }
  if (linked.line.length > maxRecordBytes)
    throw new JournalError(
      'invalid',
      `this ${draft.eventName} has ${linked.line.length} characters, more than ${maxRecordBytes}; bound its values`,
    );
  return linked;
}
