import {
  type CloudTrailClient,
  CreateChannelCommand,
  CreateEventDataStoreCommand,
  DeleteChannelCommand,
  ListChannelsCommand,
  ListEventDataStoresCommand,
  UpdateEventDataStoreCommand,
} from '@aws-sdk/client-cloudtrail';
import { DeleteParameterCommand, PutParameterCommand, type SSMClient } from '@aws-sdk/client-ssm';
import { z } from 'zod';
import { lakeUnavailable } from '#core/contract';
import type { Log } from '../shared/index.ts';

export type ProvisionLakeParts = {
  readonly cloudTrail: CloudTrailClient;
  readonly ssm: SSMClient;
  readonly log: Log;
};

/** What CloudFormation's provider framework wants back. */
export type ProvisionLakeAnswer = {
  readonly PhysicalResourceId: string;
  readonly Data: { readonly Status: 'available' | 'unavailable'; readonly Reason: string };
};

const request = z.looseObject({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResourceProperties: z.looseObject({
    name: z.string().regex(/^[a-z][a-z0-9-]{1,23}$/),
    retentionDays: z.string().regex(/^[1-9][0-9]{0,3}$/),
  }),
});

type Made = { readonly channelArn: string; readonly eventDataStoreArn: string };

/**
 * Makes the event data store and channel of `cloudTrailLake: auto`, and writes where they are into the parameters. CloudTrail Lake takes no new
 * customers, and which refusal such an account gets is not documented: so whatever goes wrong, the deployment goes on without. A retry finds what an
 * attempt before has made, by its name. A deletion keeps the event data store, which is evidence.
 */
export async function provisionLake(event: unknown, parts: ProvisionLakeParts): Promise<ProvisionLakeAnswer> {
  const { RequestType, ResourceProperties } = request.parse(event);
  const { name, retentionDays } = ResourceProperties;
  const PhysicalResourceId = `${name}-cloudtrail-lake`;
  if (RequestType === 'Delete') {
    await remove(name, parts);
    return {
      PhysicalResourceId,
      Data: { Status: 'unavailable', Reason: 'deleted; the event data store is kept' },
    };
  }
  try {
    const made = await provide(`${name}-ssh-events`, Number(retentionDays), parts.cloudTrail);
    await say(name, made.channelArn, idOf(made.eventDataStoreArn), parts.ssm);
    return { PhysicalResourceId, Data: { Status: 'available', Reason: 'events go to CloudTrail Lake' } };
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : 'unknown fault';
    parts.log.error('CloudTrail Lake is not to be had; everything else works without it', error);
    await say(name, lakeUnavailable, lakeUnavailable, parts.ssm);
    return { PhysicalResourceId, Data: { Status: 'unavailable', Reason: reason.slice(0, 500) } };
  }
}

async function provide(label: string, retentionDays: number, client: CloudTrailClient): Promise<Made> {
  const eventDataStoreArn = await provideStore(label, retentionDays, client);
  const known = await findChannel(label, client);
  if (known !== undefined) return { channelArn: known, eventDataStoreArn };
  const { ChannelArn } = await client.send(
    new CreateChannelCommand({
      Name: label,
      Source: 'Custom',
      Destinations: [{ Type: 'EVENT_DATA_STORE', Location: eventDataStoreArn }],
    }),
  );
  return { channelArn: ChannelArn ?? '', eventDataStoreArn };
}

async function provideStore(label: string, retentionDays: number, client: CloudTrailClient): Promise<string> {
  const known = await findStore(label, client);
  if (known !== undefined) {
    await client.send(
      new UpdateEventDataStoreCommand({ EventDataStore: known, RetentionPeriod: retentionDays }),
    );
    return known;
  }
  const { EventDataStoreArn } = await client.send(
    new CreateEventDataStoreCommand({
      Name: label,
      RetentionPeriod: retentionDays,
      MultiRegionEnabled: false,
      OrganizationEnabled: false,
      TerminationProtectionEnabled: true,
      AdvancedEventSelectors: [
        {
          Name: 'SSH events',
          FieldSelectors: [{ Field: 'eventCategory', Equals: ['ActivityAuditLog'] }],
        },
      ],
    }),
  );
  return EventDataStoreArn ?? '';
}

async function findStore(label: string, client: CloudTrailClient): Promise<string | undefined> {
  let token: string | undefined;
  do {
    const page = await client.send(new ListEventDataStoresCommand({ NextToken: token }));
    const found = (page.EventDataStores ?? []).find(({ Name }) => Name === label);
    if (found?.EventDataStoreArn !== undefined) return found.EventDataStoreArn;
    token = page.NextToken;
  } while (token !== undefined);
  return undefined;
}

/** Only one of our own name: a channel of somebody else leads elsewhere. */
async function findChannel(label: string, client: CloudTrailClient): Promise<string | undefined> {
  let token: string | undefined;
  do {
    const page = await client.send(new ListChannelsCommand({ NextToken: token }));
    const found = (page.Channels ?? []).find(({ Name }) => Name === label);
    if (found?.ChannelArn !== undefined) return found.ChannelArn;
    token = page.NextToken;
  } while (token !== undefined);
  return undefined;
}

async function say(
  name: string,
  channelArn: string,
  eventDataStoreId: string,
  ssm: SSMClient,
): Promise<void> {
  for (const [parameter, value] of [
    ['channel-arn', channelArn],
    ['event-data-store-id', eventDataStoreId],
  ] as const)
    await ssm.send(
      new PutParameterCommand({
        Name: `/sshtrail/${name}/lake/${parameter}`,
        Value: value,
        Type: 'String',
        Overwrite: true,
      }),
    );
}

/** Never fails: a stack that cannot be deleted is worse than a channel that nobody writes to. */
async function remove(name: string, { cloudTrail, ssm, log }: ProvisionLakeParts): Promise<void> {
  try {
    const channel = await findChannel(`${name}-ssh-events`, cloudTrail);
    if (channel !== undefined) await cloudTrail.send(new DeleteChannelCommand({ Channel: channel }));
  } catch (error) {
    log.error('the channel stays', error);
  }
  for (const parameter of ['channel-arn', 'event-data-store-id'])
    try {
      await ssm.send(new DeleteParameterCommand({ Name: `/sshtrail/${name}/lake/${parameter}` }));
    } catch (error) {
      if (!(error instanceof Error && error.name === 'ParameterNotFound'))
        log.error('a parameter stays', error, { parameter });
    }
}

function idOf(arn: string): string {
  return arn.split('/').at(-1) ?? '';
}
