import { DigestFollower, type DigestSummary } from './digest-follower.ts';
import { type DigestOptions, type DigestSurvey, surveyDigests } from './digest-survey.ts';
import { type Problem, type ProblemList, problemList } from './problem.ts';
import { checkRecording, type RecordingStore } from './recording-check.ts';
import { type SessionSummary, sessionLedger } from './session-ledger.ts';
import { type Head, type StreamState, type StreamSummary, streamState } from './stream-state.ts';
import { type EnterRecord, type Segment, verifySegment } from './verify-segment.ts';

export type VerifyOptions = {
  /** Sessions that are open now: these need no end. `streams`: those of streams whose digests say that they go on. */
  readonly liveSessions: ReadonlySet<string> | 'streams';
  readonly recordings: RecordingStore;
  /** `any` where only a part of a stream is at hand; then nothing is said of what came before. */
  readonly start: 'genesis' | 'any';
  /** What was signed; without it nothing is said of who wrote the trail, and one that was cut at its end looks whole. */
  readonly digests?: DigestOptions;
  /** Heads that earlier verifications named, by stream. */
  readonly knownHeads?: ReadonlyMap<string, Head>;
  /** Sessions and recordings are not looked at: they need more of the trail than may be at hand. */
  readonly only?: 'chain';
  /** Told after each segment. */
  readonly onProgress?: (progress: Progress) => void;
};

export type Progress = { readonly segments: number; readonly records: number; readonly problems: number };

export type Verification = {
  readonly ok: boolean;
  readonly streams: readonly (StreamSummary & { readonly digests?: DigestSummary })[];
  readonly sessions: SessionSummary;
  readonly recordings: { readonly stored: number; readonly intact: number };
  /** In the order of the trail; at most 1000. */
  readonly problems: readonly Problem[];
  readonly problemsFound: number;
};

const maxProblems = 1000;

type Stream = {
  readonly state: StreamState;
  readonly digests: DigestFollower | undefined;
  lastFile: string;
};

/**
 * Proves that nothing was changed, removed, added or reordered, and that every session has its end and its recordings.
 * Segments come stream by stream in ascending order of their first number. Collects all problems.
 */
export async function verifyTrail(
  segments: AsyncIterable<Segment>,
  options: VerifyOptions,
): Promise<Verification> {
  const { digests, knownHeads, onProgress } = options;
  const problems = problemList(maxProblems);
  const survey = digests === undefined ? undefined : await surveyDigests(digests, problems);
  const sessions = sessionLedger(problems);
  const streams = new Map<string, Stream>();
  const recordings = { stored: 0, intact: 0 };
  let records = 0;
  let count = 0;
  const enter: EnterRecord = (record, at) => {
    if (options.only === 'chain') return undefined;
    sessions.enter(record, at);
    if (record.eventName !== 'StoreRecording') return undefined;
    recordings.stored += 1;
    return checkRecording(record, at, options.recordings, problems).then((whole) => {
      if (whole) recordings.intact += 1;
    });
  };
  const open = (name: string, file: string): Stream => {
    const stream = streams.get(name) ?? {
      state: streamState(name, options.start, knownHeads?.get(name), problems),
      digests: survey && digests && new DigestFollower(name, survey, digests, problems),
      lastFile: file,
    };
    stream.lastFile = file;
    streams.set(name, stream);
    return stream;
  };

  for await (const segment of segments) {
    const stream = open(segment.stream, segment.file);
    const verified = await verifySegment(segment, stream.state, problems, enter);
    await stream.digests?.segment(segment, verified.facts);
    records += verified.records;
    count += 1;
    onProgress?.({ segments: count, records, problems: problems.found });
  }
  for (const [name] of knownHeads ?? [])
    if (!streams.has(name))
      problems.add('missing-tail', { file: name }, `stream ${name} is missing altogether`);
  for (const name of namedBy(survey)) if (!streams.has(name)) open(name, name);
  return summary(streams, sessions, recordings, problems, options);
}

/** Streams that have digests, or that digests name. */
function namedBy(survey: DigestSurvey | undefined): readonly string[] {
  return survey === undefined ? [] : [...survey.streams.keys(), ...survey.references.keys()];
}

async function summary(
  streams: ReadonlyMap<string, Stream>,
  sessions: ReturnType<typeof sessionLedger>,
  recordings: Verification['recordings'],
  problems: ProblemList,
  { liveSessions }: VerifyOptions,
): Promise<Verification> {
  const streamSummaries: Verification['streams'][number][] = [];
  const alive = new Set<string>();
  for (const { state, digests, lastFile } of streams.values()) {
    const stream = state.finish(lastFile);
    const signed = await digests?.finish(stream.lastSeq);
    if (signed?.state === 'open') alive.add(stream.stream);
    streamSummaries.push(signed === undefined ? stream : { ...stream, digests: signed });
  }
  const sessionSummary = sessions.finish((sessionId, stream) =>
    liveSessions === 'streams' ? alive.has(stream) : liveSessions.has(sessionId),
  );
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
