import { z } from 'zod';
import { type AuditDraft, type AuditRecord, type EventOrigin, errorCodes, eventNames } from '#core/contract';

/** What the journal adds to a draft before it is linked into the chain. */
export type RecordFrame = {
  /** UUID version 7. */
  readonly eventId: string;
  readonly origin: EventOrigin;
  readonly ingestTimeMs: number;
};

/** The record without its place in the chain; `link` of core/chain gives it one. */
export function toAuditRecord(draft: AuditDraft, frame: RecordFrame): AuditRecord {
  return {
    eventVersion: '1.0',
    eventID: frame.eventId,
    eventTime: new Date(draft.eventTimeMs).toISOString(),
    eventSource: frame.origin.eventSource,
    eventName: draft.eventName,
    eventCategory: 'ActivityAuditLog',
    eventType: 'ActivityLog',
    awsRegion: frame.origin.awsRegion,
    recipientAccountId: frame.origin.recipientAccountId,
    readOnly: draft.readOnly,
    ...(draft.sourceIPAddress === undefined ? {} : { sourceIPAddress: draft.sourceIPAddress }),
    ...(draft.userAgent === undefined ? {} : { userAgent: draft.userAgent }),
    userIdentity: draft.userIdentity,
    requestParameters: draft.requestParameters,
    responseElements: draft.responseElements,
    additionalEventData: {
      ...draft.additionalEventData,
      eventTimeMs: String(draft.eventTimeMs),
      ingestTime: new Date(frame.ingestTimeMs).toISOString(),
    },
    ...(draft.errorCode === undefined ? {} : { errorCode: draft.errorCode }),
    ...(draft.errorMessage === undefined ? {} : { errorMessage: draft.errorMessage }),
  };
}

/** RFC 9562 §5.7: 48 bits of time, then version, variant and 74 of the 80 random bits. */
export function uuidV7(timeMs: number, random: Uint8Array): string {
  if (random.length !== 10) throw new RangeError(`uuidV7 needs 10 random bytes, got ${random.length}`);
  const bytes = Buffer.alloc(16);
  bytes.writeUIntBE(timeMs, 0, 6);
  bytes.set(random, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  const hex = bytes.toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}

const flatStrings = z.record(z.string(), z.string());
const auditRecord: z.ZodType<AuditRecord> = z.object({
  eventVersion: z.literal('1.0'),
  eventID: z.string(),
  eventTime: z.string(),
  eventSource: z.string(),
  eventName: z.enum(eventNames),
  eventCategory: z.literal('ActivityAuditLog'),
  eventType: z.literal('ActivityLog'),
  awsRegion: z.string(),
  recipientAccountId: z.string(),
  readOnly: z.boolean(),
  sourceIPAddress: z.string().exactOptional(),
  userAgent: z.string().exactOptional(),
  userIdentity: z.object({
    type: z.enum([
      'IAMUser',
      'AssumedRole',
      'IdentityCenterUser',
      'FederatedUser',
      'ServiceIdentity',
      'Unknown',
      'LocalUser',
    ]),
    principalId: z.string(),
    userName: z.string(),
    arn: z.string().exactOptional(),
    accountId: z.string().exactOptional(),
    sessionContext: z
      .object({
        attributes: z.object({ mfaAuthenticated: z.enum(['true', 'false']), creationDate: z.string() }),
      })
      .exactOptional(),
  }),
  requestParameters: flatStrings,
  responseElements: flatStrings,
  additionalEventData: flatStrings,
  errorCode: z.enum(errorCodes).exactOptional(),
  errorMessage: z.string().exactOptional(),
});

/** A record as this version writes them; undefined for anything else. Does not look at the chain. */
export function parseAuditRecord(line: Uint8Array): AuditRecord | undefined {
  try {
    return auditRecord.safeParse(JSON.parse(Buffer.from(line).toString('utf8'))).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
