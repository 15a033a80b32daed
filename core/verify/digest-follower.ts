import { genesisHash } from '#core/chain';
import type { BlobKey } from '#core/contract';
import {
  type CoveredSegment,
  type Digest,
  type DigestStatement,
  digestKey,
  isSignedBy,
  noDigestHash,
} from '#core/digest';
import { type DigestOptions, type DigestRef, type DigestSurvey, readDigest } from './digest-survey.ts';
import type { ProblemCode, ProblemList } from './problem.ts';
import type { Segment, SegmentFacts } from './verify-segment.ts';

/** Where the digests of a stream stand. */
export type DigestSummary = {
  /** Of the last one that can be trusted; 0 where there is none. */
  readonly number: number;
  /** `closed`: its writer is done. `open`: none is due yet. `silent`: one is due, or was cut off. */
  readonly state: 'open' | 'closed' | 'silent';
};

/** How long records may be in the lake before a digest covers them, where none says more. */
const graceMs = 15 * 60_000;

/** Follows the digests of one stream beside its segments. */
export class DigestFollower {
  readonly #stream: string;
  readonly #survey: DigestSurvey;
  readonly #options: DigestOptions;
  readonly #problems: ProblemList;
  readonly #refs: readonly DigestRef[];
  #nextRef = 0;
  #nextNumber = 1;
  /** The last one that can be trusted. */
  #last: Digest | undefined;
  /** The one before the next cannot be trusted, so that nothing is known of what it covers. */
  #broken = false;
  /** Numbers of records of which no digest that can be trusted speaks. */
  #unknown = { from: 0, to: 0 };
  #expected: readonly CoveredSegment[] = [];
  #nextExpected = 0;
  #uncoveredSinceMs: number | undefined;

  constructor(stream: string, survey: DigestSurvey, options: DigestOptions, problems: ProblemList) {
    this.#stream = stream;
    this.#survey = survey;
    this.#options = options;
    this.#problems = problems;
    this.#refs = survey.streams.get(stream) ?? [];
  }

  /** Compares the next segment of the stream, whose records are `facts`, with what was signed. */
  async segment(segment: Segment, facts: SegmentFacts): Promise<void> {
    for (let expected = await this.#peek(); expected !== undefined; expected = await this.#peek()) {
      if (segment.open || expected.firstSeq > segment.firstSeq) break;
      this.#nextExpected += 1;
      if (expected.key === segment.key) {
        await this.#compare(segment, facts, expected);
        return;
      }
      this.#missing(expected);
    }
    const { from, to } = this.#unknown;
    const isUnknown = from <= segment.firstSeq && segment.firstSeq <= to;
    if (!segment.open && !isUnknown && segment.firstSeq <= this.#coveredSeq)
      this.#problems.add(
        'unlisted-segment',
        { file: segment.file },
        `no digest names this segment, though they cover its stream up to number ${this.#coveredSeq}`,
      );
    else if (!isUnknown) this.#uncoveredSinceMs ??= facts.firstIngestMs;
  }

  /** `lastSeq` is the last record's number, 0 where there is none. */
  async finish(lastSeq: number): Promise<DigestSummary> {
    for (let expected = await this.#peek(); expected !== undefined; expected = await this.#peek()) {
      this.#nextExpected += 1;
      this.#missing(expected);
    }
    if (lastSeq < this.#coveredSeq)
      this.#add(
        'missing-tail',
        undefined,
        `stream ${this.#stream} had ${this.#coveredSeq} records when it was signed, and ends with ${lastSeq}`,
      );
    const cut = this.#isCutByReference(lastSeq);
    const due = this.#dueMs();
    const silent = due !== undefined && this.#options.asOfMs > due;
    if (silent && !cut && !this.#broken)
      this.#add(
        'missing-digest',
        this.#refs.at(-1)?.key,
        `a digest of stream ${this.#stream} is due since ${new Date(due).toISOString()}: it was removed, or its writer died and nobody completed the stream`,
      );
    const closed = this.#last?.statement.kind === 'closing' && this.#uncoveredSinceMs === undefined;
    const state = cut || silent || this.#broken ? 'silent' : closed ? 'closed' : 'open';
    return { number: this.#last?.statement.number ?? 0, state };
  }

  get #coveredSeq(): number {
    return this.#last?.statement.lastSeq ?? 0;
  }

  #dueMs(): number | undefined {
    const nextBy = this.#last?.statement.nextBy;
    if (nextBy !== undefined) return Date.parse(nextBy);
    return this.#uncoveredSinceMs === undefined ? undefined : this.#uncoveredSinceMs + graceMs;
  }

  /** Another stream's digest names a later one of this stream. */
  #isCutByReference(lastSeq: number): boolean {
    const named = this.#survey.references.get(this.#stream);
    if (named === undefined || named.number <= (this.#refs.at(-1)?.number ?? 0)) return false;
    const gone = this.#refs.length === 0 && lastSeq === 0;
    this.#add(
      gone ? 'missing-stream' : 'missing-digest',
      named.by,
      `it names digest ${named.number} of stream ${this.#stream}, and ${gone ? 'of that stream nothing is there' : 'that one is missing'}`,
    );
    return true;
  }

  /** The next segment that a digest names. */
  async #peek(): Promise<CoveredSegment | undefined> {
    while (this.#nextExpected >= this.#expected.length) {
      const ref = this.#refs[this.#nextRef];
      if (ref === undefined) return undefined;
      this.#nextRef += 1;
      await this.#enter(ref);
    }
    return this.#expected[this.#nextExpected];
  }

  async #enter(ref: DigestRef): Promise<void> {
    if (ref.number < this.#nextNumber) {
      this.#add('digest-mismatch', ref.key, `digest ${ref.number} of stream ${this.#stream} is there twice`);
      return;
    }
    if (ref.number > this.#nextNumber) {
      const last = ref.number - 1;
      const numbers = this.#nextNumber === last ? `digest ${last}` : `digests ${this.#nextNumber} to ${last}`;
      this.#add(
        'missing-digest',
        ref.key,
        `${numbers} of stream ${this.#stream} are missing before this one`,
      );
      this.#broken = true;
    }
    this.#nextNumber = ref.number + 1;
    const digest = await this.#trusted(ref);
    if (digest === undefined) {
      this.#broken = true;
      return;
    }
    const { statement } = digest;
    if (this.#broken) this.#unknown = { from: this.#coveredSeq + 1, to: statement.firstSeq - 1 };
    else this.#requireFollows(ref.key, statement);
    this.#requireWhole(ref.key, statement);
    this.#broken = false;
    this.#last = digest;
    this.#expected = statement.segments;
    this.#nextExpected = 0;
  }

  async #trusted({ key, number }: DigestRef): Promise<Digest | undefined> {
    const digest = await readDigest(this.#options.blobs, key);
    if ('fault' in digest) {
      this.#add('broken-digest', key, digest.fault);
      return undefined;
    }
    if (!isSignedBy(digest, this.#survey.keys)) {
      const { keyId } = digest.statement;
      const why = this.#survey.keys.has(keyId)
        ? 'its signature does not hold: it was forged or changed'
        : `it is signed by key ${keyId}, which is not trusted`;
      this.#add('bad-signature', key, why);
      return undefined;
    }
    if (digestKey(digest.statement) !== key) {
      this.#add('broken-digest', key, `it is the digest that belongs at ${digestKey(digest.statement)}`);
      return undefined;
    }
    const named = this.#survey.references.get(this.#stream);
    if (named?.number === number && named.sha256 !== digest.sha256)
      this.#add('digest-mismatch', key, `it is not the one that ${named.by} names`);
    return digest;
  }

  #requireFollows(key: BlobKey, statement: DigestStatement): void {
    const last = this.#last;
    const before = last?.statement;
    const follows =
      statement.previousSha256 === (last?.sha256 ?? noDigestHash) &&
      statement.firstSeq === this.#coveredSeq + 1 &&
      (before === undefined || statement.periodStart === before.periodEnd);
    if (!follows)
      this.#add(
        'digest-mismatch',
        key,
        'it does not follow on the digest before it: one of the two was replaced',
      );
    const emptyHead = before?.headHash ?? genesisHash;
    if (statement.segments.length === 0 && statement.headHash !== emptyHead)
      this.#add(
        'digest-mismatch',
        key,
        'it covers no record, and names another head than the digest before it',
      );
  }

  #requireWhole(
    key: BlobKey,
    { firstSeq, lastSeq, headHash, segments, kind, nextBy }: DigestStatement,
  ): void {
    let next = firstSeq;
    const gapless = segments.every((segment) => {
      const follows = segment.firstSeq === next && segment.lastSeq >= next;
      next = segment.lastSeq + 1;
      return follows;
    });
    const head = segments.at(-1)?.lastHash ?? headHash;
    if (
      !gapless ||
      next !== lastSeq + 1 ||
      head !== headHash ||
      (kind === 'closing') !== (nextBy === undefined)
    )
      this.#add('digest-mismatch', key, 'its segments are not the records it says it covers');
  }

  async #compare(segment: Segment, facts: SegmentFacts, expected: CoveredSegment): Promise<void> {
    const stored = await segment.stored?.().catch(() => undefined);
    if (stored === undefined || stored.bytes !== expected.bytes || stored.sha256 !== expected.sha256) {
      this.#problems.add(
        'segment-mismatch',
        { file: segment.file },
        `it is not the file that digest ${this.#last?.statement.number} of its stream names: its SHA-256 differs`,
      );
      return;
    }
    const { firstSeq, lastSeq } = expected;
    const signed = (this.#last?.statement.recordings ?? []).filter(
      ({ seq }) => firstSeq <= seq && seq <= lastSeq,
    );
    const same =
      facts.firstSeq === firstSeq &&
      facts.lastSeq === lastSeq &&
      facts.firstHash === expected.firstHash &&
      facts.lastHash === expected.lastHash &&
      signed.length === facts.recordings.length &&
      signed.every(({ seq, key, sha256 }, index) => {
        const found = facts.recordings[index];
        return found?.seq === seq && found.key === key && found.sha256 === sha256;
      });
    if (!same)
      this.#problems.add(
        'digest-mismatch',
        { file: segment.file },
        `digest ${this.#last?.statement.number} of its stream says otherwise of its records than they do`,
      );
  }

  #missing({ key }: CoveredSegment): void {
    this.#add(
      'missing-segment',
      key,
      `digest ${this.#last?.statement.number} names this segment, and it is gone`,
    );
  }

  #add(code: ProblemCode, key: BlobKey | undefined, message: string): void {
    const file = key === undefined ? this.#stream : (this.#options.fileOf?.(key) ?? key);
    this.#problems.add(code, { file }, message);
  }
}
