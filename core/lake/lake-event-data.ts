import { createHash } from 'node:crypto';
import { z } from 'zod';
import type { AuditRecord, FlatStrings } from '#core/contract';
import { evidenceText } from '#core/event';

const address = z.union([z.ipv4(), z.ipv6()]);

/** The `eventData` of PutAuditEvents. Values inside the maps are texts, as SQL has them there. */
export type LakeEventData = {
  readonly version: string;
  /** Our event id. */
  readonly UID: string;
  readonly userIdentity: {
    readonly type: string;
    readonly principalId: string;
    readonly details: FlatStrings;
  };
  readonly userAgent?: string;
  readonly eventSource: string;
  readonly eventName: string;
  /** UTC, whole seconds; the milliseconds are `eventTimeMs` of additionalEventData. */
  readonly eventTime: string;
  readonly requestParameters: FlatStrings;
  readonly responseElements: FlatStrings;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly sourceIPAddress?: string;
  readonly recipientAccountId: string;
  readonly additionalEventData: FlatStrings;
};

export type LakeFormOptions = {
  /** What was typed travels too: command lines, unproven user names, the rows of findings. AWS asks to keep such text out of these events. */
  readonly includeCommands?: boolean;
};

/** Longest fields, in bytes of UTF-8; CloudTrail refuses longer ones. */
const maxBytes = {
  type: 128,
  principalId: 1024,
  userAgent: 1024,
  name: 1024,
  error: 256,
  parameters: 100_000,
  additional: 28_000,
} as const;

/**
 * The form a record has in CloudTrail Lake: a function of the record, so that the same record is the same event. `account` owns
 * the channel. What does not fit is cut, and `<name>Truncated` says so; the whole record is in the evidence bucket.
 */
export function toLakeEventData(
  record: AuditRecord,
  account: string,
  options: LakeFormOptions = {},
): LakeEventData {
  const kept = options.includeCommands === true ? record : withoutTypedText(record);
  const { userIdentity, sourceIPAddress, userAgent, errorCode, errorMessage } = kept;
  const isAddress = sourceIPAddress !== undefined && address.safeParse(sourceIPAddress).success;
  return {
    version: kept.eventVersion,
    UID: cut(kept.eventID, maxBytes.name),
    userIdentity: {
      type: cut(userIdentity.type, maxBytes.type),
      principalId: cut(userIdentity.principalId, maxBytes.principalId),
      details: fitted(detailsOf(kept), maxBytes.additional),
    },
    ...(userAgent === undefined ? {} : { userAgent: cut(userAgent, maxBytes.userAgent) }),
    eventSource: cut(kept.eventSource, maxBytes.name),
    eventName: kept.eventName,
    eventTime: `${kept.eventTime.slice(0, 19)}Z`,
    requestParameters: fitted(kept.requestParameters, maxBytes.parameters),
    responseElements: fitted(kept.responseElements, maxBytes.parameters),
    ...(errorCode === undefined ? {} : { errorCode: cut(errorCode, maxBytes.error) }),
    ...(errorMessage === undefined ? {} : { errorMessage: cut(errorMessage, maxBytes.error) }),
    ...(isAddress ? { sourceIPAddress } : {}),
    recipientAccountId: account,
    additionalEventData: fitted(
      {
        eventTimeMs: String(Date.parse(kept.eventTime)),
        readOnly: String(kept.readOnly),
        ...(sourceIPAddress === undefined || isAddress ? {} : { sourceAddress: sourceIPAddress }),
        ...kept.additionalEventData,
      },
      maxBytes.additional,
    ),
  };
}

function detailsOf(record: AuditRecord): FlatStrings {
  const { userName, arn, accountId, sessionContext } = record.userIdentity;
  return {
    userName,
    ...(arn === undefined ? {} : { arn }),
    ...(accountId === undefined ? {} : { accountId }),
    ...(sessionContext === undefined ? {} : sessionContext.attributes),
  };
}

const commandFields = new Set(['command', 'commandSha256', 'commandEscaped']);
/** Of a variable, and of what somebody looked for. */
const typedFields = new Set(['value', 'query']);
/** What a finding repeats of the rows it was found in. */
const findingFields = new Set(['title', 'columns']);

/**
 * Unproven user names become a hash of themselves, since people type passwords there: how many there were can
 * still be counted. A command is known to have been; its text and its hash stay behind.
 */
function withoutTypedText(record: AuditRecord): AuditRecord {
  const { userIdentity, requestParameters, responseElements, additionalEventData } = record;
  const claimed = additionalEventData['claimedUser'];
  const { claimedUserEscaped: _escaped, ...additional } = additionalEventData;
  return {
    ...record,
    userIdentity:
      userIdentity.type === 'Unknown'
        ? {
            ...userIdentity,
            principalId: `unknown:${hashed(userIdentity.principalId)}`,
            userName: hashed(userIdentity.userName),
          }
        : userIdentity,
    requestParameters: withoutTyped(record.eventName, requestParameters),
    responseElements:
      record.eventName === 'DetectCondition' ? without(responseElements, findingFields) : responseElements,
    additionalEventData: claimed === undefined ? additional : { ...additional, claimedUser: hashed(claimed) },
  };
}

function withoutTyped(eventName: AuditRecord['eventName'], request: FlatStrings): FlatStrings {
  if (eventName === 'SetEnvironment' || eventName === 'QueryAuditLog') return without(request, typedFields);
  return 'command' in request ? { ...without(request, commandFields), commandOmitted: 'true' } : request;
}

function without(map: FlatStrings, names: ReadonlySet<string>): FlatStrings {
  return Object.fromEntries(Object.entries(map).filter(([name]) => !names.has(name)));
}

function hashed(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

function cut(text: string, bytes: number): string {
  return evidenceText(text, bytes).text;
}

const shortestCut = 64;

/** Values are cut ever shorter until the JSON fits; where that is not enough, the last entries go and `entriesTruncated` says so. */
function fitted(map: FlatStrings, limit: number): FlatStrings {
  if (jsonBytes(map) <= limit) return map;
  for (let longest = limit; longest >= shortestCut; longest = Math.floor(longest / 2)) {
    const shorter = shortened(map, longest);
    if (jsonBytes(shorter) <= limit) return shorter;
  }
  const kept: [string, string][] = [];
  let left = limit - jsonBytes({ entriesTruncated: 'true' });
  for (const [name, value] of Object.entries(shortened(map, shortestCut))) {
    left -= jsonBytes({ [name]: value });
    if (left < 0) break;
    kept.push([name, value]);
  }
  return { ...Object.fromEntries(kept), entriesTruncated: 'true' };
}

function shortened(map: FlatStrings, longest: number): FlatStrings {
  const short: Record<string, string> = {};
  for (const [name, value] of Object.entries(map)) {
    const { text, truncated } = evidenceText(value, longest);
    short[name] = text;
    if (truncated) short[`${name}Truncated`] = 'true';
  }
  return short;
}

function jsonBytes(value: FlatStrings): number {
  return Buffer.byteLength(JSON.stringify(value));
}
