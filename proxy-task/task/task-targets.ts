import type { SSMClient } from '@aws-sdk/client-ssm';
import {
  combineInventories,
  createEc2Inventory,
  openSsmDial,
  pushInstanceConnectKey,
  readSecret,
  secretReference,
} from '#adapters/aws';
import type { HostedConfiguration, StoredCredential } from '#core/configuration';
import type { Inventory, Target } from '#core/contract';
import { createStaticInventory, passwordIn } from '#core/inventory';
import { parsePrivateKey } from '#ssh';
import type { InstanceReach } from '../target-connection.ts';
import type { TargetCredential } from '../target-credential.ts';
import type { TaskClients } from './task-clients.ts';
import { TaskError } from './task-identity.ts';

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

/**
 * What logs in to the configured targets that take no certificates, read at each login. `parameterPath` is `/sshtrail/<name>`: all of
 * them lie below it, or below the same name in Secrets Manager.
 */
export function taskCredentials(
  { targets }: HostedConfiguration,
  ssm: SSMClient,
  parameterPath: string,
): (target: Target) => TargetCredential | undefined {
  const byName = new Map(
    targets.flatMap(({ name, credential }): [string, TargetCredential][] =>
      credential === undefined ? [] : [[name, storedCredential(credential, ssm, parameterPath)]],
    ),
  );
  // An instance is named by whoever may tag it, and must not get what is meant for the configured target of that name.
  return (target) => (target.instance === undefined ? byName.get(target.name) : undefined);
}

function storedCredential(
  { kind, store, name }: StoredCredential,
  ssm: SSMClient,
  parameterPath: string,
): TargetCredential {
  const path = `${parameterPath}/targets/${name}`;
  const parameter = store === 'parameter-store' ? path : secretReference(path.slice(1));
  if (kind === 'key') return { kind, read: async () => parsePrivateKey(await readSecret(ssm, parameter)) };
  return {
    kind,
    async read() {
      const password = passwordIn(await readSecret(ssm, parameter));
      if (password === undefined)
        throw new TaskError(
          'unusable-configuration',
          `the secret ${parameter} holds no password; put it there as one line, and nothing else`,
        );
      return password;
    },
  };
}
