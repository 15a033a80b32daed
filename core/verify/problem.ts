/** What can be wrong with a trail; a closed list. */
const problemCodes = [
  /** A file cannot be read to its end: damaged compression, no line feed at the end, no record, a link. */
  'broken-segment',
  /** A line is no UTF-8, no JSON or no record. */
  'not-a-record',
  /** A line says the same in other bytes than those that were written. */
  'not-canonical',
  /** A record's content does not have its hash. */
  'hash-mismatch',
  /** A record does not follow from the one before: that one was replaced. */
  'broken-link',
  'missing-record',
  'missing-segment',
  'missing-start',
  /** The stream lacks a head that a digest or an earlier verification named: it was cut before, or replaced from some record on. */
  'missing-tail',
  'reordered',
  'duplicate-sequence',
  /** A record lies in a file of another stream, day or place. */
  'misplaced-record',
  'session-without-end',
  'session-without-start',
  'session-twice',
  'missing-recording',
  'recording-mismatch',
  'missing-chunk',
  'chunk-mismatch',
  /** A file among the digests is none, or lies under another key than it says. */
  'broken-digest',
  /** A digest's signature does not hold, or is by a key that is not trusted. */
  'bad-signature',
  'missing-digest',
  /** A digest does not follow on the one before, or says otherwise than the records. */
  'digest-mismatch',
  /** A segment is not the one that was signed. */
  'segment-mismatch',
  /** A segment that no digest names lies among those that are covered. */
  'unlisted-segment',
  /** Another stream's digest names a stream that is not there. */
  'missing-stream',
] as const;
export type ProblemCode = (typeof problemCodes)[number];

export type Problem = {
  readonly code: ProblemCode;
  readonly file: string;
  /** Line in the file, from 1. */
  readonly record?: number;
  readonly sessionId?: string;
  readonly message: string;
};

/** Place of something in the trail. */
export type Place = { readonly file: string; readonly record?: number };

/** Collects problems in the order in which their places were read. */
export type ProblemList = {
  /** How many so far. */
  readonly found: number;
  add(code: ProblemCode, place: Place, message: string, sessionId?: string): void;
  /** Takes the place in the order now, and the word on whether it is a problem later. */
  reserve(): (code: ProblemCode, place: Place, message: string, sessionId?: string) => void;
  /** All that was found, the first `bound` of them kept. */
  result(): { readonly problems: readonly Problem[]; readonly found: number };
};

export function problemList(bound: number): ProblemList {
  const kept: { readonly order: number; readonly problem: Problem }[] = [];
  let nextOrder = 0;
  let found = 0;
  const put = (order: number, problem: Problem) => {
    found += 1;
    if (kept.length < bound) kept.push({ order, problem });
  };
  const reserve: ProblemList['reserve'] = () => {
    const order = nextOrder++;
    return (code, place, message, sessionId) =>
      put(order, { code, ...place, ...(sessionId === undefined ? {} : { sessionId }), message });
  };
  return {
    get found() {
      return found;
    },
    add: (...problem) => reserve()(...problem),
    reserve,
    result: () => ({
      problems: kept.sort((a, b) => a.order - b.order).map(({ problem }) => problem),
      found,
    }),
  };
}
