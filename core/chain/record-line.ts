import { hash as digestOf } from 'node:crypto';
import canonicalize from 'canonicalize';
import { z } from 'zod';
import type { AuditRecord, FlatStrings } from '#core/contract';
import { canonicalJson, type JsonValue } from './canonical-json.ts';

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
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(line);
    value = JSON.parse(text);
  } catch {
    return { ok: false, fault: 'not-json', record: undefined };
  }
  const record = chained(value);
  if (record === undefined) return { ok: false, fault: 'not-a-record', record };
  const { hash } = record.chain;
  const hashed = text.replace(hashMember(hash), '');
  if (canonicalWithoutHash(value) !== hashed || hashed.length + hashMember(hash).length !== text.length)
    return { ok: false, fault: 'not-canonical', record };
  return sha256(hashed) === hash ? { ok: true, record } : { ok: false, fault: 'hash-mismatch', record };
}

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

/** Undefined where the value has no canonical form: a lone surrogate can be written as an escape in JSON. */
function canonicalWithoutHash(value: unknown): string | undefined {
  const { additionalEventData, ...rest } = outline.parse(value);
  const { chainHash: _, ...hashed } = additionalEventData;
  try {
    return canonicalize({ ...rest, additionalEventData: hashed });
  } catch {
    return undefined;
  }
}

function sha256(text: string): string {
  return digestOf('sha256', text, 'hex');
}

const outline = z.looseObject({ additionalEventData: z.record(z.string(), z.unknown()) });
const hex = z.string().regex(/^[0-9a-f]{64}$/);
const flat = z.record(z.string(), z.string());
const lineShape = z.looseObject({
  eventID: z.string(),
  eventName: z.string(),
  eventTime: z.string(),
  requestParameters: flat,
  responseElements: flat,
  additionalEventData: z
    .object({
      chainStream: z.string(),
      chainSeq: z.string().regex(/^[1-9][0-9]{0,11}$/),
      chainPrev: hex,
      chainHash: hex,
    })
    .catchall(z.string()),
});

function chained(value: unknown): ChainedRecord | undefined {
  const { data } = lineShape.safeParse(value);
  if (data === undefined) return undefined;
  const { chainStream, chainSeq, chainPrev, chainHash } = data.additionalEventData;
  return {
    eventID: data.eventID,
    eventName: data.eventName,
    eventTime: data.eventTime,
    requestParameters: data.requestParameters,
    responseElements: data.responseElements,
    additionalEventData: data.additionalEventData,
    chain: { stream: chainStream, seq: Number(chainSeq), previousHash: chainPrev, hash: chainHash },
  };
}
