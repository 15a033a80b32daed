import {
  CloudTrailClient,
  CreateChannelCommand,
  CreateEventDataStoreCommand,
} from '@aws-sdk/client-cloudtrail';
import { onTestFinished } from 'vitest';
import { createLakeChannelSink, createLakeEngine } from '../../../adapters/aws/lake/index.ts';
import type { AuditRecord } from '../../../core/contract/index.ts';
import { type FakeCloudTrailDataOptions, fakeCloudTrailData } from '../../fakes/aws/cloudtrail-data.ts';
import { fakeCloudTrailLake } from '../../fakes/aws/cloudtrail-lake.ts';
import { startFakeAws } from '../../fakes/aws/fake-aws.ts';
import type { FakeCloudTrailLakeOptions } from '../../fakes/aws/lake-state.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';
import { trinoProblems } from './lake-of-runbooks.ts';

const account = '123456789012';
const region = 'eu-central-1';

const outsideEvents = [{ FieldSelectors: [{ Field: 'eventCategory', Equals: ['ActivityAuditLog'] }] }];
const managementEvents = [{ FieldSelectors: [{ Field: 'eventCategory', Equals: ['Management'] }] }];

type SinkOptions = Partial<Parameters<typeof createLakeChannelSink>[0]>;

/** An event data store with its channel, and what goes in and comes out of it. Gone when the test is over. */
export async function lakePlace(
  options: {
    readonly lake?: Partial<FakeCloudTrailLakeOptions>;
    readonly data?: Partial<FakeCloudTrailDataOptions>;
    readonly sink?: SinkOptions;
    readonly engine?: Partial<Parameters<typeof createLakeEngine>[0]>;
  } = {},
) {
  const { credentials } = clientOptions('');
  const data = fakeCloudTrailData({
    account,
    channels: () => lake.channelArns(),
    secrets: { [credentials.accessKeyId]: credentials.secretAccessKey },
    ...options.data,
  });
  const lake = fakeCloudTrailLake({
    account,
    region,
    events: () => data.accepted,
    trinoProblems,
    ...options.lake,
  });
  const aws = await startFakeAws({ services: [data, lake] });
  onTestFinished(() => aws.close());
  const client = new CloudTrailClient(clientOptions(aws.endpoint));
  onTestFinished(() => client.destroy());
  const create = async (Name: string, AdvancedEventSelectors: typeof outsideEvents) =>
    (await client.send(new CreateEventDataStoreCommand({ Name, AdvancedEventSelectors })))
      .EventDataStoreArn ?? '';
  const storeArn = await create('sshtrail', outsideEvents);
  const trailArn = await create('account', managementEvents);
  const { ChannelArn: channelArn = '' } = await client.send(
    new CreateChannelCommand({
      Name: 'sshtrail',
      Source: 'Custom',
      Destinations: [{ Type: 'EVENT_DATA_STORE', Location: storeArn }],
    }),
  );
  const deadLetters: { readonly id: string; readonly code: string; readonly message: string }[] = [];
  const unavailable: string[] = [];
  const sink = createLakeChannelSink({
    channelArn,
    region,
    account,
    endpoint: aws.endpoint,
    credentials: async () => credentials,
    fetch,
    now: Date.now,
    sleep: async () => undefined,
    deadLetter: async (record: AuditRecord, code, message) => {
      deadLetters.push({ id: record.eventID, code, message });
    },
    onUnavailable: async (reason) => {
      unavailable.push(reason);
    },
    ...options.sink,
  });
  const storeId = storeArn.split('/').at(-1) ?? '';
  const engine = createLakeEngine({ client, eventDataStoreId: storeId, pollMs: 1, ...options.engine });
  onTestFinished(() => engine.close());
  const trailId = trailArn.split('/').at(-1) ?? '';
  return { aws, client, data, lake, sink, engine, storeId, trailId, channelArn, deadLetters, unavailable };
}
