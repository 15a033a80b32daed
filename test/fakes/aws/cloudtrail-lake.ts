import { randomUUID } from 'node:crypto';
import { type FakeResponse, type FakeService, jsonAnswer } from './fake-aws.ts';
import { queryOperations } from './lake-queries.ts';
import {
  badParameter,
  type Channel,
  type EventDataStore,
  type FakeCloudTrailLakeOptions,
  type Input,
  type LakeQuery,
  list,
  number,
  type Operation,
  refuse,
  type State,
  text,
} from './lake-state.ts';

export type FakeCloudTrailLake = FakeService & {
  readonly stores: readonly Readonly<EventDataStore>[];
  readonly channels: readonly Readonly<Channel>[];
  readonly queries: readonly Readonly<LakeQuery>[];
  /** For fakeCloudTrailData. */
  channelArns(): readonly string[];
};

/** CloudTrail Lake: event data stores, channels and queries, the queries on DuckDB. */
export function fakeCloudTrailLake(options: FakeCloudTrailLakeOptions): FakeCloudTrailLake {
  const state: State = { options, stores: [], channels: [], queries: [] };
  return {
    service: 'cloudtrail',
    stores: state.stores,
    channels: state.channels,
    queries: state.queries,
    channelArns: () => state.channels.map(({ arn }) => arn),
    async handle(request) {
      const operation = operations[request.operation ?? ''];
      if (operation === undefined) return undefined;
      if (options.entitled === false)
        return refuse(
          options.refusal ?? 'UnsupportedOperationException',
          'AWS CloudTrail Lake is not available to this account.',
        );
      const input: unknown = JSON.parse(request.body.toString('utf8') || '{}');
      return operation(state, typeof input === 'object' && input !== null ? { ...input } : {});
    },
  };
}

const operations: Readonly<Record<string, Operation>> = {
  CreateEventDataStore: createStore,
  GetEventDataStore: (state, input) => withStore(state, input, (store) => jsonAnswer(storeView(store))),
  ListEventDataStores: (state, input) =>
    paged(
      'EventDataStores',
      state.stores.map((store) => ({ EventDataStoreArn: store.arn, Name: store.name })),
      input,
    ),
  UpdateEventDataStore: (state, input) =>
    withStore(state, input, (store) => updateStore(state, store, input)),
  DeleteEventDataStore: (state, input) => withStore(state, input, (store) => deleteStore(state, store)),
  RestoreEventDataStore: (state, input) => withStore(state, input, restoreStore),
  CreateChannel: createChannel,
  GetChannel: (state, input) => withChannel(state, input, (channel) => jsonAnswer(channelView(channel))),
  ListChannels: (state, input) =>
    paged(
      'Channels',
      state.channels.map(({ arn, name }) => ({ ChannelArn: arn, Name: name })),
      input,
    ),
  UpdateChannel: (state, input) =>
    withChannel(state, input, (channel) => updateChannel(state, channel, input)),
  DeleteChannel: (state, input) =>
    withChannel(state, input, (channel) => {
      state.channels.splice(state.channels.indexOf(channel), 1);
      return jsonAnswer({});
    }),
  ...queryOperations,
};

function paged(name: string, all: readonly object[], input: Input): FakeResponse {
  const max = number(input['MaxResults']) ?? 100;
  const token = text(input['NextToken']);
  const from = token === undefined ? 0 : Number(token.replace('from-', ''));
  if (!Number.isSafeInteger(from)) return refuse('InvalidNextTokenException', 'the token is not one of ours');
  const next = from + max < all.length ? { NextToken: `from-${from + max}` } : {};
  return jsonAnswer({ [name]: all.slice(from, from + max), ...next });
}

function createStore({ options, stores }: State, input: Input): FakeResponse {
  const name = text(input['Name']) ?? '';
  const retention = number(input['RetentionPeriod']) ?? 366;
  if (!/^[A-Za-z0-9._-]{3,128}$/.test(name)) return badParameter('Name has 3 to 128 letters, digits, . _ -');
  if (retention < 7 || retention > 3653) return badParameter('RetentionPeriod is 7 to 3653 days');
  // The name stays taken until a deleted store is gone.
  if (stores.some((store) => store.name === name))
    return refuse(
      'EventDataStoreAlreadyExistsException',
      `An event data store named ${name} already exists.`,
    );
  if (stores.length >= 10)
    return refuse('EventDataStoreMaxLimitExceededException', 'Your account has used the maximum number.');
  const id = randomUUID();
  const createdAt = Date.now() / 1000;
  const store: EventDataStore = {
    id,
    arn: `arn:aws:cloudtrail:${options.region}:${options.account}:eventdatastore/${id}`,
    name,
    status: 'ENABLED',
    selectors: list(input['AdvancedEventSelectors']),
    retention,
    protected: input['TerminationProtectionEnabled'] !== false,
    multiRegion: input['MultiRegionEnabled'] !== false,
    billing: text(input['BillingMode']) ?? 'EXTENDABLE_RETENTION_PRICING',
    kmsKey: text(input['KmsKeyId']),
    createdAt,
    updatedAt: createdAt,
  };
  stores.push(store);
  return jsonAnswer({ ...storeView(store), Status: 'CREATED' });
}

function storeView(store: EventDataStore): object {
  return {
    EventDataStoreArn: store.arn,
    Name: store.name,
    Status: store.status,
    AdvancedEventSelectors: store.selectors,
    MultiRegionEnabled: store.multiRegion,
    OrganizationEnabled: false,
    RetentionPeriod: store.retention,
    TerminationProtectionEnabled: store.protected,
    BillingMode: store.billing,
    ...(store.kmsKey === undefined ? {} : { KmsKeyId: store.kmsKey }),
    CreatedTimestamp: store.createdAt,
    UpdatedTimestamp: store.updatedAt,
  };
}

/** By ARN, or by the id at its end. */
function withStore(
  { stores }: State,
  input: Input,
  act: (store: EventDataStore) => FakeResponse,
): FakeResponse {
  const named = text(input['EventDataStore']) ?? '';
  const store = stores.find(({ arn, id }) => arn === named || id === named);
  return store === undefined
    ? refuse('EventDataStoreNotFoundException', 'The specified event data store was not found.')
    : act(store);
}

function updateStore({ stores }: State, store: EventDataStore, input: Input): FakeResponse {
  if (store.status === 'PENDING_DELETION')
    return refuse('InactiveEventDataStoreException', 'The event data store is inactive.');
  const name = text(input['Name']) ?? store.name;
  if (stores.some((other) => other !== store && other.name === name))
    return refuse(
      'EventDataStoreAlreadyExistsException',
      `An event data store named ${name} already exists.`,
    );
  const retention = number(input['RetentionPeriod']) ?? store.retention;
  if (retention < 7 || retention > 3653) return badParameter('RetentionPeriod is 7 to 3653 days');
  store.name = name;
  store.retention = retention;
  if (typeof input['TerminationProtectionEnabled'] === 'boolean')
    store.protected = input['TerminationProtectionEnabled'];
  if (input['AdvancedEventSelectors'] !== undefined) store.selectors = list(input['AdvancedEventSelectors']);
  store.updatedAt = Date.now() / 1000;
  return jsonAnswer(storeView(store));
}

function deleteStore({ channels }: State, store: EventDataStore): FakeResponse {
  if (store.status === 'PENDING_DELETION')
    return refuse('InactiveEventDataStoreException', 'The event data store is inactive.');
  if (store.protected)
    return refuse(
      'EventDataStoreTerminationProtectedException',
      'The event data store cannot be deleted because termination protection is enabled for it.',
    );
  if (channels.some(({ destinations }) => destinations.some(({ Location }) => Location === store.arn)))
    return refuse('ChannelExistsForEDSException', 'The event data store is the destination of a channel.');
  store.status = 'PENDING_DELETION';
  return jsonAnswer({});
}

function restoreStore(store: EventDataStore): FakeResponse {
  if (store.status !== 'PENDING_DELETION')
    return refuse('InvalidEventDataStoreStatusException', 'The event data store is not pending deletion.');
  store.status = 'ENABLED';
  return jsonAnswer(storeView(store));
}

function createChannel(state: State, input: Input): FakeResponse {
  const { options, channels } = state;
  const name = text(input['Name']) ?? '';
  const source = text(input['Source']) ?? '';
  if (!/^[A-Za-z0-9._-]{3,128}$/.test(name)) return badParameter('Name has 3 to 128 letters, digits, . _ -');
  if (source !== 'Custom')
    return refuse('InvalidSourceException', `${source} is no source of outside events.`);
  if (channels.some((channel) => channel.name === name))
    return refuse('ChannelAlreadyExistsException', `A channel named ${name} already exists.`);
  if (channels.some((channel) => channel.source === source))
    return refuse('ChannelMaxLimitExceededException', 'A maximum of one channel is allowed per source.');
  const destinations = destinationsOf(state, input);
  if ('status' in destinations) return destinations;
  const channel: Channel = {
    arn: `arn:aws:cloudtrail:${options.region}:${options.account}:channel/${randomUUID()}`,
    name,
    source,
    destinations,
  };
  channels.push(channel);
  return jsonAnswer(channelView(channel));
}

function destinationsOf({ stores }: State, input: Input): Channel['destinations'] | FakeResponse {
  const found: { Type: string; Location: string }[] = [];
  for (const each of list(input['Destinations'])) {
    const location =
      typeof each === 'object' && each !== null && 'Location' in each ? text(each.Location) : '';
    const type = typeof each === 'object' && each !== null && 'Type' in each ? text(each.Type) : '';
    const store = stores.find(({ arn }) => arn === location);
    if (type !== 'EVENT_DATA_STORE') return badParameter('Type must be EVENT_DATA_STORE');
    if (store === undefined)
      return refuse('EventDataStoreNotFoundException', 'The specified event data store was not found.');
    if (store.status !== 'ENABLED')
      return refuse('InactiveEventDataStoreException', 'The event data store is inactive.');
    if (!JSON.stringify(store.selectors).includes('ActivityAuditLog'))
      return refuse(
        'InvalidEventDataStoreCategoryException',
        'The event data store takes no outside events.',
      );
    found.push({ Type: type, Location: store.arn });
  }
  return found.length >= 1 && found.length <= 200 ? found : badParameter('Destinations has 1 to 200 entries');
}

function channelView({ arn, name, source, destinations }: Channel): object {
  return { ChannelArn: arn, Name: name, Source: source, Destinations: destinations };
}

function withChannel(
  { channels }: State,
  input: Input,
  act: (channel: Channel) => FakeResponse,
): FakeResponse {
  const named = text(input['Channel']) ?? '';
  const channel = channels.find(({ arn }) => arn === named || arn.endsWith(`/${named}`));
  return channel === undefined
    ? refuse('ChannelNotFoundException', 'The specified channel was not found.')
    : act(channel);
}

function updateChannel(state: State, channel: Channel, input: Input): FakeResponse {
  if (input['Destinations'] !== undefined) {
    const destinations = destinationsOf(state, input);
    if ('status' in destinations) return destinations;
    channel.destinations = destinations;
  }
  channel.name = text(input['Name']) ?? channel.name;
  return jsonAnswer(channelView(channel));
}
