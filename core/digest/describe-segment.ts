import { hash } from 'node:crypto';
import { type ChainedRecord, verifyLine } from '#core/chain';
import type { CoveredRecording, CoveredSegment } from './digest.ts';
import { DigestError } from './digest-error.ts';

/** A segment, and the recordings its records name. */
export type DescribedSegment = {
  readonly segment: CoveredSegment;
  readonly recordings: readonly CoveredRecording[];
};

/**
 * What a digest says of a sealed segment: `content` its lines, `stored` the object. The records between the first and the last
 * are not verified here.
 * @throws DigestError `out-of-order` where it does not hold whole records
 */
export function describeSegment(key: string, content: Buffer, stored: Uint8Array): DescribedSegment {
  const first = recordAt(content, 0, key);
  const last = recordAt(content, content.lastIndexOf(0x0a, content.length - 2) + 1, key);
  return {
    segment: {
      key,
      bytes: stored.byteLength,
      sha256: hash('sha256', stored, 'hex'),
      firstSeq: first.chain.seq,
      lastSeq: last.chain.seq,
      firstHash: first.chain.hash,
      lastHash: last.chain.hash,
    },
    recordings: recordingsIn(content, key),
  };
}

/** What a digest says of a record; undefined of most. */
export function recordingOf(record: ChainedRecord): CoveredRecording | undefined {
  if (record.eventName !== 'StoreRecording') return undefined;
  const { recordingKey, recordingSha256 } = record.responseElements;
  if (recordingKey === undefined || recordingSha256 === undefined) return undefined;
  return { seq: record.chain.seq, key: recordingKey, sha256: recordingSha256 };
}

function recordingsIn(content: Buffer, key: string): readonly CoveredRecording[] {
  const found: CoveredRecording[] = [];
  // Canonical JSON has it so, and within a string the quotation marks would be escaped.
  for (
    let at = content.indexOf('"eventName":"StoreRecording"');
    at !== -1;
    at = content.indexOf('"eventName":"StoreRecording"', at + 1)
  ) {
    const recording = recordingOf(recordAt(content, content.lastIndexOf(0x0a, at) + 1, key));
    if (recording !== undefined) found.push(recording);
  }
  return found;
}

function recordAt(content: Buffer, from: number, key: string): ChainedRecord {
  const end = content.indexOf(0x0a, from);
  const verified = end === -1 ? undefined : verifyLine(content.subarray(from, end));
  if (verified?.ok === true) return verified.record;
  throw new DigestError(
    'out-of-order',
    `${key} does not hold whole records, so it is not signed; run sshtrail verify and keep the file as evidence`,
  );
}
