import { type ChainedRecord, type LineFault, verifyLine } from '#core/chain';
import { type Place, type Problem, type ProblemCode, type ProblemList, problemList } from './problem.ts';
import { checkRecording, type RecordingStore } from './recording-check.ts';
import { type SessionLedger, type SessionSummary, sessionLedger } from './session-ledger.ts';
import { type Head, type StreamState, type StreamSummary, streamState } from './stream-state.ts';

/** One file of a stream. Iterating its lines throws when the file cannot be read to its end. */
export type Segment = {
  /** How problems name the file. */
  readonly file: string;
  /** The stream, first number and day (of ingestion, UTC) that the file's name and folder promise. */
  readonly stream: string;
  readonly firstSeq: number;
  readonly date?: string | undefined;
  /** Still being written: it may have no record yet. */
  readonly open: boolean;
  /** Lines without their line feeds. */
  readonly lines: AsyncIterable<Uint8Array>;
};

export type VerifyOptions = {
  /** Sessions that are open now: these need no end. */
  readonly liveSessions: ReadonlySet<string>;
  readonly recordings: RecordingStore;
  /** `any` where only a part of a stream is at hand; then nothing is said of what came before. */
  readonly start: 'genesis' | 'any';
  /** Heads that earlier verifications named, by stream; without them a trail that was cut at its end looks whole. */
  readonly knownHeads?: ReadonlyMap<string, Head>;
  /** Sessions and recordings are not looked at: they need more of the trail than may be at hand. */
  readonly only?: 'chain';
};

export type Verification = {
  readonly ok: boolean;
  readonly streams: readonly StreamSummary[];
  readonly sessions: SessionSummary;
  readonly recordings: { readonly stored: number; readonly intact: number };
  /** In the order of the trail; at most 1000. */
  readonly problems: readonly Problem[];
  readonly problemsFound: number;
};

const maxProblems = 1000;

/**
 * Proves that nothing was changed, removed, added or reordered, and that every session has its end and its recordings.
 * Segments come stream by stream in ascending order of their first number. Collects all problems.
 */
export async function verifyTrail(
  segments: AsyncIterable<Segment>,
  options: VerifyOptions,
): Promise<Verification> {
  const problems = problemList(maxProblems);
  const sessions = sessionLedger(problems);
  const streams = new Map<string, { readonly state: StreamState; lastFile: string }>();
  const recordings = { stored: 0, intact: 0 };
  const enter = async (record: ChainedRecord, at: Place) => {
    if (options.only === 'chain') return;
    sessions.enter(record, at);
    if (record.eventName !== 'StoreRecording') return;
    recordings.stored += 1;
    if (await checkRecording(record, at, options.recordings, problems)) recordings.intact += 1;
  };

  for await (const segment of segments) {
    const stream = streams.get(segment.stream) ?? {
      state: streamState(segment.stream, options.start, options.knownHeads?.get(segment.stream), problems),
      lastFile: segment.file,
    };
    stream.lastFile = segment.file;
    streams.set(segment.stream, stream);
    await verifySegment(segment, stream.state, problems, enter);
  }
  for (const [name] of options.knownHeads ?? [])
    if (!streams.has(name))
      problems.add('missing-tail', { file: name }, `stream ${name} is missing altogether`);
  return summary(streams, sessions, recordings, problems, options);
}

function summary(
  streams: ReadonlyMap<string, { readonly state: StreamState; readonly lastFile: string }>,
  sessions: SessionLedger,
  recordings: Verification['recordings'],
  problems: ProblemList,
  options: VerifyOptions,
): Verification {
  const streamSummaries = [...streams.values()].map(({ state, lastFile }) => state.finish(lastFile));
  const sessionSummary = sessions.finish(options.liveSessions);
  const { problems: kept, found } = problems.result();
  return {
    ok: found === 0,
    streams: streamSummaries,
    sessions: sessionSummary,
    recordings,
    problems: kept,
    problemsFound: found,
  };
}

async function verifySegment(
  segment: Segment,
  stream: StreamState,
  problems: ProblemList,
  enter: (record: ChainedRecord, at: Place) => Promise<void>,
): Promise<void> {
  let line = 0;
  try {
    for await (const bytes of segment.lines) {
      line += 1;
      const at = { file: segment.file, record: line };
      const verified = verifyLine(bytes);
      if (verified.ok) {
        checkPlace(segment, verified.record, line, problems);
        stream.place(verified.record, at, line === 1);
      } else {
        problems.add(faultCodes[verified.fault], at, faultTexts[verified.fault]);
        stream.skip();
      }
      if (verified.record !== undefined) await enter(verified.record, at);
    }
    if (line === 0 && !segment.open)
      problems.add('broken-segment', { file: segment.file }, 'the file has no record');
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    problems.add('broken-segment', { file: segment.file, record: line + 1 }, `cannot be read on: ${reason}`);
  }
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
