import { createHash } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import type { AuditRecord, EventSink } from '#core/contract';
import { toLakeEventData } from '#core/lake';
import { LakeSinkError } from './lake-sink-error.ts';
import { type FailedEntry, type PutOutcome, putAuditEvents } from './put-audit-events.ts';
import type { AwsCredentials } from './sign-audit-events.ts';

export type LakeChannelSinkOptions = {
  readonly channelArn: string;
  readonly region: string;
  /** Asked before every call. */
  readonly credentials: () => Promise<AwsCredentials>;
  /** The region's own when absent. */
  readonly endpoint?: string;
  readonly fetch: typeof globalThis.fetch;
  readonly now: () => number;
  /** Owner of the channel, 12 digits. */
  readonly account: string;
  /** Where the channel's policy asks for one. */
  readonly externalId?: string;
  /** Whether text that was typed goes to CloudTrail Lake too; AWS advises against it. */
  readonly includeCommands?: boolean;
  /** Takes a record that CloudTrail refuses for good; the sink goes on once it resolved. */
  readonly deadLetter: (record: AuditRecord, errorCode: string, message: string) => Promise<void>;
  /** Called once, when the account turns out not to have CloudTrail Lake, or not the channel; the sink is off from then on. */
  readonly onUnavailable: (reason: string) => Promise<void>;
  readonly sleep?: (ms: number) => Promise<void>;
  /** For one delivery with all its tries; 20 s when absent. */
  readonly deadlineMs?: number;
};

/** Limits of PutAuditEvents. */
const maxEntries = 100;
const maxBodyBytes = 1_000_000;
const idPattern = /^[-_A-Za-z0-9]{1,128}$/;

const firstPauseMs = 250;
const longestPauseMs = 5_000;
const callMs = 10_000;
/** Less would only be a call that cannot succeed; a delivery may take that much longer. */
const shortestCallMs = 1_000;

const passing = new Set(['Throttling', 'InternalFailure']);
/** The account, and not this event, is the reason. */
const closing = new Set(['AccountNotSubscribed', 'UnsupportedOperation', 'ChannelNotFound']);

type Entry = {
  readonly id: string;
  readonly record: AuditRecord;
  /** `{"id":...}` as it stands in the body. */
  readonly json: string;
  readonly bytes: number;
};

/**
 * Sends records to a channel of CloudTrail Lake. What is refused for a reason that may pass is sent again within the deadline; after
 * it the delivery rejects and the records come again, so that a record may be in the event data store twice: queries count by `uid`.
 */
export function createLakeChannelSink(options: LakeChannelSinkOptions): EventSink {
  let off: Promise<void> | undefined;
  const turnOff = async (reason: string): Promise<void> => {
    off ??= options.onUnavailable(reason);
    try {
      await off;
    } catch (error) {
      // Nobody knows yet, so the next delivery finds out again.
      off = undefined;
      throw error;
    }
  };
  return {
    name: 'cloudtrail-lake',
    async deliver(records) {
      if (off !== undefined) return off;
      const deadlineMs = options.now() + (options.deadlineMs ?? 20_000);
      for (const batch of batches(await entriesOf(records, options))) {
        const reason = await deliverBatch(batch, deadlineMs, options);
        if (reason !== undefined) return turnOff(reason);
      }
    },
  };
}

/** A record that comes twice is sent once; one whose id CloudTrail cannot take goes to the dead letters. */
async function entriesOf(
  records: readonly AuditRecord[],
  options: LakeChannelSinkOptions,
): Promise<readonly Entry[]> {
  const entries = new Map<string, Entry>();
  for (const record of records) {
    const id = record.eventID;
    if (entries.has(id)) continue;
    if (!idPattern.test(id)) {
      await options.deadLetter(record, 'InvalidData', 'an id has up to 128 letters, digits, - and _');
      continue;
    }
    const eventData = JSON.stringify(
      toLakeEventData(record, options.account, { includeCommands: options.includeCommands === true }),
    );
    const eventDataChecksum = createHash('sha256').update(eventData, 'utf8').digest('base64');
    const json = JSON.stringify({ id, eventData, eventDataChecksum });
    entries.set(id, { id, record, json, bytes: Buffer.byteLength(json) });
  }
  return [...entries.values()];
}

function batches(entries: readonly Entry[]): readonly (readonly Entry[])[] {
  const all: Entry[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const entry of entries) {
    const last = all.at(-1);
    // One for the comma.
    bytes += entry.bytes + 1;
    if (last !== undefined && last.length < maxEntries && bytes <= maxBodyBytes) last.push(entry);
    else {
      all.push([entry]);
      bytes = bodyOf([]).length + entry.bytes;
    }
  }
  return all;
}

function bodyOf(entries: readonly Entry[]): string {
  return `{"auditEvents":[${entries.map(({ json }) => json).join(',')}]}`;
}

/** Undefined when every entry is in or in the dead letters; otherwise why the sink must be turned off. */
async function deliverBatch(
  batch: readonly Entry[],
  deadlineMs: number,
  options: LakeChannelSinkOptions,
): Promise<string | undefined> {
  const { sleep = (ms: number) => delay(ms) } = options;
  let left = batch;
  for (let pauseMs = firstPauseMs; ; pauseMs = Math.min(longestPauseMs, pauseMs * 2)) {
    const outcome = await put(left, deadlineMs, options);
    if (outcome.kind === 'refused') {
      if (closing.has(outcome.code)) return closedReason(outcome.code, outcome.message, options);
      throw refusal(outcome.code, outcome.message, options);
    }
    let why = outcome.kind === 'again' ? `${outcome.code}: ${outcome.message}` : '';
    if (outcome.kind === 'answered') {
      const closed = outcome.failed.find(({ errorCode }) => closing.has(errorCode));
      if (closed !== undefined) return closedReason(closed.errorCode, closed.errorMessage, options);
      left = await withoutSettled(left, outcome.failed, options);
      if (left.length === 0) return undefined;
      why = `${left.length} events were put off by ${[...new Set(outcome.failed.map(({ errorCode }) => errorCode))].join(', ')}`;
    }
    // Several gateways share the account's rate, so they do not come back together.
    const wait = Math.ceil(pauseMs * (0.5 + Math.random() / 2));
    if (options.now() + wait >= deadlineMs)
      throw new LakeSinkError(
        'unavailable',
        `CloudTrail did not take ${left.length} events in time (${why}); they are sent again later`,
      );
    await sleep(wait);
  }
}

async function put(
  entries: readonly Entry[],
  deadlineMs: number,
  options: LakeChannelSinkOptions,
): Promise<PutOutcome> {
  const { region, channelArn, externalId } = options;
  const suffix = region.startsWith('cn-') ? 'amazonaws.com.cn' : 'amazonaws.com';
  const endpoint = options.endpoint ?? `https://cloudtrail-data.${region}.${suffix}`;
  try {
    return await putAuditEvents(
      { endpoint: endpoint.replace(/\/$/, ''), region, channelArn, externalId, body: bodyOf(entries) },
      {
        credentials: options.credentials,
        fetch: options.fetch,
        now: options.now,
        timeoutMs: Math.max(shortestCallMs, Math.min(callMs, Math.ceil(deadlineMs - options.now()))),
      },
    );
  } catch (error) {
    throw new LakeSinkError(
      'unavailable',
      'there are no credentials to send events to CloudTrail with; look at the role of this process',
      { cause: error },
    );
  }
}

/** What is left to send again; what CloudTrail will never take is in the dead letters. */
async function withoutSettled(
  entries: readonly Entry[],
  failed: readonly FailedEntry[],
  options: LakeChannelSinkOptions,
): Promise<readonly Entry[]> {
  const failures = new Map(failed.map((failure) => [failure.id, failure]));
  const again: Entry[] = [];
  for (const entry of entries) {
    const failure = failures.get(entry.id);
    if (failure === undefined) continue;
    if (passing.has(failure.errorCode)) again.push(entry);
    else await options.deadLetter(entry.record, failure.errorCode, failure.errorMessage);
  }
  return again;
}

function closedReason(code: string, message: string, options: LakeChannelSinkOptions): string {
  const detail = message === '' ? code : `${code}: ${message}`;
  return code === 'ChannelNotFound'
    ? `there is no channel ${options.channelArn} (${detail}); events go to the evidence bucket alone until the stacks are deployed again`
    : `CloudTrail Lake is not open to account ${options.account} (${detail}); events go to the evidence bucket alone, where Athena reads them`;
}

function refusal(code: string, message: string, options: LakeChannelSinkOptions): LakeSinkError {
  const detail = message === '' ? code : `${code}: ${message}`;
  if (
    /^(ChannelInsufficientPermission|AccessDenied|UnrecognizedClient|InvalidSignature|InvalidClientTokenId)$/.test(
      code,
    )
  )
    return new LakeSinkError(
      'denied',
      `CloudTrail does not let this role send events to ${options.channelArn} (${detail}); it needs cloudtrail-data:PutAuditEvents on it, and the channel's policy, where it has one, must name the role`,
    );
  return new LakeSinkError(
    'refused',
    `CloudTrail takes no events on ${options.channelArn} (${detail}); look at the channel's ARN and source`,
  );
}
