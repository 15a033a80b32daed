import { verifyObjectLake } from '#adapters/aws';
import { type BlobStore, type ChainCheck, type ControlStore, streamName } from '#core/contract';
import { dayOf, parseSealedSegmentKey, type SealedSegment, sealedSegmentKey } from '#core/journal';
import type { Problem, Verification } from '#core/verify';

export type CheckChainOptions = {
  readonly evidence: BlobStore;
  readonly control: ControlStore;
  /** Streams that still have a writer: how far they were verified is kept also while they say nothing. */
  readonly writing: ReadonlySet<string>;
  readonly now: () => number;
  /** What may still be spent on it. */
  readonly remainingMs: () => number;
};

export type ChainReport = {
  readonly segments: number;
  readonly broken: readonly BrokenStream[];
  /** Streams that were not looked at to their end; the next check begins with them. */
  readonly unfinished: number;
};

export type BrokenStream = {
  readonly stream: string;
  readonly first: Problem;
  readonly problems: number;
};

const dayMs = 86_400_000;
/** Between two looks at the time. */
const segmentsAtOnce = 200;

/**
 * Verifies what was sealed in the last day and was not verified yet, each stream from the record on that the check before ended with.
 * How far it came is kept, so that nothing is read twice; a stream with a problem stays where it is until its segments are no longer of the last day.
 */
export async function checkChain(options: CheckChainOptions): Promise<ChainReport> {
  const { evidence, control, writing, now, remainingMs } = options;
  const checks = new Map((await control.list('check')).map(({ id, data }) => [id, data]));
  const lastSeen = ([stream]: readonly [string, unknown]) => checks.get(stream)?.atMs ?? 0;
  const streams = [...(await segmentsOfTheDay(evidence, now()))].sort((a, b) => lastSeen(a) - lastSeen(b));
  const broken: BrokenStream[] = [];
  let segments = 0;
  let unfinished = 0;
  for (const [stream, sealed] of streams) {
    let check = checks.get(stream);
    const fresh = sealed.filter(({ firstSeq }) => firstSeq > (check?.firstSeq ?? 0));
    for (let from = 0; from < fresh.length; from += segmentsAtOnce) {
      if (remainingMs() <= 0) {
        unfinished += 1;
        break;
      }
      const slice = fresh.slice(from, from + segmentsAtOnce);
      const verification = await verifySlice(evidence, stream, slice, check);
      const [first] = verification.problems;
      if (first !== undefined) {
        broken.push({ stream, first, problems: verification.problemsFound });
        break;
      }
      segments += slice.length;
      check = checkAfter(slice, verification, stream, now()) ?? check;
      if (check !== undefined)
        await control.put(
          'check',
          stream,
          check,
          { kind: 'any' },
          now() + (writing.has(stream) ? 90 : 3) * dayMs,
        );
    }
  }
  return { segments, broken, unfinished };
}

async function segmentsOfTheDay(
  evidence: BlobStore,
  nowMs: number,
): Promise<ReadonlyMap<string, readonly SealedSegment[]>> {
  const streams = new Map<string, SealedSegment[]>();
  // In this order: what is sealed meanwhile, over midnight too, leaves no gap.
  for (const day of [dayOf(nowMs), dayOf(nowMs - dayMs)])
    for await (const { key } of evidence.list(`events/dt=${day}/`)) {
      const segment = parseSealedSegmentKey(key);
      if (segment === undefined) continue;
      const segments = streams.get(segment.stream);
      if (segments === undefined) streams.set(segment.stream, [segment]);
      else segments.push(segment);
    }
  for (const segments of streams.values()) segments.sort((a, b) => a.firstSeq - b.firstSeq);
  return streams;
}

/** The segment that the check before ended with comes first, so that what follows is known to follow on it. */
async function verifySlice(
  evidence: BlobStore,
  stream: string,
  slice: readonly SealedSegment[],
  check: ChainCheck | undefined,
): Promise<Verification> {
  const last = check === undefined ? [] : [{ ...check, stream: streamName(stream) }];
  const read: readonly SealedSegment[] = [...last, ...slice];
  const keys = read.map(sealedSegmentKey);
  const days = new Set(read.map(({ date }) => date));
  return verifyObjectLake(only(evidence, keys), {
    days: [...days],
    start: check === undefined && slice[0]?.firstSeq === 1 ? 'genesis' : 'any',
    only: 'chain',
    liveSessions: new Set(),
    ...(check === undefined ? {} : { knownHeads: new Map([[stream, check]]) }),
  });
}

function checkAfter(
  slice: readonly SealedSegment[],
  { streams: [summary] }: Verification,
  stream: string,
  atMs: number,
): ChainCheck | undefined {
  const last = slice.at(-1);
  if (last === undefined || summary === undefined) return undefined;
  const { date, firstSeq } = last;
  return { stream, date, firstSeq, seq: summary.lastSeq, hash: summary.headHash, atMs };
}

/** The store as if it had these objects alone. */
function only(evidence: BlobStore, keys: readonly string[]): BlobStore {
  return {
    putIfAbsent: (key, bytes) => evidence.putIfAbsent(key, bytes),
    get: (key) => evidence.get(key),
    getRange: (key, offset, length) => evidence.getRange(key, offset, length),
    async *list(prefix) {
      for (const key of keys) if (key.startsWith(prefix)) yield { key, size: 0 };
    },
  };
}
