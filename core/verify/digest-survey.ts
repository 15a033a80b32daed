import type { BlobKey, BlobStore } from '#core/contract';
import {
  type Digest,
  DigestError,
  type DigestKey,
  digestKeyOf,
  isSignedBy,
  maxDigestBytes,
  parseDigest,
  parseDigestKey,
} from '#core/digest';
import type { ProblemList } from './problem.ts';

export type DigestOptions = {
  readonly blobs: Pick<BlobStore, 'get' | 'list'>;
  /** Keys that are trusted from elsewhere. */
  readonly keys: readonly DigestKey[];
  /** Of when the lake is: the present, or the time of the copy. Milliseconds since the epoch. */
  readonly asOfMs: number;
  /** How problems name an object; its key when absent. */
  readonly fileOf?: (key: BlobKey) => string;
};

export type DigestRef = { readonly key: BlobKey; readonly number: number };

/** What a digest of another stream says of one. */
export type Reference = { readonly number: number; readonly sha256: string; readonly by: BlobKey };

/** What all digests together say. */
export type DigestSurvey = {
  /** Those that were given, and the successors they have named. */
  readonly keys: ReadonlyMap<string, DigestKey>;
  /** The digests of each stream in the order of their numbers. */
  readonly streams: ReadonlyMap<string, readonly DigestRef[]>;
  /** By stream the newest digest that another one names. */
  readonly references: ReadonlyMap<string, Reference>;
};

/**
 * Reads every digest once, and again as long as new keys are found. What is wrong with one is told when its stream is followed. Digests may
 * be written meanwhile: they are listed again in the end, so that one is there that another names.
 */
export async function surveyDigests(options: DigestOptions, problems: ProblemList): Promise<DigestSurvey> {
  const { blobs, fileOf = (key) => key } = options;
  const keys = new Map(options.keys.map((key) => [key.keyId, key]));
  const { streams: listed } = await listDigests(blobs);
  const references = await readUntilKeysAreKnown(blobs, listed, keys);
  const { streams, foreign } = await listDigests(blobs);
  await readUntilKeysAreKnown(blobs, newerThan(streams, listed), keys);
  for (const key of foreign)
    problems.add('broken-digest', { file: fileOf(key) }, 'a file that is no digest lies among the digests');
  return { keys, streams, references };
}

type Streams = ReadonlyMap<string, readonly DigestRef[]>;

async function listDigests(
  blobs: Pick<BlobStore, 'list'>,
): Promise<{ readonly streams: Streams; readonly foreign: readonly BlobKey[] }> {
  const streams = new Map<string, DigestRef[]>();
  const foreign: BlobKey[] = [];
  for await (const { key } of blobs.list('digests/')) {
    const parsed = parseDigestKey(key);
    if (parsed === undefined) {
      if (foreign.length < maxForeign) foreign.push(key);
      continue;
    }
    const refs = streams.get(parsed.stream) ?? [];
    streams.set(parsed.stream, refs);
    refs.push({ key, number: parsed.number });
  }
  for (const refs of streams.values()) refs.sort((a, b) => a.number - b.number);
  return { streams, foreign };
}

function newerThan(streams: Streams, before: Streams): Streams {
  return new Map(
    [...streams].map(([stream, refs]) => {
      const reached = before.get(stream)?.at(-1)?.number ?? 0;
      return [stream, refs.filter(({ number }) => number > reached)];
    }),
  );
}

async function readUntilKeysAreKnown(
  blobs: Pick<BlobStore, 'get'>,
  streams: Streams,
  keys: Map<string, DigestKey>,
): Promise<ReadonlyMap<string, Reference>> {
  for (;;) {
    const known = keys.size;
    const references = await readAll(blobs, streams, keys);
    if (keys.size === known || keys.size > maxKeys) return references;
  }
}

/** A digest as it can be read, or why it cannot. */
export async function readDigest(
  blobs: Pick<BlobStore, 'get'>,
  key: BlobKey,
): Promise<Digest | { readonly fault: string }> {
  try {
    const bytes = await blobs.get(key);
    if (bytes === undefined) return { fault: 'it is missing' };
    if (bytes.length > maxDigestBytes) return { fault: 'it is larger than any digest' };
    return parseDigest(bytes);
  } catch (error) {
    if (error instanceof DigestError) return { fault: error.message };
    return { fault: `it cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
}

const maxForeign = 100;
const maxKeys = 1000;

async function readAll(
  blobs: Pick<BlobStore, 'get'>,
  streams: Streams,
  keys: Map<string, DigestKey>,
): Promise<ReadonlyMap<string, Reference>> {
  const references = new Map<string, Reference>();
  for (const refs of streams.values())
    for (const { key } of refs) {
      const digest = await readDigest(blobs, key);
      if ('fault' in digest || !isSignedBy(digest, keys)) continue;
      const { successorKey, streams: others } = digest.statement;
      const successor =
        successorKey === undefined ? undefined : digestKeyOf(Buffer.from(successorKey, 'base64'));
      if (successor !== undefined) keys.set(successor.keyId, successor);
      for (const { stream, number, sha256 } of others)
        if (number > (references.get(stream)?.number ?? 0))
          references.set(stream, { number, sha256, by: key });
    }
  return references;
}
