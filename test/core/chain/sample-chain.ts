import { genesisHash, link } from '#core/chain';
import type { AuditDraft } from '#core/contract';
import { toAuditRecord } from '#core/event';

export const origin = {
  eventSource: 'ssh-proxy.example.com',
  awsRegion: 'eu-central-1',
  recipientAccountId: '111122223333',
};

/** Lines of a stream from its beginning, as the journal would write them. */
export function chainLines(drafts: readonly AuditDraft[], stream = 'gateway'): readonly Buffer[] {
  let previousHash = genesisHash;
  return drafts.map((draft, index) => {
    const eventId = `01937c2e-7b1e-7cc0-9d2a-${String(index).padStart(12, '0')}`;
    const record = toAuditRecord(draft, { eventId, origin, ingestTimeMs: draft.eventTimeMs });
    const linked = link({ stream, seq: index + 1, previousHash }, record);
    previousHash = linked.hash;
    return Buffer.from(linked.line);
  });
}
