import { hash } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import { type BlobKey, type Signer, type StreamName, streamName } from '#core/contract';
import { DigestError } from './digest-error.ts';

/** A sealed segment as a digest names it. */
export type CoveredSegment = {
  readonly key: BlobKey;
  /** Of the object as stored. */
  readonly bytes: number;
  readonly sha256: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** chainHash of its first and its last record. */
  readonly firstHash: string;
  readonly lastHash: string;
};

/** A stored recording as a digest names it. */
export type CoveredRecording = {
  /** Of its StoreRecording event. */
  readonly seq: number;
  /** Of its manifest. */
  readonly key: BlobKey;
  readonly sha256: string;
};

/** The newest digest of another stream. */
export type StreamReference = {
  readonly stream: StreamName;
  readonly number: number;
  /** Of the digest's object. */
  readonly sha256: string;
};

/** What is signed: docs/spec/digest.md says the meaning of each member. */
export type DigestStatement = {
  readonly version: 1;
  readonly stream: StreamName;
  readonly number: number;
  readonly kind: 'periodic' | 'closing';
  readonly periodStart: string;
  readonly periodEnd: string;
  readonly nextBy?: string | undefined;
  readonly previousSha256: string;
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly headHash: string;
  readonly segments: readonly CoveredSegment[];
  readonly recordings: readonly CoveredRecording[];
  readonly streams: readonly StreamReference[];
  readonly algorithm: Signer['algorithm'];
  readonly keyId: string;
  readonly successorKey?: string | undefined;
};

/** A digest that was read; nothing is said of its signature. */
export type Digest = {
  readonly statement: DigestStatement;
  /** Of the statement's line. */
  readonly statementSha256: string;
  readonly signature: Buffer;
  /** Of the whole object. */
  readonly sha256: string;
};

/** Longer ones are not read. */
export const maxDigestBytes = 16 << 20;
export const maxStreamReferences = 1000;
/** previousSha256 of a stream's first digest. */
export const noDigestHash = '0'.repeat(64);

const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/);
const stream = z
  .string()
  .regex(/^[a-z0-9][a-z0-9.-]{0,62}$/)
  .transform(streamName);
const time = z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
const count = z.int().nonnegative().max(999_999_999_999);
const number = count.min(1);
const key = z.string().min(1).max(1024);
const base64 = z.base64().max(4096);

const statementShape = z.strictObject({
  version: z.literal(1),
  stream,
  number,
  kind: z.enum(['periodic', 'closing']),
  periodStart: time,
  periodEnd: time,
  nextBy: time.optional(),
  previousSha256: sha256Hex,
  firstSeq: number,
  lastSeq: count,
  headHash: sha256Hex,
  segments: z.array(
    z.strictObject({
      key,
      bytes: count,
      sha256: sha256Hex,
      firstSeq: number,
      lastSeq: number,
      firstHash: sha256Hex,
      lastHash: sha256Hex,
    }),
  ),
  recordings: z.array(z.strictObject({ seq: number, key, sha256: sha256Hex })),
  streams: z.array(z.strictObject({ stream, number, sha256: sha256Hex })).max(maxStreamReferences),
  algorithm: z.enum(['ed25519', 'ecdsa-p256-sha256']),
  keyId: sha256Hex,
  successorKey: base64.optional(),
});
const signatureShape = z.strictObject({ signature: base64 });

/** Where a digest is: fixed by the one before it. */
export function digestKey({
  stream,
  number,
  periodStart,
}: Pick<DigestStatement, 'stream' | 'number' | 'periodStart'>): BlobKey {
  return `digests/dt=${periodStart.slice(0, 10)}/${stream}/${String(number).padStart(12, '0')}.json`;
}

const keyPattern = /^digests\/dt=(\d{4}-\d{2}-\d{2})\/([a-z0-9][a-z0-9.-]{0,62})\/(\d{12})\.json$/;

/** Undefined for whatever is no digest. */
export function parseDigestKey(
  key: BlobKey,
): { readonly date: string; readonly stream: StreamName; readonly number: number } | undefined {
  const [, date, name, digits] = keyPattern.exec(key) ?? [];
  if (date === undefined || name === undefined || digits === undefined) return undefined;
  return { date, stream: streamName(name), number: Number(digits) };
}

/** The statement's line, without its line feed. */
export function encodeStatement(statement: DigestStatement): string {
  const line = canonicalize(statement);
  if (line === undefined) throw new RangeError('a statement is an object');
  return line;
}

/** The object as it is stored. */
export function encodeDigest(statementLine: string, signature: Uint8Array): Buffer {
  const signatureLine = JSON.stringify({ signature: Buffer.from(signature).toString('base64') });
  return Buffer.from(`${statementLine}\n${signatureLine}\n`, 'utf8');
}

/** What the signature is over. */
export function signedMessage(statementSha256: string): Buffer {
  return Buffer.from(`sshtrail digest v1\n${statementSha256}\n`, 'latin1');
}

/** @throws DigestError `invalid` */
export function parseDigest(bytes: Uint8Array): Digest {
  if (bytes.byteLength > maxDigestBytes) throw invalid(`it has more than ${maxDigestBytes} bytes`);
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = buffer.indexOf(0x0a);
  const rest = buffer.subarray(end + 1);
  if (end === -1 || rest.indexOf(0x0a) !== rest.length - 1 || rest.length < 2)
    throw invalid('it is not two lines');
  const line = buffer.subarray(0, end);
  const statement = statementShape.safeParse(jsonOf(line));
  if (!statement.success)
    throw invalid(`its statement has another form: ${firstProblem(statement.error)}`, statement.error);
  if (encodeStatement(statement.data) !== line.toString('utf8'))
    throw invalid('its statement is not canonical');
  const signature = signatureShape.safeParse(jsonOf(rest.subarray(0, -1)));
  if (!signature.success) throw invalid('its second line is no signature', signature.error);
  return {
    statement: statement.data,
    statementSha256: hash('sha256', line, 'hex'),
    signature: Buffer.from(signature.data.signature, 'base64'),
    sha256: hash('sha256', buffer, 'hex'),
  };
}

function jsonOf(line: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line));
  } catch (cause) {
    throw invalid('a line is no JSON', cause);
  }
}

function firstProblem(error: z.ZodError): string {
  const issue = error.issues[0];
  return issue === undefined ? 'unknown' : `${issue.path.map(String).join('.')}: ${issue.message}`;
}

function invalid(what: string, cause?: unknown): DigestError {
  return new DigestError(
    'invalid',
    `this is no digest (${what}); keep it as evidence and compare it with a copy`,
    cause === undefined ? undefined : { cause },
  );
}
