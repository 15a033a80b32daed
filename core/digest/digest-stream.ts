import { genesisHash } from '#core/chain';
import type { BlobKey, BlobStore, Signer, StreamName } from '#core/contract';
import type { DescribedSegment } from './describe-segment.ts';
import {
  type Digest,
  type DigestStatement,
  digestKey,
  maxStreamReferences,
  noDigestHash,
  parseDigest,
  parseDigestKey,
  type StreamReference,
} from './digest.ts';
import { DigestError } from './digest-error.ts';
import { digestKeyId, digestKeyOf, isSignedBy, signDigest } from './signature.ts';

/** The newest digest of a stream, as far as the next one needs to know it. */
export type DigestHead = {
  readonly number: number;
  /** Of its object. */
  readonly sha256: string;
  readonly periodEndMs: number;
  readonly lastSeq: number;
  readonly headHash: string;
  readonly closing: boolean;
};

export type DigestStreamOptions = {
  readonly blobs: Pick<BlobStore, 'putIfAbsent' | 'get'>;
  readonly stream: StreamName;
  readonly signer: Signer;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** How long after a digest the next one is due. */
  readonly dueAfterMs: number;
  /** Newest digests of other streams, those that changed after this time at least. */
  readonly others: (sinceMs: number) => Promise<readonly StreamReference[]>;
  /** Undefined in a stream without digests; then its first period begins at `startMs`. */
  readonly head: DigestHead | undefined;
  readonly startMs: number;
};

/** More are spread over several digests, so that each stays far below its greatest size. */
const maxSegments = 2000;
const maxRecordings = 20_000;

type Unsettled = { readonly key: BlobKey; readonly bytes: Buffer; readonly taken: number };

/** Signs what a stream holds, one digest after another. One caller at a time decides; calls wait for each other. */
export class DigestStream {
  readonly #options: DigestStreamOptions;
  #head: DigestHead | undefined;
  #pending: DescribedSegment[] = [];
  #unsettled: Unsettled | undefined;
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: DigestStreamOptions) {
    this.#options = options;
    this.#head = options.head;
  }

  get head(): DigestHead | undefined {
    return this.#head;
  }

  /** Records that no digest covers yet. */
  get uncovered(): number {
    return (this.#pending.at(-1)?.segment.lastSeq ?? this.#coveredSeq) - this.#coveredSeq;
  }

  get #coveredSeq(): number {
    return this.#head?.lastSeq ?? 0;
  }

  /** The next sealed segment. @throws DigestError `out-of-order` */
  add(described: DescribedSegment): void {
    const expected = (this.#pending.at(-1)?.segment.lastSeq ?? this.#coveredSeq) + 1;
    const { key, firstSeq } = described.segment;
    if (firstSeq !== expected)
      throw new DigestError(
        'out-of-order',
        `${key} begins with number ${firstSeq} where ${expected} is to be signed next; run sshtrail verify`,
      );
    this.#pending.push(described);
  }

  /**
   * Signs what was added, or that nothing was. `successor` is the key that signs from then on.
   * @throws DigestError `conflict`; what signer and store throw: then what was added waits for the next call
   */
  write(kind: DigestStatement['kind'], successor?: Signer): Promise<void> {
    const written = this.#last.then(() => this.#write(kind, successor));
    this.#last = written.catch(() => undefined);
    return written;
  }

  async #write(kind: DigestStatement['kind'], successor: Signer | undefined): Promise<void> {
    // Of an attempt before nobody knows whether it was stored: the same bytes again find out.
    if (this.#unsettled !== undefined) await this.#put(this.#unsettled);
    do {
      const covered = this.#take();
      const isLast = covered.length === this.#pending.length;
      const unsigned = await this.#statement(
        covered,
        isLast ? kind : 'periodic',
        isLast ? successor : undefined,
      );
      const bytes = await signDigest(this.#options.signer, unsigned);
      this.#unsettled = { key: digestKey(unsigned), bytes, taken: covered.length };
      await this.#put(this.#unsettled);
    } while (this.#pending.length > 0);
  }

  #take(): readonly DescribedSegment[] {
    let recordings = 0;
    const end = this.#pending.findIndex((described, index) => {
      recordings += described.recordings.length;
      return index >= maxSegments || (index > 0 && recordings > maxRecordings);
    });
    return this.#pending.slice(0, end === -1 ? undefined : end);
  }

  async #statement(
    covered: readonly DescribedSegment[],
    kind: DigestStatement['kind'],
    successor: Signer | undefined,
  ): Promise<Omit<DigestStatement, 'algorithm' | 'keyId'>> {
    const { stream, now, dueAfterMs, others, startMs } = this.#options;
    const startsMs = this.#head?.periodEndMs ?? startMs;
    // A clock that was set back makes an empty period, not one that ends before it began.
    const endsMs = Math.max(startsMs, now());
    const last = covered.at(-1)?.segment;
    const references = await others(startsMs);
    return {
      version: 1,
      stream,
      number: (this.#head?.number ?? 0) + 1,
      kind,
      periodStart: isoTime(startsMs),
      periodEnd: isoTime(endsMs),
      ...(kind === 'closing' ? {} : { nextBy: isoTime(endsMs + dueAfterMs) }),
      previousSha256: this.#head?.sha256 ?? noDigestHash,
      firstSeq: this.#coveredSeq + 1,
      lastSeq: last?.lastSeq ?? this.#coveredSeq,
      headHash: last?.lastHash ?? this.#head?.headHash ?? genesisHash,
      segments: covered.map(({ segment }) => segment),
      recordings: covered.flatMap(({ recordings }) => recordings),
      streams: references
        .filter((other) => other.stream !== stream)
        .toSorted((a, b) => (a.stream < b.stream ? -1 : 1))
        .slice(0, maxStreamReferences),
      ...(successor === undefined ? {} : { successorKey: successor.publicKeySpki.toString('base64') }),
    };
  }

  async #put({ key, bytes, taken }: Unsettled): Promise<void> {
    const { blobs } = this.#options;
    if ((await blobs.putIfAbsent(key, bytes)) === 'exists') {
      const there = await blobs.get(key);
      if (there?.equals(bytes) !== true) {
        this.#unsettled = undefined;
        throw new DigestError(
          'conflict',
          `${key} is there already; another writer signs this stream, and this one must read it anew`,
        );
      }
    }
    this.#unsettled = undefined;
    this.#pending.splice(0, taken);
    this.#head = digestHead(parseDigest(bytes));
  }
}

export function digestHead({ statement, sha256 }: Digest): DigestHead {
  const { number, periodEnd, lastSeq, headHash, kind } = statement;
  return {
    number,
    sha256,
    periodEndMs: Date.parse(periodEnd),
    lastSeq,
    headHash,
    closing: kind === 'closing',
  };
}

/** The newest digest of a stream, found by its number among all. */
export async function newestDigest(
  blobs: Pick<BlobStore, 'get' | 'list'>,
  stream: StreamName,
): Promise<Digest | undefined> {
  let newest: { readonly key: BlobKey; readonly number: number } | undefined;
  for await (const { key } of blobs.list('digests/')) {
    const parsed = parseDigestKey(key);
    if (parsed?.stream === stream && parsed.number > (newest?.number ?? 0))
      newest = { key, number: parsed.number };
  }
  if (newest === undefined) return undefined;
  const bytes = await blobs.get(newest.key);
  return bytes === undefined ? undefined : parseDigest(bytes);
}

/**
 * Goes on with a stream after its newest digest. Where that is by another key, `predecessor` is the old one, which names the new one first.
 * @throws DigestError `key-changed` where neither may go on
 */
export async function resumeDigests(
  options: Omit<DigestStreamOptions, 'head'> & {
    readonly newest: Digest | undefined;
    readonly predecessor?: Signer | undefined;
  },
): Promise<DigestStream> {
  const { newest, predecessor, ...rest } = options;
  const head = newest && digestHead(newest);
  if (newest === undefined || mayFollow(newest, options.signer)) return new DigestStream({ ...rest, head });
  if (predecessor === undefined || !mayFollow(newest, predecessor)) {
    const { number, stream, keyId } = newest.statement;
    throw new DigestError(
      'key-changed',
      `digest ${number} of ${stream} is signed by key ${keyId}, not by ${digestKeyId(options.signer.publicKeySpki)}; give the old key once more, so that it names the new one`,
    );
  }
  const handingOver = new DigestStream({ ...rest, signer: predecessor, head });
  await handingOver.write('periodic', options.signer);
  return new DigestStream({ ...rest, head: handingOver.head });
}

/** It signed the digest, or is named there as the successor. */
function mayFollow(digest: Digest, { publicKeySpki }: Signer): boolean {
  const own = digestKeyOf(publicKeySpki);
  if (own === undefined) return false;
  return (
    isSignedBy(digest, new Map([[own.keyId, own]])) ||
    digest.statement.successorKey === publicKeySpki.toString('base64')
  );
}

function isoTime(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
