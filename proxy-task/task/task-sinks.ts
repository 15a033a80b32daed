import { fromNodeProviderChain } from '@aws-sdk/credential-providers';
import { createEventBusSink, createLakeChannelSink, readParameter } from '#adapters/aws';
import { busEventNames, type EventSink, lakeUnavailable } from '#core/contract';
import type { TaskClients } from './task-clients.ts';

export type TaskSinksOptions = {
  readonly clients: TaskClients;
  readonly bus: string;
  /** Empty where Lake is off. */
  readonly lakeChannelParameter: string;
  readonly account: string;
  readonly endpoint: string | undefined;
  readonly fetch: typeof fetch;
  readonly now: () => number;
  /** Puts on record that CloudTrail Lake does not have what the lake has. */
  readonly onLakeLoss: (reason: string) => Promise<void>;
  readonly report: (line: string) => void;
};

/** The bus, and CloudTrail Lake where this account has it. */
export async function createTaskSinks(options: TaskSinksOptions): Promise<readonly EventSink[]> {
  const { clients, lakeChannelParameter: parameter, endpoint, onLakeLoss, report } = options;
  const bus = createEventBusSink({
    client: clients.events,
    bus: options.bus,
    eventNames: new Set<string>(busEventNames),
  });
  const channelArn = parameter === '' ? undefined : await readParameter(clients.ssm, parameter);
  if (channelArn === undefined || channelArn === lakeUnavailable) return [bus];
  const lake = createLakeChannelSink({
    channelArn,
    region: clients.region,
    credentials: fromNodeProviderChain(),
    ...(endpoint === undefined ? {} : { endpoint }),
    fetch: options.fetch,
    now: options.now,
    account: options.account,
    async deadLetter(record, code, message) {
      const what = `event ${record.eventID} (${record.eventName}) was refused: ${code} ${message}`;
      report(`CloudTrail Lake: ${what}`);
      // The report of a loss that is refused itself must not bring forth another one.
      if (record.eventName !== 'ReportAuditLoss') await onLakeLoss(what);
    },
    onUnavailable: (reason) => onLakeLoss(`it takes no events from this account any more: ${reason}`),
  });
  return [bus, lake];
}
