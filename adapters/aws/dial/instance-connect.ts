import { type EC2InstanceConnectClient, SendSSHPublicKeyCommand } from '@aws-sdk/client-ec2-instance-connect';
import { type AttemptLimits, attempt } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';
import { DialError } from './dial-error.ts';

const limits: AttemptLimits = { deadlineMs: 10_000, attemptMs: 5_000 };

/** The refusals that have a next step of their own. */
const advice: Readonly<Record<string, string>> = {
  EC2InstanceNotFoundException: 'there is no such instance in this region',
  EC2InstanceStateInvalidException: 'the instance is not running; start it',
  EC2InstanceUnavailableException:
    'the instance cannot be reached by EC2 Instance Connect; look at its state',
  EC2InstanceTypeInvalidException:
    'its type is not one EC2 Instance Connect works with; let it trust the authority',
};

/** Lets the key log in to the account for 60 seconds (EC2 Instance Connect, SendSSHPublicKey). @throws DialError `not-pushed` */
export async function pushInstanceConnectKey(options: {
  readonly client: EC2InstanceConnectClient;
  readonly instanceId: string;
  /** At most 32 characters. */
  readonly login: string;
  readonly publicKeyLine: string;
}): Promise<void> {
  const { client, instanceId, login, publicKeyLine } = options;
  if (login.length > 32)
    throw new DialError(
      'not-pushed',
      `EC2 Instance Connect takes accounts of at most 32 characters, not ${login.length}`,
    );
  try {
    const { Success } = await attempt(limits, (abortSignal) =>
      client.send(
        new SendSSHPublicKeyCommand({
          InstanceId: instanceId,
          InstanceOSUser: login,
          SSHPublicKey: publicKeyLine,
        }),
        { abortSignal },
      ),
    );
    if (Success === true) return;
  } catch (cause) {
    const name = cause instanceof Error ? cause.name : '';
    throw new DialError(
      'not-pushed',
      advice[name] ?? awsFaultWords('EC2 Instance Connect', 'ec2-instance-connect:SendSSHPublicKey', cause),
      { cause },
    );
  }
  throw new DialError('not-pushed', 'EC2 Instance Connect did not take the key; look at the instance');
}
