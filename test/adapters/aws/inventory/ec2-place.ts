import { randomUUID } from 'node:crypto';
import {
  CreateTagsCommand,
  DescribeInstancesCommand,
  EC2Client,
  RunInstancesCommand,
  StopInstancesCommand,
} from '@aws-sdk/client-ec2';
import { onTestFinished } from 'vitest';
import { createEc2Inventory, type Ec2InventoryOptions } from '../../../../adapters/aws/inventory/index.ts';
import type { Inventory } from '../../../../core/contract/index.ts';
import type { FakeEc2 } from '../../../fakes/aws/ec2.ts';
import { type FakeAws, startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { clientOptions } from '../../../support/aws-endpoints.ts';

export const hostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHlc0vVmT1lFJRDSDR0dBUsWUNsNd0uAd6FgDkMNVdUM';

type Wanted = {
  readonly tags: Readonly<Record<string, string>>;
  readonly stopped?: boolean;
  readonly privateIp?: string | undefined;
  readonly publicIp?: string;
};

export type Ec2Place = {
  /** Tells the instances of this test from everybody else's. */
  readonly mark: string;
  readonly front: FakeAws;
  readonly faults: string[];
  readonly clock: { nowMs: number };
  /** Starts an instance with the mark and these tags; its id. */
  start(wanted: Wanted): Promise<string>;
  tag(id: string, tags: Readonly<Record<string, string>>): Promise<void>;
  addressOf(id: string): Promise<string>;
  inventory(options?: Partial<Ec2InventoryOptions>, refreshMs?: number): Inventory;
};

/** Instances of one test, and an inventory of them; over the fake, or over moto where there is no fake. */
export async function ec2Place(endpoint: string, fake: FakeEc2 | undefined): Promise<Ec2Place> {
  const front = await startFakeAws({ services: [], upstream: endpoint });
  onTestFinished(() => front.close());
  const client = new EC2Client(clientOptions(front.endpoint));
  onTestFinished(() => client.destroy());
  const mark = randomUUID();
  const faults: string[] = [];
  const clock = { nowMs: 1_800_000_000_000 };
  const tag = async (id: string, tags: Readonly<Record<string, string>>): Promise<void> => {
    const Tags = Object.entries(tags).map(([Key, Value]) => ({ Key, Value }));
    await client.send(new CreateTagsCommand({ Resources: [id], Tags }));
  };
  let started = 0;
  return {
    mark,
    front,
    faults,
    clock,
    tag,
    async start({ tags, stopped = false, publicIp, ...rest }) {
      const marked = { mark, ...tags };
      if (fake !== undefined) {
        started += 1;
        const id = `i-${randomUUID().replaceAll('-', '').slice(0, 17)}`;
        const privateIp = 'privateIp' in rest ? rest.privateIp : `192.0.2.${started}`;
        fake.instances.set(id, {
          id,
          tags: marked,
          state: stopped ? 'stopped' : 'running',
          ...(privateIp === undefined ? {} : { privateIp }),
          ...(publicIp === undefined ? {} : { publicIp }),
        });
        return id;
      }
      const { Instances = [] } = await client.send(
        new RunInstancesCommand({ ImageId: 'ami-12c6146b', MinCount: 1, MaxCount: 1 }),
      );
      const id = Instances[0]?.InstanceId ?? '';
      await tag(id, marked);
      if (stopped) await client.send(new StopInstancesCommand({ InstanceIds: [id] }));
      return id;
    },
    async addressOf(id) {
      const { Reservations } = await client.send(new DescribeInstancesCommand({ InstanceIds: [id] }));
      return Reservations?.[0]?.Instances?.[0]?.PrivateIpAddress ?? '';
    },
    inventory: (options = {}, refreshMs = 60_000) =>
      createEc2Inventory({
        client,
        options: {
          nameTag: 'Name',
          selectTags: { mark },
          labelTags: ['env'],
          address: 'private',
          hostAuthority: { keys: [hostKey] },
          dial: 'direct',
          auth: 'certificate',
          ...options,
        },
        now: () => clock.nowMs,
        refreshMs,
        onFault: (error) => faults.push(error.message),
      }),
  };
}
