import {
  CloudTrailClient,
  CreateChannelCommand,
  CreateEventDataStoreCommand,
  DeleteChannelCommand,
  DeleteEventDataStoreCommand,
  GetChannelCommand,
  GetEventDataStoreCommand,
  ListChannelsCommand,
  ListEventDataStoresCommand,
  RestoreEventDataStoreCommand,
  UpdateChannelCommand,
  UpdateEventDataStoreCommand,
} from '@aws-sdk/client-cloudtrail';
import { describe, expect, it, onTestFinished } from 'vitest';
import { fakeCloudTrailLake } from '../../../fakes/aws/cloudtrail-lake.ts';
import { startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import type { FakeCloudTrailLakeOptions } from '../../../fakes/aws/lake-state.ts';
import { clientOptions } from '../../../support/aws-endpoints.ts';

const outside = {
  AdvancedEventSelectors: [{ FieldSelectors: [{ Field: 'eventCategory', Equals: ['ActivityAuditLog'] }] }],
};

async function cloudTrail(options: Partial<FakeCloudTrailLakeOptions> = {}) {
  const lake = fakeCloudTrailLake({ account: '123456789012', region: 'eu-central-1', ...options });
  const aws = await startFakeAws({ services: [lake] });
  onTestFinished(() => aws.close());
  const client = new CloudTrailClient(clientOptions(aws.endpoint));
  onTestFinished(() => client.destroy());
  return client;
}

describe('the fake of CloudTrail Lake', () => {
  it('takes an event data store through its life as CloudTrail does', async () => {
    const client = await cloudTrail();
    const create = new CreateEventDataStoreCommand({ Name: 'sshtrail', ...outside });
    const { EventDataStoreArn: EventDataStore } = await client.send(create);
    const destinations = {
      Destinations: [{ Type: 'EVENT_DATA_STORE' as const, Location: EventDataStore }],
    };

    await expect(client.send(create)).rejects.toMatchObject({ name: 'EventDataStoreAlreadyExistsException' });
    const { ChannelArn: Channel } = await client.send(
      new CreateChannelCommand({ Name: 'sshtrail', Source: 'Custom', ...destinations }),
    );
    await expect(
      client.send(new CreateChannelCommand({ Name: 'second', Source: 'Custom', ...destinations })),
    ).rejects.toMatchObject({ name: 'ChannelMaxLimitExceededException' });
    const listed = await client.send(new ListChannelsCommand({}));
    const got = await client.send(new GetChannelCommand({ Channel }));
    const remove = new DeleteEventDataStoreCommand({ EventDataStore });
    await expect(client.send(remove)).rejects.toMatchObject({
      name: 'EventDataStoreTerminationProtectedException',
    });
    await client.send(
      new UpdateEventDataStoreCommand({ EventDataStore, TerminationProtectionEnabled: false }),
    );
    await expect(client.send(remove)).rejects.toMatchObject({ name: 'ChannelExistsForEDSException' });
    await client.send(new DeleteChannelCommand({ Channel }));
    await client.send(remove);
    const pending = await client.send(new GetEventDataStoreCommand({ EventDataStore }));
    await expect(client.send(create)).rejects.toMatchObject({ name: 'EventDataStoreAlreadyExistsException' });
    const restored = await client.send(new RestoreEventDataStoreCommand({ EventDataStore }));
    const stores = await client.send(new ListEventDataStoresCommand({}));

    expect(listed.Channels).toEqual([{ ChannelArn: Channel, Name: 'sshtrail' }]);
    expect(got).toMatchObject({ Source: 'Custom', ...destinations });
    expect([pending.Status, restored.Status]).toEqual(['PENDING_DELETION', 'ENABLED']);
    expect(stores.EventDataStores).toMatchObject([{ EventDataStoreArn: EventDataStore, Name: 'sshtrail' }]);
    await expect(client.send(new GetChannelCommand({ Channel }))).rejects.toMatchObject({
      name: 'ChannelNotFoundException',
    });
  });

  it('lets a channel only into a store of outside events that is there', async () => {
    const client = await cloudTrail();
    const { EventDataStoreArn: Location } = await client.send(
      new CreateEventDataStoreCommand({
        Name: 'management',
        AdvancedEventSelectors: [{ FieldSelectors: [{ Field: 'eventCategory', Equals: ['Management'] }] }],
      }),
    );
    const channel = (location: string | undefined) =>
      client.send(
        new CreateChannelCommand({
          Name: 'sshtrail',
          Source: 'Custom',
          Destinations: [{ Type: 'EVENT_DATA_STORE', Location: location }],
        }),
      );

    await expect(channel(Location)).rejects.toMatchObject({ name: 'InvalidEventDataStoreCategoryException' });
    await expect(channel(`${Location}0`)).rejects.toMatchObject({ name: 'EventDataStoreNotFoundException' });
    await expect(
      client.send(
        new UpdateChannelCommand({ Channel: 'arn:aws:cloudtrail:eu-central-1:123456789012:channel/x' }),
      ),
    ).rejects.toMatchObject({ name: 'ChannelNotFoundException' });
  });

  it.each(['UnsupportedOperationException', 'AccessDeniedException'] as const)(
    'is closed to an account that is not entitled, with %s',
    async (refusal) => {
      const client = await cloudTrail({ entitled: false, refusal });

      const creating = client.send(new CreateEventDataStoreCommand({ Name: 'sshtrail', ...outside }));

      await expect(creating).rejects.toMatchObject({ name: refusal });
    },
  );
});
