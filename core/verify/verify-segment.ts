import { type ChainedRecord, type LineFault, verifyLine } from '#core/chain';
import { type CoveredRecording, recordingOf } from '#core/digest';
import type { SoundSegment } from './check-segment.ts';
import { type EnteredRecord, enteredRecord } from './entered-record.ts';
import type { Place, ProblemCode, ProblemList } from './problem.ts';
import type { StreamState } from './stream-state.ts';

/** One file of a stream. Iterating its lines throws when the file cannot be read to its end. */
export type Segment = {
  /** How problems name the file. */
  readonly file: string;
  /** Its key in the lake, where it is sealed. */
  readonly key?: string;
  /** The stream, first number and day (of ingestion, UTC) that the file's name and folder promise. */
  readonly stream: string;
  readonly firstSeq: number;
  readonly date?: string | undefined;
  /** Still being written: it may have no record yet. */
  readonly open: boolean;
  /** Lines without their line feeds. */
  readonly lines: AsyncIterable<Uint8Array>;
  /** Of the object as stored. */
  readonly stored?: () => Promise<{ readonly bytes: number; readonly sha256: string }>;
  /** What another thread found, where it found nothing wrong; without it the lines are read. */
  readonly sound?: () => Promise<SoundSegment | undefined>;
};

/** What the records of a segment say, as far as they could be read. */
export type SegmentFacts = {
  firstSeq: number;
  lastSeq: number;
  firstHash: string;
  lastHash: string;
  /** When the journal took the first one. Milliseconds since the epoch. */
  firstIngestMs: number | undefined;
  readonly recordings: CoveredRecording[];
};

/** What is done with each record of that kind that can be read, verified or not. */
export type EnterRecord = (record: EnteredRecord, at: Place) => Promise<void> | undefined;

export type VerifiedSegment = { readonly facts: SegmentFacts; readonly records: number };

export async function verifySegment(
  segment: Segment,
  stream: StreamState,
  problems: ProblemList,
  enter: EnterRecord,
): Promise<VerifiedSegment> {
  const sound = await segment.sound?.();
  if (sound !== undefined && stream.placeRun({ ...sound.facts, previousHash: sound.previousHash })) {
    for (const { record, line } of sound.entered) await enter(record, { file: segment.file, record: line });
    return sound;
  }
  return verifyLines(segment, stream, problems, enter);
}

/** Line by line, so that it can be said what is wrong with each. */
async function verifyLines(
  segment: Segment,
  stream: StreamState,
  problems: ProblemList,
  enter: EnterRecord,
): Promise<VerifiedSegment> {
  const facts: SegmentFacts = {
    firstSeq: 0,
    lastSeq: 0,
    firstHash: '',
    lastHash: '',
    firstIngestMs: undefined,
    recordings: [],
  };
  let line = 0;
  try {
    for await (const bytes of segment.lines) {
      line += 1;
      const at = { file: segment.file, record: line };
      const verified = verifyLine(bytes);
      if (verified.ok) {
        checkPlace(segment, verified.record, line, problems);
        stream.place(verified.record, at, line === 1);
        note(facts, verified.record);
      } else {
        problems.add(faultCodes[verified.fault], at, faultTexts[verified.fault]);
        stream.skip();
      }
      const entered = verified.record && enteredRecord(verified.record);
      if (entered !== undefined) await enter(entered, at);
    }
    if (line === 0 && !segment.open)
      problems.add('broken-segment', { file: segment.file }, 'the file has no record');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.add('broken-segment', { file: segment.file, record: line + 1 }, `cannot be read on: ${reason}`);
  }
  return { facts, records: line };
}

function note(facts: SegmentFacts, record: ChainedRecord): void {
  const { seq, hash } = record.chain;
  if (facts.firstSeq === 0) {
    facts.firstSeq = seq;
    facts.firstHash = hash;
    const ingestMs = Date.parse(record.additionalEventData['ingestTime'] ?? '');
    facts.firstIngestMs = Number.isNaN(ingestMs) ? undefined : ingestMs;
  }
  facts.lastSeq = seq;
  facts.lastHash = hash;
  const recording = recordingOf(record);
  if (recording !== undefined) facts.recordings.push(recording);
}

function checkPlace(segment: Segment, record: ChainedRecord, line: number, problems: ProblemList): void {
  const at = { file: segment.file, record: line };
  if (record.chain.stream !== segment.stream)
    problems.add(
      'misplaced-record',
      at,
      `a record of stream ${JSON.stringify(record.chain.stream)} in a file of stream ${segment.stream}`,
    );
  if (line === 1 && record.chain.seq !== segment.firstSeq)
    problems.add(
      'misplaced-record',
      at,
      `the file's name says that it begins with ${segment.firstSeq}, but it does with ${record.chain.seq}`,
    );
  const date = record.additionalEventData['ingestTime']?.slice(0, 10);
  if (segment.date !== undefined && date !== segment.date)
    problems.add('misplaced-record', at, `a record of ${date} in the folder of ${segment.date}`);
}

const faultCodes: Readonly<Record<LineFault, ProblemCode>> = {
  'not-json': 'not-a-record',
  'not-a-record': 'not-a-record',
  'not-canonical': 'not-canonical',
  'hash-mismatch': 'hash-mismatch',
};

const faultTexts: Readonly<Record<LineFault, string>> = {
  'not-json': 'the line is no JSON in UTF-8: it was changed',
  'not-a-record': 'the line is no audit record: it was changed',
  'not-canonical': 'the line is not in the form in which records are written: it was changed',
  'hash-mismatch': 'the record does not have the content that its hash was made of: it was changed',
};
