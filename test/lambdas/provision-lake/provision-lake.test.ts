import {
  CloudTrailClient,
  CreateChannelCommand,
  CreateEventDataStoreCommand,
} from '@aws-sdk/client-cloudtrail';
import { SSMClient } from '@aws-sdk/client-ssm';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  createLakeResources,
  deleteParameter,
  type LakeResources,
  LakeResourcesError,
  putParameter,
} from '../../../adapters/aws/index.ts';
import { type ProvisionLakeParts, provisionLake } from '../../../lambdas/provision-lake/provision-lake.ts';
import { createLog } from '../../../lambdas/shared/index.ts';
import { fakeCloudTrailLake } from '../../fakes/aws/cloudtrail-lake.ts';
import { type FakeRequest, jsonError, startFakeAws } from '../../fakes/aws/fake-aws.ts';
import type { FakeCloudTrailLakeOptions } from '../../fakes/aws/lake-state.ts';
import { fakeSsmParameters } from '../../fakes/aws/ssm-parameters.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';

const properties = {
  name: 'sshtrail',
  retentionDays: '2557',
  account: '123456789012',
  region: 'eu-central-1',
};
const channelParameter = '/sshtrail/sshtrail/lake/channel-arn';
const storeParameter = '/sshtrail/sshtrail/lake/event-data-store-id';
const physicalId = 'sshtrail-cloudtrail-lake';

function requestOf(type: 'Create' | 'Update' | 'Delete', changes: Readonly<Record<string, unknown>> = {}) {
  return {
    RequestType: type,
    ServiceToken: 'arn:aws:lambda:eu-central-1:123456789012:function:provider',
    ResponseURL: '...',
    StackId: 'arn:aws:cloudformation:eu-central-1:123456789012:stack/lake/1',
    RequestId: '0f8fad5b-d9cb-469f-a165-70867728950e',
    LogicalResourceId: 'Lake',
    ResourceType: 'Custom::SshtrailCloudTrailLake',
    ...(type === 'Create' ? {} : { PhysicalResourceId: physicalId }),
    ResourceProperties: { ...properties, ...changes },
  };
}

/** An account, and the function that CloudFormation calls. `account.entitled` may be changed. */
async function openPlace(options: Partial<FakeCloudTrailLakeOptions> = {}) {
  const account: { entitled: boolean } & FakeCloudTrailLakeOptions = {
    account: '123456789012',
    region: 'eu-central-1',
    ...options,
    entitled: options.entitled ?? true,
  };
  const lake = fakeCloudTrailLake(account);
  const parameters = fakeSsmParameters();
  const aws = await startFakeAws({ services: [lake, parameters] });
  onTestFinished(() => aws.close());
  const cloudTrail = new CloudTrailClient(clientOptions(aws.endpoint));
  const ssm = new SSMClient(clientOptions(aws.endpoint));
  onTestFinished(() => {
    cloudTrail.destroy();
    ssm.destroy();
  });
  const lines: string[] = [];
  return {
    account,
    lake,
    aws,
    cloudTrail,
    lines,
    value: (name: string) => parameters.parameters.get(name)?.value,
    provision: (event: unknown, changes: Partial<ProvisionLakeParts> = {}) =>
      provisionLake(event, {
        resources: (name, tags) =>
          createLakeResources({ client: cloudTrail, name, tags, sleep: async () => undefined }),
        parameters: {
          put: (name, value, there) => putParameter(ssm, name, value, there),
          delete: (name) => deleteParameter(ssm, name),
        },
        log: createLog((line) => lines.push(line), {
          function: 'provision-lake',
          requestId: 'r',
          now: () => 0,
        }),
        ...changes,
      }),
  };
}

type Place = Awaited<ReturnType<typeof openPlace>>;

function expectAvailable(place: Place): void {
  const [store] = place.lake.stores;
  const [channel] = place.lake.channels;
  expect(place.value(channelParameter)).toBe(channel?.arn);
  expect(place.value(storeParameter)).toBe(store?.id);
}

function expectUnavailable(place: Place): void {
  expect(place.value(channelParameter)).toBe('unavailable');
  expect(place.value(storeParameter)).toBe('unavailable');
}

const refused = (code: string, operation?: string) => (request: FakeRequest) =>
  request.service === 'cloudtrail' && (operation === undefined || request.operation === operation)
    ? { kind: 'answer' as const, ...jsonError(400, code, 'no') }
    : undefined;

describe('where the account has CloudTrail Lake', () => {
  it('makes an event data store and a channel into it, and says where they are', async () => {
    const place = await openPlace();

    const answer = await place.provision(requestOf('Create'));

    expect(answer).toEqual({
      PhysicalResourceId: physicalId,
      Data: { Status: 'available', Reason: 'events go to CloudTrail Lake' },
    });
    expect(place.lake.stores).toMatchObject([
      { name: 'sshtrail-ssh-events', retention: 2557, protected: true, multiRegion: false },
    ]);
    expect(JSON.stringify(place.lake.stores[0]?.selectors)).toContain('ActivityAuditLog');
    expect(place.lake.channels).toMatchObject([
      { source: 'Custom', destinations: [{ Location: place.lake.stores[0]?.arn }] },
    ]);
    expectAvailable(place);
  });

  it('uses what there is when the request is repeated', async () => {
    const place = await openPlace();

    await place.provision(requestOf('Create'));
    const again = await place.provision(requestOf('Create'));

    expect(again.Data.Status).toBe('available');
    expect([place.lake.stores.length, place.lake.channels.length]).toEqual([1, 1]);
    expectAvailable(place);
  });

  it.each(['CreateEventDataStore', 'CreateChannel', 'PutParameter', 'GetEventDataStore'])(
    'goes on where an attempt was cut off: the answer to %s is lost',
    async (operation) => {
      const place = await openPlace();
      let lost = false;
      place.aws.inject((request) => {
        if (lost || request.operation !== operation) return undefined;
        lost = true;
        return { kind: 'lose-answer' };
      });

      const answer = await place.provision(requestOf('Create'));

      expect(answer.Data.Status).toBe('available');
      expect([place.lake.stores.length, place.lake.channels.length]).toEqual([1, 1]);
      expectAvailable(place);
    },
  );

  it('gets over throttling', async () => {
    const place = await openPlace();
    let left = 3;
    place.aws.inject((request) => (left-- > 0 ? refused('ThrottlingException')(request) : undefined));

    expect((await place.provision(requestOf('Create'))).Data.Status).toBe('available');
  });

  it('waits until the store takes events', async () => {
    const place = await openPlace();
    let looks = 0;
    place.aws.inject((request) => {
      if (request.operation !== 'GetEventDataStore' || looks++ >= 2) return undefined;
      const { arn: EventDataStoreArn } = place.lake.stores[0] ?? {};
      return {
        kind: 'answer',
        status: 200,
        headers: { 'content-type': 'application/x-amz-json-1.1' },
        body: JSON.stringify({ EventDataStoreArn, Status: 'CREATED' }),
      };
    });

    expect((await place.provision(requestOf('Create'))).Data.Status).toBe('available');
    expect(looks).toBeGreaterThan(2);
  });

  it('changes for how long events are kept', async () => {
    const place = await openPlace();
    await place.provision(requestOf('Create'));

    const answer = await place.provision(requestOf('Update', { retentionDays: '90' }));

    expect(answer).toMatchObject({ PhysicalResourceId: physicalId, Data: { Status: 'available' } });
    expect(place.lake.stores).toMatchObject([{ retention: 90 }]);
    expect(place.aws.calls.filter((call) => call.endsWith(':UpdateEventDataStore'))).toHaveLength(1);
  });

  it('takes the channel and the parameters away, and keeps the events', async () => {
    const place = await openPlace();
    await place.provision(requestOf('Create'));

    const answer = await place.provision(requestOf('Delete'));
    await place.provision(requestOf('Delete'));

    expect(answer.PhysicalResourceId).toBe(physicalId);
    expect(place.lake.channels).toEqual([]);
    expect(place.lake.stores).toMatchObject([{ status: 'ENABLED', protected: true }]);
    expect([place.value(channelParameter), place.value(storeParameter)]).toEqual([undefined, undefined]);
    expect(place.lines.filter((line) => line.includes('"error"'))).toEqual([]);
  });

  it('makes a channel to the store that a deployment before has left', async () => {
    const place = await openPlace();
    await place.provision(requestOf('Create'));
    await place.provision(requestOf('Delete'));

    expect((await place.provision(requestOf('Create'))).Data.Status).toBe('available');
    expect([place.lake.stores.length, place.lake.channels.length]).toEqual([1, 1]);
  });

  it('finds its own among many', async () => {
    const place = await openPlace();
    for (let n = 0; n < 5; n += 1)
      await place.cloudTrail.send(new CreateEventDataStoreCommand({ Name: `other-${n}` }));

    await place.provision(requestOf('Create'));
    await place.provision(requestOf('Update'));

    expect(place.lake.stores.filter(({ name }) => name === 'sshtrail-ssh-events')).toHaveLength(1);
  });
});

describe('where the account has it not', () => {
  it.each([
    'UnsupportedOperationException',
    'AccessDeniedException',
    'OperationNotPermittedException',
  ] as const)('the deployment goes on without, and says why: %s', async (refusal) => {
    const place = await openPlace({ entitled: false, refusal });

    const answer = await place.provision(requestOf('Create'));

    expect(answer.PhysicalResourceId).toBe(physicalId);
    expect(answer.Data).toEqual({ Status: 'unavailable', Reason: expect.stringContaining(refusal) });
    expect(answer.Data.Reason).toContain('no new customers');
    expectUnavailable(place);
    expect(place.lines.some((line) => line.includes('"level":"error"'))).toBe(true);
  });

  it('an update finds out when it has', async () => {
    const place = await openPlace({ entitled: false });
    await place.provision(requestOf('Create'));

    place.account.entitled = true;
    expect((await place.provision(requestOf('Update'))).Data.Status).toBe('available');
    expectAvailable(place);
  });

  it('an update finds out when it has no more', async () => {
    const place = await openPlace();
    await place.provision(requestOf('Create'));

    place.account.entitled = false;
    expect((await place.provision(requestOf('Update'))).Data.Status).toBe('unavailable');
    expectUnavailable(place);
  });

  it('a deletion succeeds', async () => {
    const place = await openPlace({ entitled: false });
    await place.provision(requestOf('Create'));

    expect((await place.provision(requestOf('Delete'))).PhysicalResourceId).toBe(physicalId);
    expect(place.value(channelParameter)).toBeUndefined();
  });

  it('an account that may list and not create goes on without', async () => {
    const place = await openPlace();
    place.aws.inject(refused('UnsupportedOperationException', 'CreateEventDataStore'));

    expect((await place.provision(requestOf('Create'))).Data.Status).toBe('unavailable');
    expectUnavailable(place);
  });
});

describe('where something is in the way', () => {
  async function withOtherChannel(name: string) {
    const place = await openPlace();
    const { EventDataStoreArn } = await place.cloudTrail.send(
      new CreateEventDataStoreCommand({
        Name: 'siem',
        AdvancedEventSelectors: [
          { FieldSelectors: [{ Field: 'eventCategory', Equals: ['ActivityAuditLog'] }] },
        ],
      }),
    );
    await place.cloudTrail.send(
      new CreateChannelCommand({
        Name: name,
        Source: 'Custom',
        Destinations: [{ Type: 'EVENT_DATA_STORE', Location: EventDataStoreArn }],
      }),
    );
    return place;
  }

  it.each(['siem', 'sshtrail-ssh-events'])(
    'a channel of somebody else, by the name %s, is not used',
    async (name) => {
      const place = await withOtherChannel(name);

      const answer = await place.provision(requestOf('Create'));

      expect(answer.Data).toEqual({
        Status: 'unavailable',
        Reason: expect.stringContaining('leads elsewhere'),
      });
      expectUnavailable(place);
      await place.provision(requestOf('Delete'));
      expect(place.lake.channels).toMatchObject([{ name }]);
    },
  );

  it('a store of the name for other events is not used', async () => {
    const place = await openPlace();
    await place.cloudTrail.send(
      new CreateEventDataStoreCommand({
        Name: 'sshtrail-ssh-events',
        AdvancedEventSelectors: [{ FieldSelectors: [{ Field: 'eventCategory', Equals: ['Management'] }] }],
      }),
    );

    const { Data } = await place.provision(requestOf('Create'));

    expect(Data).toEqual({
      Status: 'unavailable',
      Reason: expect.stringContaining('not for events from outside'),
    });
    expect(place.lake.channels).toEqual([]);
  });

  it('a store of the name that is being deleted is not used', async () => {
    const place = await openPlace();
    place.aws.inject((request) =>
      request.operation === 'GetEventDataStore'
        ? {
            kind: 'answer',
            status: 200,
            headers: { 'content-type': 'application/x-amz-json-1.1' },
            body: JSON.stringify({ Status: 'PENDING_DELETION' }),
          }
        : undefined,
    );

    const { Data } = await place.provision(requestOf('Create'));

    expect(Data.Reason).toContain('is PENDING_DELETION');
  });
});

describe('a fault', () => {
  it('of the parameters leaves the deployment alone', async () => {
    const place = await openPlace();
    place.aws.inject((request) =>
      request.service === 'ssm'
        ? { kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'no') }
        : undefined,
    );

    const created = await place.provision(requestOf('Create'));
    const deleted = await place.provision(requestOf('Delete'));

    expect(created.Data).toEqual({
      Status: 'unavailable',
      Reason: expect.stringContaining('ssm:PutParameter'),
    });
    expect(deleted.PhysicalResourceId).toBe(physicalId);
    expect(place.lake.channels).toEqual([]);
  });

  it.each([
    ['nothing', undefined],
    ['text', 'Create'],
    ['another kind of request', { ...requestOf('Update'), RequestType: 'Read' }],
    ['a hostile name', requestOf('Update', { name: '../../host-key' })],
    ['a time that is none', requestOf('Update', { retentionDays: 'for ever' })],
    ['a time that is too short', requestOf('Delete', { retentionDays: '1' })],
  ])('of the request, %s, does not fail the deployment, and nothing is done', async (_, event) => {
    const place = await openPlace();

    const answer = await place.provision(event);

    expect(answer.Data.Status).toBe('unavailable');
    expect(answer.PhysicalResourceId).toMatch(/cloudtrail-lake$/);
    expect(place.aws.calls).toEqual([]);
  });
});

describe('a fault that passes', () => {
  const busy: LakeResources = {
    ensure: async () => {
      throw new LakeResourcesError('unavailable', 'CloudTrail Lake is busy');
    },
    deleteChannel: async () => false,
  };

  it('leaves an update what was there before', async () => {
    const place = await openPlace();
    await place.provision(requestOf('Create'));

    const answer = await place.provision(requestOf('Update'), { resources: () => busy });

    expect(answer.Data).toEqual({ Status: 'unavailable', Reason: 'CloudTrail Lake is busy' });
    expectAvailable(place);
  });

  it('is said where there was nothing before', async () => {
    const place = await openPlace();

    await place.provision(requestOf('Create'), { resources: () => busy });

    expectUnavailable(place);
  });
});
