import { verifyObjectLake } from '#adapters/aws';
import {
  type BlobStore,
  type ChainCheck,
  type ControlStore,
  type Signer,
  type StreamName,
  streamName,
} from '#core/contract';
import {
  DigestError,
  DigestStream,
  digestHead,
  digestKey,
  digestKeyOf,
  isSignedBy,
  parseDigest,
  type StreamReference,
} from '#core/digest';
import { dayOf, parseSealedSegmentKey, type SealedSegment, sealedSegmentKey } from '#core/journal';
import type { Problem, Verification } from '#core/verify';
import { describing } from './describing.ts';

export type CheckChainOptions = {
  readonly evidence: BlobStore;
  readonly control: ControlStore;
  /** The evidence key. */
  readonly signer: Signer;
  /** Streams that had a writer before the evidence is listed, with when that began: of others nothing more can come. */
  readonly writing: ReadonlyMap<string, { readonly startedAtMs: number }>;
  readonly now: () => number;
  /** What may still be spent on it. */
  readonly remainingMs: () => number;
};

export type ChainReport = {
  readonly segments: number;
  readonly broken: readonly BrokenStream[];
  /** Streams that are whole and could not be signed, with why; the next check tries again. */
  readonly unsigned: readonly { readonly stream: string; readonly error: unknown }[];
  readonly digests: number;
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
/** So many checks may fail before somebody who verifies is told. */
const dueAfterMs = 15 * 60_000;
/** How far back segments are looked for that no check has seen. */
const maxDaysBack = 35;

type Round = CheckChainOptions & {
  readonly checks: Map<string, ChainCheck>;
  readonly startMs: number;
  segments: number;
  digests: number;
};

type Outcome = { readonly finished: boolean; readonly broken?: BrokenStream };

/**
 * Verifies what was sealed and not verified yet, each stream from the record on that the check before ended with, and signs it: one digest a
 * stream and check, also where nothing happened, and a closing one when its writer is done. How far it came is kept, so that nothing is read
 * twice. A stream with a problem stays where it is, unsigned from there on, until its segments are no longer of the last day.
 */
export async function checkChain(options: CheckChainOptions): Promise<ChainReport> {
  const { evidence, control, now, remainingMs } = options;
  const checks = new Map((await control.list('check')).map(({ id, data }) => [id, data]));
  const round: Round = { ...options, checks, startMs: now(), segments: 0, digests: 0 };
  const sealed = await segmentsSince(evidence, lastCheckMs(checks, round.startMs), round.startMs);
  const lastSeen = (stream: string) => checks.get(stream)?.atMs ?? 0;
  const streams = [...new Set([...sealed.keys(), ...goingOn(checks)])].sort(
    (a, b) => lastSeen(a) - lastSeen(b),
  );
  const broken: BrokenStream[] = [];
  const unsigned: ChainReport['unsigned'][number][] = [];
  let unfinished = 0;
  for (const stream of streams) {
    if (remainingMs() <= 0) {
      unfinished += 1;
      continue;
    }
    try {
      const outcome = await checkStream(stream, sealed.get(stream) ?? [], round);
      if (!outcome.finished) unfinished += 1;
      if (outcome.broken !== undefined) broken.push(outcome.broken);
    } catch (error) {
      unsigned.push({ stream, error });
    }
  }
  return { segments: round.segments, broken, unsigned, digests: round.digests, unfinished };
}

/** Streams that were seen before and that no closing digest has ended. */
function goingOn(checks: ReadonlyMap<string, ChainCheck>): readonly StreamName[] {
  return [...checks.values()]
    .filter(({ digest }) => digest?.closing === false)
    .map(({ stream }) => streamName(stream));
}

/** When a check was before this one: where none was for days, what was sealed in them is looked at too. */
function lastCheckMs(checks: ReadonlyMap<string, ChainCheck>, startMs: number): number {
  const last = Math.max(...[...checks.values()].map(({ atMs }) => atMs), 0);
  return last === 0 ? startMs : Math.max(last, startMs - maxDaysBack * dayMs);
}

async function segmentsSince(
  evidence: BlobStore,
  sinceMs: number,
  nowMs: number,
): Promise<ReadonlyMap<StreamName, readonly SealedSegment[]>> {
  const streams = new Map<StreamName, SealedSegment[]>();
  // Newest first: what is sealed meanwhile, over midnight too, leaves no gap.
  for (let atMs = nowMs; dayOf(atMs) >= dayOf(Math.min(sinceMs, nowMs) - dayMs); atMs -= dayMs)
    for await (const { key } of evidence.list(`events/dt=${dayOf(atMs)}/`)) {
      const segment = parseSealedSegmentKey(key);
      if (segment === undefined) continue;
      const segments = streams.get(segment.stream);
      if (segments === undefined) streams.set(segment.stream, [segment]);
      else segments.push(segment);
    }
  for (const segments of streams.values()) segments.sort((a, b) => a.firstSeq - b.firstSeq);
  return streams;
}

async function checkStream(
  stream: StreamName,
  ofTheDay: readonly SealedSegment[],
  round: Round,
): Promise<Outcome> {
  const before = round.checks.get(stream);
  try {
    return await signOnce(stream, ofTheDay, round, before);
  } catch (error) {
    if (!(error instanceof DigestError) || error.code !== 'conflict') throw error;
  }
  // Another check, or one of ours that was cut off, has signed: go on from there.
  const { date, check } = await caughtUp(stream, ofTheDay, round, before);
  if (check === undefined)
    throw new DigestError('conflict', `the digests of ${stream} cannot be followed from ${date}`);
  round.checks.set(stream, check);
  return signOnce(stream, ofTheDay, round, check);
}

async function signOnce(
  stream: StreamName,
  ofTheDay: readonly SealedSegment[],
  round: Round,
  before: ChainCheck | undefined,
): Promise<Outcome> {
  const { evidence, signer, writing, now, remainingMs, checks } = round;
  const signedSeq = before?.digest?.lastSeq ?? 0;
  const sealed = await withoutGap(stream, ofTheDay, signedSeq, round, before);
  const fresh = sealed.filter(({ firstSeq }) => firstSeq > signedSeq);
  // It was known before its writer was looked for, so when that one is gone all it wrote has been listed.
  const closing = before?.digest !== undefined && !writing.has(stream);
  if (closing && before.digest?.closing && fresh.length === 0) return { finished: true };
  const firstDate = before?.digest === undefined ? fresh[0]?.date : undefined;
  const digests = new DigestStream({
    blobs: evidence,
    stream,
    signer,
    now,
    dueAfterMs,
    others: async (sinceMs) => changedSince(checks, sinceMs),
    head: before?.digest && { ...before.digest },
    // The same for whoever checks at once, so that the first digest has one key too.
    startMs: firstDate === undefined ? now() : Date.parse(firstDate),
  });
  let check = before?.digest === undefined ? undefined : before;
  let broken: BrokenStream | undefined;
  let finished = true;
  for (let from = 0; from < fresh.length && broken === undefined; from += segmentsAtOnce) {
    if (remainingMs() <= 0) {
      finished = false;
      break;
    }
    const slice = fresh.slice(from, from + segmentsAtOnce);
    const { verification, described } = await verifySlice(evidence, stream, slice, check);
    const [first] = verification.problems;
    if (first !== undefined) {
      broken = { stream, first, problems: verification.problemsFound };
      break;
    }
    for (const segment of slice) digests.add(described(sealedSegmentKey(segment)));
    round.segments += slice.length;
    check = checkAfter(slice, verification, stream, now()) ?? check;
  }
  if (check === undefined || (broken !== undefined && digests.uncovered === 0))
    return { finished, ...optional(broken) };
  await digests.write(closing && finished && broken === undefined ? 'closing' : 'periodic');
  round.digests += 1;
  await keep(
    { ...check, atMs: now(), ...(digests.head === undefined ? {} : { digest: digests.head }) },
    round,
  );
  return { finished, ...optional(broken) };
}

function optional(broken: BrokenStream | undefined): { readonly broken?: BrokenStream } {
  return broken === undefined ? {} : { broken };
}

async function keep(check: ChainCheck, { control, checks, writing, now }: Round): Promise<void> {
  checks.set(check.stream, check);
  // A closed one is kept until other streams have named its last digest, and its segments are no longer listed.
  const days = writing.has(check.stream) || check.digest?.closing === false ? 90 : 3;
  await control.put('check', check.stream, check, { kind: 'any' }, now() + days * dayMs);
}

function changedSince(checks: ReadonlyMap<string, ChainCheck>, sinceMs: number): readonly StreamReference[] {
  return [...checks.values()].flatMap(({ stream, digest }) =>
    digest === undefined || digest.periodEndMs < sinceMs
      ? []
      : [{ stream: streamName(stream), number: digest.number, sha256: digest.sha256 }],
  );
}

/** Also the segments of the days before, where the check before did not come so far. */
async function withoutGap(
  stream: StreamName,
  ofTheDay: readonly SealedSegment[],
  signedSeq: number,
  { evidence, writing, startMs }: Round,
  before: ChainCheck | undefined,
): Promise<readonly SealedSegment[]> {
  const next = ofTheDay.find(({ firstSeq }) => firstSeq > signedSeq);
  if (next === undefined || next.firstSeq === signedSeq + 1) return ofTheDay;
  const sinceMs = Math.max(
    before === undefined ? (writing.get(stream)?.startedAtMs ?? 0) : Date.parse(before.date),
    startMs - maxDaysBack * dayMs,
  );
  const older: SealedSegment[] = [];
  for (let atMs = sinceMs - dayMs; dayOf(atMs) < dayOf(startMs - dayMs); atMs += dayMs)
    for await (const { key } of evidence.list(`events/dt=${dayOf(atMs)}/${stream}/`)) {
      const segment = parseSealedSegmentKey(key);
      if (segment !== undefined) older.push(segment);
    }
  return [...older, ...ofTheDay].sort((a, b) => a.firstSeq - b.firstSeq);
}

/** The check as it would be after the digests that are there already. */
async function caughtUp(
  stream: StreamName,
  ofTheDay: readonly SealedSegment[],
  round: Round,
  before: ChainCheck | undefined,
): Promise<{ readonly date: string; readonly check: ChainCheck | undefined }> {
  const { evidence, signer, now } = round;
  const key = digestKeyOf(signer.publicKeySpki);
  const own = new Map(key === undefined ? [] : [[key.keyId, key]]);
  let check = before?.digest === undefined ? undefined : before;
  let date = check?.date ?? (await withoutGap(stream, ofTheDay, 0, round, before))[0]?.date ?? '';
  for (;;) {
    const periodStart =
      check?.digest === undefined
        ? `${date}T00:00:00.000Z`
        : new Date(check.digest.periodEndMs).toISOString();
    const place = digestKey({ stream, number: (check?.digest?.number ?? 0) + 1, periodStart });
    const bytes = await evidence.get(place);
    if (bytes === undefined) return { date, check };
    const digest = parseDigest(bytes);
    if (!isSignedBy(digest, own))
      throw new DigestError(
        'key-changed',
        `${place} is not signed by the evidence key of this deployment; find out who wrote it`,
      );
    const last = parseSealedSegmentKey(digest.statement.segments.at(-1)?.key ?? '');
    const { lastSeq, headHash } = digest.statement;
    date = last?.date ?? date;
    check = {
      stream,
      date,
      firstSeq: last?.firstSeq ?? check?.firstSeq ?? 0,
      seq: lastSeq,
      hash: headHash,
      atMs: now(),
      digest: digestHead(digest),
    };
  }
}

/** The segment that the check before ended with comes first, so that what follows is known to follow on it. */
async function verifySlice(
  evidence: BlobStore,
  stream: StreamName,
  slice: readonly SealedSegment[],
  check: ChainCheck | undefined,
): Promise<{
  readonly verification: Verification;
  readonly described: ReturnType<typeof describing>['described'];
}> {
  const last = check === undefined ? [] : [{ ...check, stream }];
  const read: readonly SealedSegment[] = [...last, ...slice];
  const { store, described } = describing(evidence, read.map(sealedSegmentKey));
  const days = new Set(read.map(({ date }) => date));
  const verification = await verifyObjectLake(store, {
    days: [...days],
    start: check === undefined && slice[0]?.firstSeq === 1 ? 'genesis' : 'any',
    only: 'chain',
    liveSessions: new Set(),
    ...(check === undefined ? {} : { knownHeads: new Map([[stream, check]]) }),
  });
  return { verification, described };
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
