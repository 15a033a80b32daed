import type { AuditDraft, ErrorCode, EventName, FlatStrings, UserIdentity } from '#core/contract';
import { evidenceText } from './evidence-text.ts';

/** Text with a bound of its own, in bytes of UTF-8. */
type BoundedText = { readonly text: string | Uint8Array; readonly maxBytes: number };
type FieldValue = string | Uint8Array | number | bigint | boolean | BoundedText | undefined;
/** Values before they become flat strings; undefined means not known and is left out. */
export type Fields = Readonly<Record<string, FieldValue>>;

/** Why something was not done. */
export type Refusal = {
  readonly errorCode: ErrorCode;
  /** A word or two for grouping, e.g. `no-policy-allows`. */
  readonly denyReason?: string | undefined;
  /** One plain sentence with the next step. */
  readonly message: string;
  /** The lock that refuses. */
  readonly lockId?: string | undefined;
};

/** Who an event says acted, and what it repeats of them. */
export type Actor = {
  readonly userIdentity: UserIdentity;
  readonly sourceIPAddress?: string | undefined;
  readonly userAgent?: string | Uint8Array | undefined;
  readonly additional: Fields;
};

export type DraftParts = {
  readonly request?: Fields;
  readonly response?: Fields;
  readonly additional?: Fields;
  readonly refusal?: Refusal | undefined;
};

export const maxCommandBytes = 8192;
const maxFieldBytes = 1024;
/** CloudTrail Lake refuses longer ones. */
const maxErrorMessageBytes = 256;

export function draft(
  eventName: EventName,
  eventTimeMs: number,
  actor: Actor,
  parts: DraftParts = {},
): AuditDraft {
  const { request = {}, response = {}, additional = {}, refusal } = parts;
  const userAgent = actor.userAgent === undefined ? undefined : evidenceText(actor.userAgent, maxFieldBytes);
  return {
    eventName,
    eventTimeMs,
    readOnly: false,
    userIdentity: actor.userIdentity,
    ...(actor.sourceIPAddress === undefined ? {} : { sourceIPAddress: actor.sourceIPAddress }),
    ...(userAgent === undefined ? {} : { userAgent: userAgent.text }),
    requestParameters: flatStrings(request),
    responseElements: flatStrings(response),
    additionalEventData: flatStrings({
      ...actor.additional,
      ...additional,
      userAgentEscaped: userAgent?.escaped || undefined,
      userAgentTruncated: userAgent?.truncated || undefined,
      denyReason: refusal?.denyReason,
      lockId: refusal?.lockId,
    }),
    ...(refusal === undefined
      ? {}
      : {
          errorCode: refusal.errorCode,
          errorMessage: evidenceText(refusal.message, maxErrorMessageBytes).text,
        }),
  };
}

/** `<name>Escaped` and `<name>Truncated` stand beside a value that could not be kept as it was. */
function flatStrings(fields: Fields): FlatStrings {
  const flat: Record<string, string> = {};
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean') {
      flat[name] = String(value);
      continue;
    }
    const bounded =
      typeof value === 'string' || value instanceof Uint8Array
        ? { text: value, maxBytes: maxFieldBytes }
        : value;
    const { text, escaped, truncated } = evidenceText(bounded.text, bounded.maxBytes);
    flat[name] = text;
    if (escaped) flat[`${name}Escaped`] = 'true';
    if (truncated) flat[`${name}Truncated`] = 'true';
  }
  return flat;
}

/** A small table as one JSON value; entries that would pass the bound are left out, the first ones by name are kept. */
export function jsonTable(table: Readonly<Record<string, string>>, maxBytes: number): BoundedText {
  const kept: [string, string][] = [];
  let length = 2;
  for (const [name, value] of Object.entries(table).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))) {
    const entry: [string, string] = [evidenceText(name, 256).text, evidenceText(value, maxFieldBytes).text];
    length += Buffer.byteLength(JSON.stringify(entry));
    if (length > maxBytes) break;
    kept.push(entry);
  }
  return { text: JSON.stringify(Object.fromEntries(kept)), maxBytes };
}

export function isoTime(timeMs: number | undefined): string | undefined {
  return timeMs === undefined ? undefined : new Date(timeMs).toISOString();
}
