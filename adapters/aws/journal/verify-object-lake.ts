import { hash } from 'node:crypto';
import type { BlobStore, StreamName } from '#core/contract';
import {
  dayOf,
  parseSealedSegmentKey,
  type SealedSegment,
  sealedSegmentKey,
  sealedSegmentPrefix,
} from '#core/journal';
import { type Segment, type Verification, type VerifyOptions, verifyTrail } from '#core/verify';
import { ahead } from './ahead.ts';
import { batchKey, parseBatchKey } from './batch-store.ts';
import { linesOfMember } from './sealed-segments.ts';

export type VerifyObjectLakeOptions = Omit<VerifyOptions, 'start' | 'recordings'> &
  Partial<Pick<VerifyOptions, 'start' | 'recordings'>> & {
    /** Only what was ingested on these UTC days, YYYY-MM-DD; then streams may begin anywhere. */
    readonly days?: readonly string[];
    /** The journal bucket: what is not sealed yet is verified too, such as the end of a session whose start is sealed. */
    readonly journal?: BlobStore;
  };

/** Of one stream; numbers and not keys, since a lake has millions. */
type StreamDay = { readonly date: string; readonly numbers: number[] };

const readAhead = 8;
const dayMs = 86_400_000;

/** Verifies the trail in the evidence bucket, while gateways write there too if need be. */
export async function verifyObjectLake(
  evidence: BlobStore,
  options: VerifyObjectLakeOptions,
): Promise<Verification> {
  const { days, journal, ...rest } = options;
  return verifyTrail(trail(evidence, days, journal), {
    start: days === undefined ? 'genesis' : 'any',
    recordings: evidence,
    ...rest,
  });
}

/** Stream by stream, in ascending order of their numbers. */
async function* trail(
  evidence: BlobStore,
  days: readonly string[] | undefined,
  journal: BlobStore | undefined,
): AsyncGenerator<Segment> {
  // In this order: what leaves the journal in between is in the lake.
  const open = journal === undefined ? new Map<StreamName, number[]>() : await batchNumbers(journal);
  const sealed = await sealedNumbers(evidence, days);
  for (const stream of [...new Set([...sealed.keys(), ...open.keys()])].sort()) {
    const segments = segmentsOf(stream, sealed.get(stream) ?? []);
    const reached = { seq: 0 };
    yield* sealedSegments(evidence, segments, reached);
    if (journal !== undefined)
      yield* openSegments(evidence, journal, stream, open.get(stream) ?? [], segments.at(-1), reached);
  }
}

/** In the lake's order of keys the streams of a day stand together, so all are gathered first. */
async function sealedNumbers(
  evidence: BlobStore,
  days: readonly string[] | undefined,
): Promise<ReadonlyMap<StreamName, StreamDay[]>> {
  const streams = new Map<StreamName, StreamDay[]>();
  for (const prefix of days?.map((day) => `events/dt=${day}/`) ?? ['events/'])
    for await (const { key } of evidence.list(prefix)) {
      const segment = parseSealedSegmentKey(key);
      if (segment !== undefined) addNumber(streams, segment);
    }
  return streams;
}

function addNumber(streams: Map<StreamName, StreamDay[]>, { stream, date, firstSeq }: SealedSegment): void {
  const days = streams.get(stream) ?? [];
  streams.set(stream, days);
  let last = days.at(-1);
  if (last?.date !== date) {
    last = { date, numbers: [] };
    days.push(last);
  }
  last.numbers.push(firstSeq);
}

async function batchNumbers(journal: BlobStore): Promise<ReadonlyMap<StreamName, number[]>> {
  const streams = new Map<StreamName, number[]>();
  for await (const { key } of journal.list('journal/')) {
    const batch = parseBatchKey(key);
    if (batch === undefined) continue;
    const numbers = streams.get(batch.stream) ?? [];
    numbers.push(batch.firstSeq);
    streams.set(batch.stream, numbers);
  }
  return streams;
}

function segmentsOf(stream: StreamName, days: readonly StreamDay[]): readonly SealedSegment[] {
  return days
    .flatMap(({ date, numbers }) => numbers.map((firstSeq) => ({ stream, date, firstSeq })))
    .sort((a, b) => a.firstSeq - b.firstSeq);
}

/** `reached` is the last number read so far. */
type Reached = { seq: number };

async function* sealedSegments(
  evidence: BlobStore,
  segments: readonly SealedSegment[],
  reached: Reached,
): AsyncGenerator<Segment> {
  const read = ahead(segments, readAhead, async (segment) => {
    const [outcome] = await Promise.allSettled([evidence.get(sealedSegmentKey(segment))]);
    return { segment, outcome };
  });
  for await (const { segment, outcome } of read) {
    reached.seq = segment.firstSeq - 1;
    const lines = counted(linesOf(outcome), reached);
    const key = sealedSegmentKey(segment);
    yield { file: key, key, ...segment, open: false, lines, stored: () => storedForm(outcome) };
  }
}

/** What is sealed while it is verified is read from the lake. */
async function* openSegments(
  evidence: BlobStore,
  journal: BlobStore,
  stream: StreamName,
  batches: readonly number[],
  last: SealedSegment | undefined,
  reached: Reached,
): AsyncGenerator<Segment> {
  let lastSealed = last;
  for (const firstSeq of batches) {
    // It is sealed; or one that stays so that its key stays taken.
    if (firstSeq <= reached.seq) continue;
    const content = await journal.get(batchKey(stream, firstSeq));
    if (content !== undefined) {
      reached.seq = firstSeq - 1;
      const lines = content.toString('utf8').split('\n').slice(0, -1);
      yield {
        file: batchKey(stream, firstSeq),
        stream,
        firstSeq,
        open: true,
        lines: counted(inTurn(lines), reached),
      };
      continue;
    }
    const more = await sealedSince(evidence, stream, lastSealed);
    const reachedSeq = reached.seq;
    for await (const segment of sealedSegments(evidence, more, reached))
      yield segment.firstSeq > reachedSeq ? segment : resumed(segment, reachedSeq);
    lastSealed = more.at(-1) ?? lastSealed;
  }
}

/** A segment without the records that were read as batches before it was sealed. */
function resumed(segment: Segment, reachedSeq: number): Segment {
  async function* rest(): AsyncGenerator<Uint8Array> {
    let seq = segment.firstSeq;
    for await (const line of segment.lines) if (seq++ > reachedSeq) yield line;
  }
  return { ...segment, firstSeq: reachedSeq + 1, open: true, lines: rest() };
}

async function sealedSince(
  evidence: BlobStore,
  stream: StreamName,
  last: SealedSegment | undefined,
): Promise<readonly SealedSegment[]> {
  const after = (segments: readonly SealedSegment[]) =>
    segments.filter(({ firstSeq }) => firstSeq > (last?.firstSeq ?? 0));
  if (last === undefined)
    return after(segmentsOf(stream, (await sealedNumbers(evidence, undefined)).get(stream) ?? []));
  const found: SealedSegment[] = [];
  for (const date of [last.date, dayOf(Date.parse(last.date) + dayMs)])
    for await (const { key } of evidence.list(sealedSegmentPrefix(date, stream))) {
      const segment = parseSealedSegmentKey(key);
      if (segment !== undefined) found.push(segment);
    }
  return after(found.sort((a, b) => a.firstSeq - b.firstSeq));
}

/** What cannot be read is a finding about the segment, and not the end of the verification. */
async function* linesOf(outcome: PromiseSettledResult<Buffer | undefined>): AsyncGenerator<Buffer> {
  if (outcome.status === 'rejected') throw outcome.reason;
  yield* linesOfMember(outcome.value);
}

async function storedForm(
  outcome: PromiseSettledResult<Buffer | undefined>,
): Promise<{ readonly bytes: number; readonly sha256: string }> {
  if (outcome.status === 'rejected') throw outcome.reason;
  const bytes = outcome.value ?? Buffer.alloc(0);
  return { bytes: bytes.length, sha256: hash('sha256', bytes, 'hex') };
}

async function* counted(lines: AsyncIterable<Buffer>, reached: Reached): AsyncGenerator<Buffer> {
  for await (const line of lines) {
    reached.seq += 1;
    yield line;
  }
}

async function* inTurn(lines: readonly string[]): AsyncGenerator<Buffer> {
  for (const line of lines) yield Buffer.from(line);
}
