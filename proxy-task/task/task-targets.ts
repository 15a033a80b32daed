import { combineInventories, createEc2Inventory, openSsmDial, pushInstanceConnectKey } from '#adapters/aws';
import type { HostedConfiguration } from '#core/configuration';
import type { Inventory } from '#core/contract';
import { createStaticInventory } from '#core/inventory';
import type { InstanceReach } from '../target-connection.ts';
import type { TaskClients } from './task-clients.ts';

/** The configured targets first, then the instances that carry the tags. */
export function taskInventory(
  configuration: HostedConfiguration,
  clients: TaskClients,
  now: () => number,
  report: (line: string) => void,
): Inventory {
  const configured = createStaticInventory(configuration.targets);
  const { ec2Inventory } = configuration;
  if (ec2Inventory === undefined || !ec2Inventory.enabled) return configured;
  return combineInventories(
    configured,
    createEc2Inventory({
      client: clients.ec2,
      options: ec2Inventory,
      now,
      onFault: (error) => report(`the EC2 inventory: ${error.message}`),
    }),
  );
}

/** Session Manager and EC2 Instance Connect. */
export function instanceReach(clients: TaskClients, timeoutMs: number): InstanceReach {
  return {
    open: (instanceId, port, signal) =>
      openSsmDial({
        client: clients.ssm,
        plugin: 'session-manager-plugin',
        instanceId,
        port,
        region: clients.region,
        signal,
        timeoutMs,
      }),
    pushKey: (instanceId, login, publicKeyLine) =>
      pushInstanceConnectKey({ client: clients.instanceConnect, instanceId, login, publicKeyLine }),
  };
}
