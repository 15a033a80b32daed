import { type ChainedRecord, type ChainPosition, genesisHash, verifyLine } from '#core/chain';
import type { AuditRecord } from '#core/contract';
import { parseAuditRecord } from '#core/event';

/** Makes the error for what is wrong with the place that is read. */
export type FaultOf = (what: string) => Error;

/** Where a stream begins. */
export function streamStart(stream: string): ChainPosition {
  return { stream, seq: 1, previousHash: genesisHash };
}

/** Where the record after this one goes. */
export function positionAfter({ chain }: ChainedRecord): ChainPosition {
  return { stream: chain.stream, seq: chain.seq + 1, previousHash: chain.hash };
}

/**
 * The records of whole lines, each with its line feed, that follow on a position. Every one is checked.
 * @throws what `fault` makes, at the first that was changed or does not follow.
 */
export function* followChain(
  content: Buffer,
  start: ChainPosition,
  fault: FaultOf,
): Generator<ChainedRecord & { readonly date: string }> {
  let position = start;
  let line = 0;
  for (let from = 0; from < content.length; ) {
    const end = content.indexOf(0x0a, from);
    line += 1;
    if (end === -1) throw fault(`record ${line} is not finished`);
    const verified = verifyLine(content.subarray(from, end));
    if (!verified.ok) throw fault(`record ${line} was changed (${verified.fault})`);
    const { record } = verified;
    if (record.chain.stream !== position.stream)
      throw fault(`record ${line} is of stream ${JSON.stringify(record.chain.stream)}`);
    if (record.chain.seq !== position.seq)
      throw fault(`record ${line} has number ${record.chain.seq} where ${position.seq} should follow`);
    if (record.chain.previousHash !== position.previousHash)
      throw fault(`record ${line} does not follow from the one before`);
    yield { ...record, date: ingestDay(record, () => fault(`record ${line} has no time of ingestion`)) };
    position = positionAfter(record);
    from = end + 1;
  }
}

/** Where the record after a sealed segment goes. The segment must be whole; of what is before it nothing is said. */
export async function positionAfterSegment(
  lines: AsyncIterable<Uint8Array>,
  segment: { readonly stream: string; readonly firstSeq: number },
  fault: FaultOf,
): Promise<ChainPosition> {
  let position: ChainPosition = { ...streamStart(segment.stream), seq: segment.firstSeq };
  let line = 0;
  for await (const bytes of lines) {
    line += 1;
    const verified = verifyLine(bytes);
    const follows =
      verified.ok &&
      verified.record.chain.stream === segment.stream &&
      verified.record.chain.seq === position.seq &&
      ((line === 1 && position.seq > 1) || verified.record.chain.previousHash === position.previousHash);
    if (!follows) throw fault(`record ${line} was changed or does not follow from the one before`);
    position = positionAfter(verified.record);
  }
  if (line === 0) throw fault('it has no record');
  return position;
}

/**
 * The record of a line, for a search for lost sessions; undefined for an event of a later version that says nothing of
 * whether a session ended.
 */
export function sessionRecord(line: Uint8Array, fault: FaultOf): AuditRecord | undefined {
  const record = parseAuditRecord(line);
  if (record !== undefined) return record;
  const verified = verifyLine(line);
  const matters: readonly string[] = ['StartSession', 'EndSession', 'StartProxy', 'StopProxy'];
  if (!verified.ok || matters.includes(verified.record.eventName))
    throw fault('it holds a session event that cannot be read');
  return undefined;
}

function ingestDay({ additionalEventData }: ChainedRecord, fault: () => Error): string {
  const date = additionalEventData['ingestTime']?.slice(0, 10);
  if (date === undefined || !/^\d{4}-\d{2}-\d{2}$/.test(date)) throw fault();
  return date;
}
