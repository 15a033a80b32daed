import { setTimeout as delay } from 'node:timers/promises';
import {
  ChannelAlreadyExistsException,
  ChannelMaxLimitExceededException,
  ChannelNotFoundException,
  type CloudTrailClient,
  CreateChannelCommand,
  CreateEventDataStoreCommand,
  DeleteChannelCommand,
  EventDataStoreAlreadyExistsException,
  GetChannelCommand,
  GetEventDataStoreCommand,
  type GetEventDataStoreCommandOutput,
  ListChannelsCommand,
  type ListChannelsCommandOutput,
  ListEventDataStoresCommand,
  type ListEventDataStoresCommandOutput,
  UpdateEventDataStoreCommand,
} from '@aws-sdk/client-cloudtrail';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { LakeResourcesError, lakeResourcesFault } from './lake-resources-error.ts';

/** The event data store of outside events and the channel into it, by the name that both have. */
export type LakeResources = {
  /**
   * Makes what is not there yet, and sets how long events are kept. May be repeated and cut off anywhere.
   * @throws LakeResourcesError
   */
  ensure(retentionDays: number): Promise<{ readonly channelArn: string; readonly eventDataStoreArn: string }>;
  /** Deletes the channel that leads to the store; the store is kept. False where there is none. @throws LakeResourcesError */
  deleteChannel(): Promise<boolean>;
};

export type LakeResourcesOptions = {
  /** Best with `maxAttempts: 1`: here it is tried again. */
  readonly client: CloudTrailClient;
  /** Of store and channel. */
  readonly name: string;
  /** Of the store; a channel has none. */
  readonly tags: Readonly<Record<string, string>>;
  readonly sleep?: (ms: number) => Promise<void>;
};

const limits: AttemptLimits = { deadlineMs: 40_000, attemptMs: 10_000 };
/** How long a store may take until a channel can be made to it. */
const enabledWithinMs = 60_000;
const lookEveryMs = 2_000;
/** An account has ten event data stores and a few channels. */
const maxPages = 20;
const outsideEvents = 'ActivityAuditLog';

export function createLakeResources(options: LakeResourcesOptions): LakeResources {
  return {
    async ensure(retentionDays) {
      const store = (await findStore(options)) ?? (await createStore(options, retentionDays));
      const eventDataStoreArn = await usableStore(options, store, retentionDays);
      const channelArn =
        (await findChannel(options, eventDataStoreArn)) ?? (await createChannel(options, eventDataStoreArn));
      return { channelArn, eventDataStoreArn };
    },
    async deleteChannel() {
      const store = await findStore(options);
      const channel = store === undefined ? undefined : await findChannel(options, store);
      if (channel === undefined) return false;
      await told('cloudtrail:DeleteChannel', async (abortSignal) => {
        try {
          await options.client.send(new DeleteChannelCommand({ Channel: channel }), { abortSignal });
        } catch (error) {
          if (!(error instanceof ChannelNotFoundException)) throw error;
        }
      });
      return true;
    },
  };
}

async function findStore({ client, name }: LakeResourcesOptions): Promise<string | undefined> {
  let token: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const answer: ListEventDataStoresCommandOutput = await told(
      'cloudtrail:ListEventDataStores',
      (abortSignal) => client.send(new ListEventDataStoresCommand({ NextToken: token }), { abortSignal }),
    );
    const found = answer.EventDataStores?.find(({ Name }) => Name === name)?.EventDataStoreArn;
    if (found !== undefined) return found;
    token = answer.NextToken;
    if (token === undefined) break;
  }
  return undefined;
}

async function createStore(options: LakeResourcesOptions, retentionDays: number): Promise<string> {
  const { client, name, tags } = options;
  const command = new CreateEventDataStoreCommand({
    Name: name,
    RetentionPeriod: retentionDays,
    MultiRegionEnabled: false,
    OrganizationEnabled: false,
    TerminationProtectionEnabled: true,
    AdvancedEventSelectors: [
      { Name: 'SSH events', FieldSelectors: [{ Field: 'eventCategory', Equals: [outsideEvents] }] },
    ],
    TagsList: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
  });
  const made = await told('cloudtrail:CreateEventDataStore', async (abortSignal) => {
    try {
      return (await client.send(command, { abortSignal })).EventDataStoreArn;
    } catch (error) {
      // An attempt before whose answer was lost, or another who provides at the same time.
      if (error instanceof EventDataStoreAlreadyExistsException) return undefined;
      throw error;
    }
  });
  const arn = made ?? (await findStore(options));
  if (arn === undefined)
    throw new LakeResourcesError(
      'in-the-way',
      `there is an event data store ${name} that cannot be listed; look for it in CloudTrail, or set another name`,
    );
  return arn;
}

/** The ARN of the store, once it takes events; its time of retention is set. */
async function usableStore(
  options: LakeResourcesOptions,
  arn: string,
  retentionDays: number,
): Promise<string> {
  const { client, name, sleep = delay } = options;
  const deadline = performance.now() + enabledWithinMs;
  let store = await describeStore(client, arn);
  while (store.Status === 'CREATED' || store.Status === 'STARTING_INGESTION') {
    if (performance.now() > deadline)
      throw new LakeResourcesError(
        'unavailable',
        `the event data store ${name} is not enabled after ${enabledWithinMs / 1000} s; deploy again`,
      );
    await sleep(lookEveryMs);
    store = await describeStore(client, arn);
  }
  if (store.Status !== 'ENABLED')
    throw new LakeResourcesError(
      'in-the-way',
      `the event data store ${name} is ${store.Status ?? 'of no known state'}; restore it or start its ingestion in CloudTrail, and deploy again`,
    );
  if (!takesOutsideEvents(store))
    throw new LakeResourcesError(
      'in-the-way',
      `the event data store ${name} is not for events from outside; delete or rename it, and deploy again`,
    );
  if (store.RetentionPeriod !== retentionDays)
    await told('cloudtrail:UpdateEventDataStore', (abortSignal) =>
      client.send(new UpdateEventDataStoreCommand({ EventDataStore: arn, RetentionPeriod: retentionDays }), {
        abortSignal,
      }),
    );
  return arn;
}

function describeStore(client: CloudTrailClient, arn: string): Promise<GetEventDataStoreCommandOutput> {
  return told('cloudtrail:GetEventDataStore', (abortSignal) =>
    client.send(new GetEventDataStoreCommand({ EventDataStore: arn }), { abortSignal }),
  );
}

function takesOutsideEvents({ AdvancedEventSelectors = [] }: GetEventDataStoreCommandOutput): boolean {
  return AdvancedEventSelectors.some(({ FieldSelectors = [] }) =>
    FieldSelectors.some(
      ({ Field, Equals }) => Field === 'eventCategory' && Equals?.includes(outsideEvents) === true,
    ),
  );
}

/** A channel is ours by where it leads, and not by its name. */
async function findChannel({ client }: LakeResourcesOptions, storeArn: string): Promise<string | undefined> {
  let token: string | undefined;
  for (let page = 0; page < maxPages; page += 1) {
    const answer: ListChannelsCommandOutput = await told('cloudtrail:ListChannels', (abortSignal) =>
      client.send(new ListChannelsCommand({ NextToken: token }), { abortSignal }),
    );
    for (const { ChannelArn } of answer.Channels ?? [])
      if (ChannelArn !== undefined && (await leadsTo(client, ChannelArn, storeArn))) return ChannelArn;
    token = answer.NextToken;
    if (token === undefined) break;
  }
  return undefined;
}

async function leadsTo(client: CloudTrailClient, channelArn: string, storeArn: string): Promise<boolean> {
  return told('cloudtrail:GetChannel', async (abortSignal) => {
    try {
      const { Source, Destinations = [] } = await client.send(
        new GetChannelCommand({ Channel: channelArn }),
        { abortSignal },
      );
      return Source === 'Custom' && Destinations.some(({ Location }) => Location === storeArn);
    } catch (error) {
      if (error instanceof ChannelNotFoundException) return false;
      throw error;
    }
  });
}

async function createChannel(options: LakeResourcesOptions, storeArn: string): Promise<string> {
  const { client, name } = options;
  const command = new CreateChannelCommand({
    Name: name,
    Source: 'Custom',
    Destinations: [{ Type: 'EVENT_DATA_STORE', Location: storeArn }],
  });
  const made = await told('cloudtrail:CreateChannel', async (abortSignal) => {
    try {
      return (await client.send(command, { abortSignal })).ChannelArn;
    } catch (error) {
      // One of our own whose answer was lost is found below.
      if (error instanceof ChannelAlreadyExistsException || error instanceof ChannelMaxLimitExceededException)
        return undefined;
      throw error;
    }
  });
  const arn = made ?? (await findChannel(options, storeArn));
  if (arn === undefined)
    throw new LakeResourcesError(
      'in-the-way',
      `the account has a channel of its own events that leads elsewhere; give its ARN and its event data store's id as cloudTrailLake in sshtrail.config.ts, or delete it and deploy again`,
    );
  return arn;
}

async function told<Result>(action: string, call: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  try {
    return await attempt(limits, call);
  } catch (error) {
    throw lakeResourcesFault(action, error);
  }
}
