import { genesisHash, link } from '#core/chain';
import type { AuditDraft, BlobStore, SessionId, Signer, StreamName } from '#core/contract';
import {
  type DescribedSegment,
  type DigestHead,
  DigestStream,
  describeSegment,
  type StreamReference,
} from '#core/digest';
import { toAuditRecord } from '#core/event';
import { dayOf, gzipMember, sealedSegmentKey } from '#core/journal';
import { recordingId, type StoredRecording, storeChunk, storeManifest } from '#core/recording';

const origin = {
  eventSource: 'ssh-proxy.example.com',
  awsRegion: 'eu-central-1',
  recipientAccountId: '111122223333',
};

/** How long after a digest the next one is due in these lakes. */
const dueAfterMs = 900_000;

/** A stream of a lake that is written by hand: records, segments and digests at the times that are wanted. */
export type LakeStream = {
  readonly digests: DigestStream;
  /** Sealed and not signed. */
  readonly unsigned: readonly DescribedSegment[];
  record(draft: AuditDraft): void;
  /** Puts what was recorded since into the lake. */
  seal(): Promise<void>;
  sign(kind: 'periodic' | 'closing', successor?: Signer): Promise<void>;
  /** As another stream's digest names it. */
  reference(): readonly StreamReference[];
};

export function lakeStream(options: {
  readonly blobs: BlobStore;
  readonly stream: StreamName;
  readonly signer: Signer;
  readonly now: () => number;
  readonly others?: () => readonly StreamReference[];
  readonly head?: DigestHead | undefined;
}): LakeStream {
  const { blobs, stream, signer, now, others = () => [], head } = options;
  let position = { stream, seq: 1, previousHash: genesisHash };
  let firstSeq = 1;
  let lines: string[] = [];
  let unsigned: DescribedSegment[] = [];
  const digests = new DigestStream({
    blobs,
    stream,
    signer,
    now,
    dueAfterMs,
    others: async () => others(),
    head,
    startMs: now(),
  });
  return {
    digests,
    get unsigned() {
      return unsigned;
    },
    record(draft) {
      const { seq } = position;
      const eventId = `01937c2e-7b1e-7cc0-9d2a-${String(seq).padStart(12, '0')}`;
      const linked = link(position, toAuditRecord(draft, { eventId, origin, ingestTimeMs: now() }));
      lines.push(`${linked.line}\n`);
      position = { stream, seq: seq + 1, previousHash: linked.hash };
    },
    async seal() {
      const content = Buffer.from(lines.join(''));
      const key = sealedSegmentKey({ stream, date: dayOf(now()), firstSeq });
      const stored = await gzipMember(content);
      await blobs.putIfAbsent(key, stored);
      const described = describeSegment(key, content, stored);
      digests.add(described);
      unsigned.push(described);
      firstSeq = position.seq;
      lines = [];
    },
    async sign(kind, successor) {
      await digests.write(kind, successor);
      unsigned = [];
    },
    reference() {
      const { number, sha256 } = digests.head ?? {};
      return number === undefined || sha256 === undefined ? [] : [{ stream, number, sha256 }];
    },
  };
}

/** A recording of two chunks. */
export async function shortRecording(
  blobs: BlobStore,
  session: SessionId,
  startedAtMs: number,
): Promise<StoredRecording> {
  const prefix = `recordings/dt=${dayOf(startedAtMs)}/${session}/c1/`;
  const header = JSON.stringify({ version: 3, term: { cols: 80, rows: 24 }, timestamp: startedAtMs / 1000 });
  const chunks = [
    await storeChunk(blobs, prefix, Buffer.from(`${header}\n[0.100, "o", "$ "]\n`), {
      number: 0,
      firstMs: 100,
      lastMs: 100,
    }),
    await storeChunk(blobs, prefix, Buffer.from('[0.900, "o", "uptime\\r\\n"]\n[0.100, "x", "0"]\n'), {
      number: 1,
      firstMs: 1000,
      lastMs: 1100,
    }),
  ];
  return storeManifest(blobs, {
    version: 1,
    recordingId: recordingId(session, 'c1'),
    sessionId: session,
    channel: 'c1',
    kind: 'shell',
    startedAtMs,
    seconds: 1.1,
    columns: 80,
    rows: 24,
    truncated: false,
    recovered: false,
    invalidBytes: 0,
    chunks,
    bytes: chunks.reduce((sum, { bytes }) => sum + bytes, 0),
  });
}
