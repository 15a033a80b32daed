import { z } from 'zod';
import { type FakeService, jsonAnswer, jsonError } from './fake-aws.ts';

export type PushedKey = {
  readonly instanceId: string;
  readonly login: string;
  readonly publicKeyLine: string;
  readonly availabilityZone: string | undefined;
};

export type FakeInstanceConnect = FakeService & {
  /** In order. A key counts for a minute. */
  readonly pushed: readonly PushedKey[];
};

/** The shapes of the service's model. */
const input = z.looseObject({
  InstanceId: z
    .string()
    .min(10)
    .max(32)
    .regex(/^i-[a-f0-9]+$/),
  InstanceOSUser: z
    .string()
    .min(1)
    .max(32)
    .regex(
      /(^[A-Za-z_][A-Za-z0-9@._-]{0,30}[A-Za-z0-9$_-]?$)|(^(?=.{2,32}$)[0-9]{1,32}[A-Za-z@._-][A-Za-z0-9@._-]*[A-Za-z0-9$_-]?$)/,
    ),
  SSHPublicKey: z.string().min(80).max(4096),
  AvailabilityZone: z
    .string()
    .min(6)
    .max(32)
    .regex(/^(\w+-){2,3}\d+\w+$/)
    .optional(),
});

/** SendSSHPublicKey. `instances` says which there are; all that one may name where absent. */
export function fakeInstanceConnect(
  options: { readonly instances?: ReadonlyMap<string, 'running' | 'stopped' | 'unavailable'> } = {},
): FakeInstanceConnect {
  const pushed: PushedKey[] = [];
  return {
    service: 'ec2-instance-connect',
    pushed,
    handle(request) {
      if (request.operation !== 'SendSSHPublicKey') return undefined;
      const parsed = input.safeParse(JSON.parse(request.body.toString('utf8')));
      if (!parsed.success) return jsonError(400, 'InvalidArgsException', parsed.error.message);
      const { InstanceId, InstanceOSUser, SSHPublicKey, AvailabilityZone } = parsed.data;
      if (!/^(ssh-(ed25519|rsa)|ecdsa-sha2-nistp\d+) [A-Za-z0-9+/]+={0,2}( .*)?$/.test(SSHPublicKey))
        return jsonError(400, 'InvalidArgsException', 'The key is not a public key of OpenSSH.');
      const state = options.instances === undefined ? 'running' : options.instances.get(InstanceId);
      if (state === undefined)
        return jsonError(400, 'EC2InstanceNotFoundException', `${InstanceId} was not found.`);
      if (state === 'stopped')
        return jsonError(400, 'EC2InstanceStateInvalidException', `${InstanceId} is not running.`);
      if (state === 'unavailable')
        return jsonError(503, 'EC2InstanceUnavailableException', `${InstanceId} is not available.`);
      pushed.push({
        instanceId: InstanceId,
        login: InstanceOSUser,
        publicKeyLine: SSHPublicKey,
        availabilityZone: AvailabilityZone,
      });
      return jsonAnswer({ RequestId: '00000000-0000-4000-8000-000000000000', Success: true });
    },
  };
}
