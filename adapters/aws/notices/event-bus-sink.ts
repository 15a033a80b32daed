import { setTimeout as delay } from 'node:timers/promises';
import {
  type EventBridgeClient,
  PutEventsCommand,
  type PutEventsCommandOutput,
  type PutEventsRequestEntry,
} from '@aws-sdk/client-eventbridge';
import { type AuditRecord, busSource, type EventSink } from '#core/contract';
import { printable } from '#core/wording';
import { attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';
import { NoticeError } from './notice-error.ts';

export type EventBusSinkOptions = {
  /** Best with `maxAttempts: 1`: calls are repeated here. */
  readonly client: EventBridgeClient;
  readonly bus: string;
  /** The others stay off the bus. */
  readonly eventNames: ReadonlySet<string>;
  /** Of each call's events, whatever becomes of single ones; 10 seconds when absent. */
  readonly deadlineMs?: number;
};

const attemptMs = 4_000;
const maxEntries = 10;
/** Of one call, whose limit is 256 KiB with everything. */
const maxCallBytes = 240 * 1024;
const maxOutlineCharacters = 512;
/** What PutEvents may say of one entry that another try may help; the rest wait for somebody to act. */
const passing = new Set(['InternalException', 'InternalFailure', 'ThrottlingException', 'none']);

/**
 * Puts records on an event bus: detail-type is the eventName, the detail the record. They go in order, but the bus has none.
 * @throws NoticeError `not-on-the-bus`
 */
export function createEventBusSink(options: EventBusSinkOptions): EventSink {
  const { bus, eventNames } = options;
  return {
    name: 'event-bus',
    async deliver(records) {
      const entries = records
        .filter(({ eventName }) => eventNames.has(eventName))
        .map((record) => entryOf(record, bus));
      for (const batch of batches(entries)) await putAll(options, batch);
    },
  };
}

/** Entries are refused one by one; those are put again until the deadline. */
async function putAll(options: EventBusSinkOptions, batch: readonly PutEventsRequestEntry[]): Promise<void> {
  const deadline = performance.now() + (options.deadlineMs ?? 10_000);
  let left = batch;
  for (let failures = 0; ; failures += 1) {
    const { Entries: answers = [] } = await put(options, left, deadline - performance.now());
    const refused = left.flatMap((entry, index) => {
      const { EventId, ErrorCode, ErrorMessage = '' } = answers[index] ?? {};
      if (EventId !== undefined && ErrorCode === undefined) return [];
      return [{ entry, code: ErrorCode ?? 'none', message: ErrorMessage }];
    });
    if (refused.length === 0) return;
    left = refused.map(({ entry }) => entry);
    const lasting = refused.find(({ code }) => !passing.has(code));
    const pauseMs = Math.random() * Math.min(1_000, 100 * 2 ** failures);
    if (lasting === undefined && performance.now() + pauseMs < deadline) {
      await delay(pauseMs);
      continue;
    }
    const { code, message } = lasting ?? refused[0] ?? { code: 'none', message: '' };
    const why =
      code === 'none'
        ? 'EventBridge gives no answer for them'
        : printable(`EventBridge refuses them (${code}: ${message.slice(0, 300)})`);
    throw failed(
      options.bus,
      left.length,
      lasting === undefined
        ? `${why}; they are put again later`
        : `${why}; look at the bus, its policy and events:PutEvents`,
    );
  }
}

async function put(
  { client, bus }: EventBusSinkOptions,
  entries: readonly PutEventsRequestEntry[],
  deadlineMs: number,
): Promise<PutEventsCommandOutput> {
  try {
    return await attempt({ deadlineMs, attemptMs }, (abortSignal) =>
      client.send(new PutEventsCommand({ Entries: [...entries] }), { abortSignal }),
    );
  } catch (cause) {
    throw failed(bus, entries.length, awsFaultWords('EventBridge', 'events:PutEvents', cause), cause);
  }
}

function failed(bus: string, count: number, why: string, cause?: unknown): NoticeError {
  return new NoticeError('not-on-the-bus', `${count} events could not be put on the bus ${bus}: ${why}`, {
    cause,
  });
}

function entryOf(record: AuditRecord, bus: string): PutEventsRequestEntry {
  const whole = JSON.stringify(record);
  const detail = Buffer.byteLength(whole) <= maxCallBytes - 1024 ? whole : JSON.stringify(outline(record));
  return {
    EventBusName: bus,
    Source: busSource,
    DetailType: record.eventName,
    Detail: detail,
    Time: new Date(record.eventTime),
  };
}

function short(text: string): string {
  return text.slice(0, maxOutlineCharacters);
}

/** What says which record it is, of one too large for the bus. The lake has all of it. */
function outline(record: AuditRecord) {
  const { eventID, eventTime, eventName, eventSource, awsRegion, recipientAccountId } = record;
  const { type, principalId, userName } = record.userIdentity;
  const { sessionId, ingestTime } = record.additionalEventData;
  return {
    eventID,
    eventTime,
    eventName,
    eventSource,
    awsRegion,
    recipientAccountId,
    userIdentity: { type, principalId: short(principalId), userName: short(userName) },
    additionalEventData: {
      truncated: 'true',
      ...(sessionId === undefined ? {} : { sessionId: short(sessionId) }),
      ...(ingestTime === undefined ? {} : { ingestTime }),
    },
  };
}

function* batches(entries: readonly PutEventsRequestEntry[]): Generator<readonly PutEventsRequestEntry[]> {
  let batch: PutEventsRequestEntry[] = [];
  let bytes = 0;
  for (const entry of entries) {
    const size = Buffer.byteLength(entry.Detail ?? '') + 200;
    if (batch.length === maxEntries || (batch.length > 0 && bytes + size > maxCallBytes)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(entry);
    bytes += size;
  }
  if (batch.length > 0) yield batch;
}
