import type { EventBridgeClient } from '@aws-sdk/client-eventbridge';
import type { SSMClient } from '@aws-sdk/client-ssm';
import { type AwsCredentials, createEventBusSink, createLakeChannelSink, readParameter } from '#adapters/aws';
import { busEventNames, type EventSink, lakeUnavailable } from '#core/contract';
import type { Log } from './log.ts';
import type { Count } from './metrics.ts';

export type JournalSinksOptions = {
  readonly eventBridge: EventBridgeClient;
  readonly ssm: SSMClient;
  readonly credentials: () => Promise<AwsCredentials>;
  readonly bus: string;
  /** Empty where Lake is off. */
  readonly lakeChannelParameter: string;
  readonly account: string;
  readonly region: string;
  readonly fetch: typeof fetch;
  /** Of PutAuditEvents; the region's own when absent. */
  readonly lakeEndpoint?: string;
  readonly log: Log;
  readonly count: Count;
  readonly now: () => number;
};

/** Where the records of a function go after the evidence bucket: the bus, and CloudTrail Lake where this account has it. */
export async function journalSinks(options: JournalSinksOptions): Promise<readonly EventSink[]> {
  const { lakeChannelParameter: parameter, lakeEndpoint: endpoint, log, count } = options;
  const bus = createEventBusSink({
    client: options.eventBridge,
    bus: options.bus,
    eventNames: new Set<string>(busEventNames),
  });
  const channelArn = parameter === '' ? undefined : await readParameter(options.ssm, parameter);
  if (channelArn === undefined || channelArn === lakeUnavailable) return [bus];
  const lake = createLakeChannelSink({
    channelArn,
    region: options.region,
    credentials: options.credentials,
    ...(endpoint === undefined ? {} : { endpoint }),
    fetch: options.fetch,
    now: options.now,
    account: options.account,
    // The journal is closing by now, so the log has to say it; the evidence bucket has the record.
    async deadLetter(record, code, message) {
      const { eventID, eventName } = record;
      log.warn('CloudTrail Lake refused an event for good', { eventID, eventName, code, reason: message });
      count('LakeLosses', 1);
    },
    async onUnavailable(reason) {
      log.warn('CloudTrail Lake takes no events from this account', { reason });
      count('LakeLosses', 1);
    },
  });
  return [bus, lake];
}
