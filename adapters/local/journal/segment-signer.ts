import { type BlobStore, type Signer, type StreamName, streamName } from '#core/contract';
import {
  type Digest,
  DigestError,
  type DigestKey,
  type DigestStream,
  describeSegment,
  digestKeyOf,
  isSignedBy,
  newestDigest,
  parseDigest,
  parseDigestKey,
  resumeDigests,
  type StreamReference,
} from '#core/digest';
import { dayOf, JournalError, sealedSegmentKey } from '#core/journal';
import { openForReading } from './confined-files.ts';
import { gunzipFile } from './gzip-member.ts';
import { type FullSegment, readWhole, type Sealed } from './seal-segment.ts';
import { type SealedSegmentFile, sealedSegmentFiles } from './segment-files.ts';

export type DigestSettings = {
  /** The evidence key; it signs nothing else. */
  readonly signer: Signer;
  /** The evidence key before, which names the new one where it signed last. */
  readonly predecessor?: Signer;
  /** The lake. */
  readonly blobs: BlobStore;
  /** A digest is signed this often, every 5 minutes unless told, */
  readonly everyMs?: number;
  /** or when so many records wait for it, 10,000 unless told. */
  readonly everyRecords?: number;
};

export type SegmentSigner = {
  sealed(segment: FullSegment, sealed: Sealed): void;
  /** Signs what was sealed and is not signed yet. */
  sign(): Promise<void>;
  /** Signs that the stream is whole, and stops. */
  close(): Promise<void>;
  /** No more of its own. */
  stop(): void;
};

const defaultEveryMs = 300_000;
const defaultEveryRecords = 10_000;
/** So many digests may fail before somebody who verifies is told. */
const periodsUntilDue = 3;
const dayMs = 86_400_000;

/**
 * Signs what a stream has in the lake, from time to time and when it ends. What a run before left unsigned is signed with the first digest.
 * @throws DigestError `key-changed`, `invalid`
 */
export async function openSegmentSigner(
  settings: DigestSettings,
  options: {
    readonly directory: string;
    readonly stream: StreamName;
    readonly now: () => number;
    readonly onFault: (error: JournalError) => void;
  },
): Promise<SegmentSigner> {
  const { signer, predecessor, blobs, everyMs = defaultEveryMs } = settings;
  const { directory, stream, now } = options;
  const others = otherStreams(
    blobs,
    stream,
    now,
    predecessor === undefined ? [signer] : [signer, predecessor],
  );
  const digests = await resumeDigests({
    blobs,
    stream,
    signer,
    predecessor,
    now,
    dueAfterMs: periodsUntilDue * everyMs,
    others: () => others.changed(),
    newest: await newestDigest(blobs, stream),
    startMs: now(),
  });
  const signedSeq = digests.head?.lastSeq ?? 0;
  for (const segment of await sealedSegmentFiles(directory, stream))
    if (segment.firstSeq > signedSeq) addSegment(digests, segment, await readSealed(segment));
  return startSigner(digests, others, { ...settings, everyMs }, options);
}

function startSigner(
  digests: DigestStream,
  others: OtherStreams,
  { everyMs, everyRecords = defaultEveryRecords }: DigestSettings & { readonly everyMs: number },
  { stream, onFault }: { readonly stream: StreamName; readonly onFault: (error: JournalError) => void },
): SegmentSigner {
  let fault: unknown;
  const write = async (kind: 'periodic' | 'closing') => {
    try {
      if (fault !== undefined) throw fault;
      await digests.write(kind);
    } catch (cause) {
      others.forget();
      const reason = cause instanceof Error ? cause.message : String(cause);
      onFault(
        new JournalError(
          'unsigned',
          `what ${stream} has in the lake could not be signed (${reason}); its records are safe where they are, and it will be tried again`,
          { cause },
        ),
      );
    }
  };
  const timer = setInterval(() => void write('periodic'), everyMs).unref();
  return {
    sealed(segment, sealed) {
      try {
        addSegment(digests, segment, sealed);
      } catch (error) {
        // Nothing after it can be signed; the next opening reads the lake again.
        fault ??= error;
      }
      if (digests.uncovered >= everyRecords) void write('periodic');
    },
    async sign() {
      if (digests.uncovered > 0) await write('periodic');
    },
    stop: () => clearInterval(timer),
    async close() {
      clearInterval(timer);
      await write('closing');
    },
  };
}

function addSegment(
  digests: DigestStream,
  { stream, date, firstSeq }: SealedSegmentFile,
  sealed: Sealed,
): void {
  const key = sealedSegmentKey({ stream: streamName(stream), date, firstSeq });
  digests.add(describeSegment(key, sealed.content, sealed.stored));
}

async function readSealed({ path }: SealedSegmentFile): Promise<Sealed> {
  return {
    stored: await readWhole(path),
    content: Buffer.concat(await Array.fromAsync(gunzipFile(await openForReading(path)))),
  };
}

/** What other streams have signed. */
type OtherStreams = {
  /** What changed since it was given before. */
  changed(): Promise<readonly StreamReference[]>;
  /** Gives everything again. */
  forget(): void;
};

/** Streams of this lake are signed by the same keys; what others have put there is not spoken of. */
function otherStreams(
  blobs: BlobStore,
  own: StreamName,
  now: () => number,
  signers: readonly Signer[],
): OtherStreams {
  const given = new Map<StreamName, number>();
  const keys = new Map(
    signers.flatMap(({ publicKeySpki }): [string, DigestKey][] => {
      const key = digestKeyOf(publicKeySpki);
      return key === undefined ? [] : [[key.keyId, key]];
    }),
  );
  return {
    forget: () => given.clear(),
    async changed() {
      const changed: StreamReference[] = [];
      for (const [stream, { key, number }] of await newestNumbers(blobs, now())) {
        if (stream === own || number <= (given.get(stream) ?? 0)) continue;
        const digest = await readSigned(blobs, key, keys);
        if (digest === undefined) continue;
        given.set(stream, number);
        changed.push({ stream, number, sha256: digest.sha256 });
      }
      return changed;
    },
  };
}

async function newestNumbers(
  blobs: BlobStore,
  nowMs: number,
): Promise<ReadonlyMap<StreamName, { readonly key: string; readonly number: number }>> {
  const newest = new Map<StreamName, { readonly key: string; readonly number: number }>();
  // A digest lies under the day its period began, and a period is shorter than a day unless the stream was asleep.
  for (const day of [dayOf(nowMs - dayMs), dayOf(nowMs)])
    for await (const { key } of blobs.list(`digests/dt=${day}/`)) {
      const parsed = parseDigestKey(key);
      if (parsed !== undefined && parsed.number > (newest.get(parsed.stream)?.number ?? 0))
        newest.set(parsed.stream, { key, number: parsed.number });
    }
  return newest;
}

async function readSigned(
  blobs: BlobStore,
  key: string,
  keys: ReadonlyMap<string, DigestKey>,
): Promise<Digest | undefined> {
  const bytes = await blobs.get(key);
  try {
    const digest = bytes === undefined ? undefined : parseDigest(bytes);
    return digest !== undefined && isSignedBy(digest, keys) ? digest : undefined;
  } catch (error) {
    if (error instanceof DigestError) return undefined;
    throw error;
  }
}
