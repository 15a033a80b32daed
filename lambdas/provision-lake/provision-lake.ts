import { z } from 'zod';
import { type LakeResources, LakeResourcesError } from '#adapters/aws';
import { lakeUnavailable } from '#core/contract';
import { printable } from '#core/wording';
import { errorText, type Log } from '../shared/index.ts';

/** Where gateways and functions read which channel and event data store there are. */
export type LakeParameters = {
  /** `keep`: what is there already stays. */
  put(name: string, value: string, there: 'overwrite' | 'keep'): Promise<void>;
  delete(name: string): Promise<void>;
};

export type ProvisionLakeParts = {
  readonly resources: (name: string, tags: Readonly<Record<string, string>>) => LakeResources;
  readonly parameters: LakeParameters;
  readonly log: Log;
};

/** What CloudFormation's provider framework wants back. None of the texts is empty, since outputs may not be. */
export type ProvisionLakeAnswer = {
  readonly PhysicalResourceId: string;
  readonly Data: { readonly Status: 'available' | 'unavailable'; readonly Reason: string };
};

const maxReason = 500;

const request = z.object({
  RequestType: z.enum(['Create', 'Update', 'Delete']),
  ResourceProperties: z.object({
    name: z.string().regex(/^[a-z][a-z0-9-]{1,23}$/),
    /** CloudFormation makes texts of numbers. */
    retentionDays: z.coerce.number().int().min(7).max(3653),
  }),
});
const named = z.object({ PhysicalResourceId: z.string().min(1) });

/**
 * Makes the event data store and channel of `cloudTrailLake: auto`, and writes where they are into the parameters. CloudTrail Lake takes no new
 * customers, and which refusal such an account gets is not documented: so whatever goes wrong, the deployment goes on without it and says why. A
 * request that is repeated finds what was made before. A deletion takes the channel and the parameters, and keeps the event data store: it is evidence.
 */
export async function provisionLake(event: unknown, parts: ProvisionLakeParts): Promise<ProvisionLakeAnswer> {
  const parsed = request.safeParse(event);
  if (!parsed.success) {
    parts.log.error('the request of CloudFormation cannot be read', parsed.error);
    const known = named.safeParse(event);
    const id = known.success ? known.data.PhysicalResourceId : 'cloudtrail-lake';
    return answer(
      id,
      'unavailable',
      'the request of CloudFormation cannot be read; see the log of the function',
    );
  }
  const { RequestType, ResourceProperties } = parsed.data;
  const { name, retentionDays } = ResourceProperties;
  const id = `${name}-cloudtrail-lake`;
  const resources = parts.resources(`${name}-ssh-events`, { 'sshtrail:deployment': name });
  if (RequestType === 'Delete') {
    await remove(name, resources, parts);
    return answer(id, 'unavailable', 'deleted; the event data store is kept');
  }
  try {
    const { channelArn, eventDataStoreArn } = await resources.ensure(retentionDays);
    await say(name, channelArn, eventDataStoreArn.split('/').at(-1) ?? '', 'overwrite', parts);
    return answer(id, 'available', 'events go to CloudTrail Lake');
  } catch (error) {
    parts.log.error('CloudTrail Lake is not to be had; everything else works without it', error);
    // A fault that passes does not take away what was there.
    const passes = !(error instanceof LakeResourcesError) || error.code === 'unavailable';
    await say(name, lakeUnavailable, lakeUnavailable, passes ? 'keep' : 'overwrite', parts).catch(
      (fault: unknown) => parts.log.error('the parameters could not be written', fault),
    );
    return answer(id, 'unavailable', errorText(error));
  }
}

async function say(
  name: string,
  channelArn: string,
  eventDataStoreId: string,
  there: 'overwrite' | 'keep',
  { parameters }: ProvisionLakeParts,
): Promise<void> {
  const { channel, store } = parameterNames(name);
  // Queries first: events are sent only to where somebody can look.
  await parameters.put(store, eventDataStoreId, there);
  await parameters.put(channel, channelArn, there);
}

/** Never fails: a stack that cannot be deleted is worse than a channel that nobody writes to. */
async function remove(
  name: string,
  resources: LakeResources,
  { parameters, log }: ProvisionLakeParts,
): Promise<void> {
  const { channel, store } = parameterNames(name);
  const works: readonly (readonly [string, () => Promise<unknown>])[] = [
    // Nobody is to send to a channel that is going.
    [`the parameter ${channel} stays`, () => parameters.delete(channel)],
    [`the parameter ${store} stays`, () => parameters.delete(store)],
    ['the channel stays', () => resources.deleteChannel()],
  ];
  for (const [failure, work] of works)
    await work().catch((error: unknown) => log.error(`${failure}; delete it by hand`, error));
}

function parameterNames(name: string) {
  const path = `/sshtrail/${name}/lake`;
  return { channel: `${path}/channel-arn`, store: `${path}/event-data-store-id` };
}

function answer(
  PhysicalResourceId: string,
  Status: ProvisionLakeAnswer['Data']['Status'],
  reason: string,
): ProvisionLakeAnswer {
  return { PhysicalResourceId, Data: { Status, Reason: printable(reason).slice(0, maxReason) } };
}
