import { setTimeout as delay } from 'node:timers/promises';
import {
  type EventBridgeClient,
  PutEventsCommand,
  type PutEventsCommandOutput,
  type PutEventsRequestEntry,
} from '@aws-sdk/client-eventbridge';
import { type AuditRecord, busSource, type EventSink } from '#core/contract';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';
import { NoticeError } from './notice-error.ts';

export type EventBusSinkOptions = {
  readonly client: EventBridgeClient;
  readonly bus: string;
  /** The others stay off the bus. */
  readonly eventNames: ReadonlySet<string>;
};

const limits: AttemptLimits = { deadlineMs: 10_000, attemptMs: 4_000 };
const maxEntries = 10;
/** Of one call, whose limit is 256 KiB with everything. */
const maxCallBytes = 240 * 1024;
const rounds = 5;

/** Puts records on an event bus: detail-type is the eventName, the detail the record. @throws NoticeError `not-on-the-bus` */
export function createEventBusSink({ client, bus, eventNames }: EventBusSinkOptions): EventSink {
  return {
    name: 'event-bus',
    async deliver(records) {
      const entries = records
        .filter(({ eventName }) => eventNames.has(eventName))
        .map((record) => entryOf(record, bus));
      for (const batch of batches(entries)) await putAll(client, bus, batch);
    },
  };
}

/** Entries are refused one by one; those are put again. */
async function putAll(
  client: EventBridgeClient,
  bus: string,
  batch: readonly PutEventsRequestEntry[],
): Promise<void> {
  let left = batch;
  let why = '';
  for (let round = 0; round < rounds && left.length > 0; round += 1) {
    if (round > 0) await delay(100 * 2 ** round);
    let output: PutEventsCommandOutput;
    try {
      output = await attempt(limits, (abortSignal) =>
        client.send(new PutEventsCommand({ Entries: [...left] }), { abortSignal }),
      );
    } catch (cause) {
      throw failed(bus, left.length, awsFaultWords('EventBridge', 'events:PutEvents', cause), cause);
    }
    const answers = output.Entries ?? [];
    why = answers.find(({ ErrorCode }) => ErrorCode !== undefined)?.ErrorCode ?? '';
    left = left.filter((_entry, index) => answers[index]?.ErrorCode !== undefined);
  }
  if (left.length > 0)
    throw failed(bus, left.length, `EventBridge refuses them (${why}); they are put again later`);
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

/** What says which record it is, of one too large for the bus. The lake has all of it. */
function outline(record: AuditRecord) {
  const { eventID, eventTime, eventName, eventSource, userIdentity } = record;
  const sessionId = record.additionalEventData['sessionId'];
  return {
    eventID,
    eventTime,
    eventName,
    eventSource,
    userIdentity,
    additionalEventData: { truncated: 'true', ...(sessionId === undefined ? {} : { sessionId }) },
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
