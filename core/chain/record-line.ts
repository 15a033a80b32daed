import { hash as digestOf } from 'node:crypto';
import type { AuditRecord, FlatStrings } from '#core/contract';
import { canonicalJson, isCanonicalText, type JsonValue } from './canonical-json.ts';

/** Where the next record goes. */
export type ChainPosition = {
  readonly stream: string;
  /** From 1, without gaps. */
  readonly seq: number;
  /** chainHash of the record before; `genesisHash` for the first. */
  readonly previousHash: string;
};

export type LinkedRecord = {
  readonly record: AuditRecord;
  readonly hash: string;
  /** The record's line in the lake, without its line feed: its canonical JSON (RFC 8785). */
  readonly line: string;
};

/** What a chain knows of a record, whatever version of the product wrote it. */
export type ChainedRecord = {
  readonly eventID: string;
  readonly eventName: string;
  readonly eventTime: string;
  readonly requestParameters: FlatStrings;
  readonly responseElements: FlatStrings;
  readonly additionalEventData: FlatStrings;
  readonly chain: ChainPosition & { readonly hash: string };
};

export type LineFault = 'not-json' | 'not-a-record' | 'not-canonical' | 'hash-mismatch';

export type VerifiedLine =
  | { readonly ok: true; readonly record: ChainedRecord }
  /** The record as it claims to be, where it can be read at all. */
  | { readonly ok: false; readonly fault: LineFault; readonly record: ChainedRecord | undefined };

export class ChainError extends Error {
  override readonly name = 'ChainError';
  readonly code: 'reserved-field' | 'not-canonicalizable';

  constructor(code: ChainError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** chainPrev of a stream's first record. */
export const genesisHash = '0'.repeat(64);

/**
 * Puts chainStream, chainSeq, chainPrev and chainHash into additionalEventData. The hash is SHA-256 over the canonical
 * JSON of the record without chainHash.
 */
export function link(position: ChainPosition, unlinked: AuditRecord): LinkedRecord {
  for (const name of Object.keys(unlinked.additionalEventData))
    if (name.startsWith('chain'))
      throw new ChainError(
        'reserved-field',
        `additionalEventData.${name} is for the chain; use another name`,
      );
  const additionalEventData = {
    ...unlinked.additionalEventData,
    chainStream: position.stream,
    chainSeq: String(position.seq),
    chainPrev: position.previousHash,
  };
  const hashed = canonical({ ...unlinked, additionalEventData });
  const hash = sha256(hashed);
  return {
    record: { ...unlinked, additionalEventData: { ...additionalEventData, chainHash: hash } },
    hash,
    line: hashed.replace(beforeHash, (next) => `${hashMember(hash)}${next}`),
  };
}

/** Whether the bytes are exactly what `link` would write for a record of this content. Says nothing of its neighbours. */
export function verifyLine(line: Uint8Array): VerifiedLine {
  let text: string;
  let value: unknown;
  try {
    text = strictUtf8.decode(line);
    value = JSON.parse(text);
  } catch {
    return { ok: false, fault: 'not-json', record: undefined };
  }
  const record = chained(value);
  if (record === undefined) return { ok: false, fault: 'not-a-record', record };
  const { hash } = record.chain;
  const bytes = Buffer.from(line.buffer, line.byteOffset, line.byteLength);
  const member = hashMember(hash);
  const at = bytes.indexOf(member, 0, 'latin1');
  if (at === -1 || !isCanonicalText(text, value)) return { ok: false, fault: 'not-canonical', record };
  const hashed = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + member.length)]);
  return digestOf('sha256', hashed, 'hex') === hash
    ? { ok: true, record }
    : { ok: false, fault: 'hash-mismatch', record };
}

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// additionalEventData sorts before every other member of a record and chainHash right before chainPrev among the four
// names that begin so; a quotation mark within a string is escaped. So the first such text is the member itself.
const beforeHash = '"chainPrev":"';

function hashMember(hash: string): string {
  return `"chainHash":"${hash}",`;
}

function canonical(value: { readonly [name: string]: JsonValue }): string {
  try {
    const text = canonicalJson(value);
    if (text !== undefined) return text;
  } catch (cause) {
    throw new ChainError(
      'not-canonicalizable',
      'the record has a value that JSON cannot hold; pass valid text',
      {
        cause,
      },
    );
  }
  throw new ChainError('not-canonicalizable', 'the record is no JSON value; pass an object');
}

function sha256(text: string): string {
  return digestOf('sha256', text, 'hex');
}

const hashPattern = /^[0-9a-f]{64}$/;
const seqPattern = /^[1-9][0-9]{0,11}$/;

function chained(value: unknown): ChainedRecord | undefined {
  if (!isObject(value)) return undefined;
  const { eventID, eventName, eventTime, requestParameters, responseElements, additionalEventData } = value;
  if (
    typeof eventID !== 'string' ||
    typeof eventName !== 'string' ||
    typeof eventTime !== 'string' ||
    !isFlat(requestParameters) ||
    !isFlat(responseElements) ||
    !isFlat(additionalEventData)
  )
    return undefined;
  const { chainStream, chainSeq, chainPrev, chainHash } = additionalEventData;
  if (
    chainStream === undefined ||
    chainSeq === undefined ||
    chainPrev === undefined ||
    chainHash === undefined ||
    !seqPattern.test(chainSeq) ||
    !hashPattern.test(chainPrev) ||
    !hashPattern.test(chainHash)
  )
    return undefined;
  return {
    eventID,
    eventName,
    eventTime,
    requestParameters,
    responseElements,
    additionalEventData,
    chain: { stream: chainStream, seq: Number(chainSeq), previousHash: chainPrev, hash: chainHash },
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Written by hand and not by a schema: a lake has millions of lines. */
function isFlat(value: unknown): value is FlatStrings {
  if (!isObject(value)) return false;
  for (const name in value) if (typeof value[name] !== 'string') return false;
  return true;
}
