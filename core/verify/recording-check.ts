import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { BlobStore } from '#core/contract';
import type { EnteredRecord } from './entered-record.ts';
import type { Place, ProblemList } from './problem.ts';

/** Reads stored recordings by key. */
export type RecordingStore = Pick<BlobStore, 'get'>;

const digest = z.string().regex(/^[0-9a-f]{64}$/);
const file = z.looseObject({
  // One part of a key, so that a manifest cannot point out of its recording.
  name: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
  bytes: z.int().nonnegative(),
  sha256: digest,
});
/** What verification needs of a manifest; its writer may say more. */
const manifestShape = z.looseObject({
  version: z.literal(1),
  recordingId: z.string(),
  sessionId: z.string(),
  chunks: z.array(file).max(1_000_000),
  originals: z.array(file).max(1_000_000).optional(),
});

/** The recording a StoreRecording event names is there, whole and unchanged. True when it is. */
export async function checkRecording(
  record: EnteredRecord,
  at: Place,
  store: RecordingStore,
  problems: ProblemList,
): Promise<boolean> {
  const { sessionId, recordingKey: key = '' } = record;
  const add = (
    code: 'missing-recording' | 'recording-mismatch' | 'missing-chunk' | 'chunk-mismatch',
    text: string,
  ) => {
    problems.add(code, at, text, sessionId);
    return false;
  };
  const manifest = await read(store, key);
  if (!manifest.ok) return add('missing-recording', `recording ${key} ${manifest.reason}`);
  if (sha256(manifest.bytes) !== record.recordingSha256)
    return add(
      'recording-mismatch',
      `the manifest ${key} is not the one that was stored: its SHA-256 differs`,
    );
  const content = parseManifest(manifest.bytes);
  if (content === undefined) return add('recording-mismatch', `the manifest ${key} cannot be read as one`);
  if (content.sessionId !== sessionId || content.recordingId !== record.recordingId)
    return add('recording-mismatch', `the manifest ${key} is of another recording (${content.recordingId})`);
  const folder = key.slice(0, key.lastIndexOf('/') + 1);
  let whole = true;
  for (const chunk of [...content.chunks, ...(content.originals ?? [])]) {
    const stored = await read(store, `${folder}${chunk.name}`);
    if (!stored.ok) whole = add('missing-chunk', `chunk ${folder}${chunk.name} ${stored.reason}`);
    else if (stored.bytes.length !== chunk.bytes || sha256(stored.bytes) !== chunk.sha256)
      whole = add(
        'chunk-mismatch',
        `chunk ${folder}${chunk.name} was changed: its SHA-256 or length differs`,
      );
  }
  return whole;
}

type Read =
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly reason: string };

/** A key the store refuses, or an object it cannot read, is a finding about the recording and not the end of the verification. */
async function read(store: RecordingStore, key: string): Promise<Read> {
  try {
    const bytes = await store.get(key);
    return bytes === undefined ? { ok: false, reason: 'is missing' } : { ok: true, bytes };
  } catch (error) {
    return { ok: false, reason: `cannot be read: ${error instanceof Error ? error.message : String(error)}` };
  }
}

function parseManifest(bytes: Uint8Array): z.infer<typeof manifestShape> | undefined {
  try {
    return manifestShape.safeParse(JSON.parse(Buffer.from(bytes).toString('utf8'))).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
