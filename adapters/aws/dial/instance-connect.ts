import { type EC2InstanceConnectClient, SendSSHPublicKeyCommand } from '@aws-sdk/client-ec2-instance-connect';
import { type AttemptLimits, attempt, awsFaultKind } from '../attempts.ts';
import { awsFaultWords } from '../aws-fault-words.ts';
import { DialError, type PushRefusal } from './dial-error.ts';

const limits: AttemptLimits = { deadlineMs: 10_000, attemptMs: 5_000 };
/** SendSSHPublicKey's own, where a key of another length is no key. */
const [minKeyLength, maxKeyLength] = [80, 4096];
const maxLoginLength = 32;

/** The refusals that have a next step of their own. */
const advice: Readonly<Record<string, readonly [PushRefusal, string]>> = {
  EC2InstanceNotFoundException: ['no-instance', 'there is no such instance in this region and account'],
  EC2InstanceStateInvalidException: ['not-running', 'the instance is not running; start it'],
  EC2InstanceUnavailableException: [
    'unavailable',
    'the instance cannot be reached by EC2 Instance Connect; look at its state and its network',
  ],
  EC2InstanceTypeInvalidException: [
    'unavailable',
    'its type is not one EC2 Instance Connect works with; let it trust the authority',
  ],
};

/**
 * Lets the key log in to the account for 60 seconds (EC2 Instance Connect, SendSSHPublicKey).
 * @throws DialError `not-pushed`, with the `refusal`
 */
export async function pushInstanceConnectKey(options: {
  /** Best with `maxAttempts: 1`: calls are repeated here. */
  readonly client: EC2InstanceConnectClient;
  readonly instanceId: string;
  /** At most 32 characters. */
  readonly login: string;
  /** `type base64`, perhaps with a comment: 80 to 4096 characters, one line. */
  readonly publicKeyLine: string;
  /** Spares EC2 Instance Connect a look-up. */
  readonly availabilityZone?: string;
}): Promise<void> {
  const { client, instanceId, login, availabilityZone } = options;
  const publicKeyLine = options.publicKeyLine.trimEnd();
  const fault = faultOf(login, publicKeyLine);
  if (fault !== undefined) throw new DialError('not-pushed', fault, { refusal: 'invalid' });
  const command = new SendSSHPublicKeyCommand({
    InstanceId: instanceId,
    InstanceOSUser: login,
    SSHPublicKey: publicKeyLine,
    ...(availabilityZone === undefined ? {} : { AvailabilityZone: availabilityZone }),
  });
  try {
    // Of these refusals some look like faults that pass by themselves, and the next try would be refused too.
    const { success, refused } = await attempt(limits, (abortSignal) =>
      client.send(command, { abortSignal }).then(
        ({ Success }) => ({ success: Success, refused: undefined }),
        (cause: unknown) => {
          if (advice[nameOf(cause)] === undefined) throw cause;
          return { success: false, refused: cause };
        },
      ),
    );
    if (refused !== undefined) throw refused;
    if (success === true) return;
  } catch (cause) {
    const [refusal, why] = advice[nameOf(cause)] ?? [
      refusalOf(cause),
      awsFaultWords('EC2 Instance Connect', 'ec2-instance-connect:SendSSHPublicKey', cause),
    ];
    throw new DialError('not-pushed', why, { cause, refusal });
  }
  throw new DialError('not-pushed', 'EC2 Instance Connect did not take the key; look at the instance', {
    refusal: 'refused',
  });
}

function faultOf(login: string, publicKeyLine: string): string | undefined {
  if (login === '' || login.length > maxLoginLength)
    return `EC2 Instance Connect takes accounts of 1 to ${maxLoginLength} characters, not ${login.length}; log in as another`;
  const { length } = publicKeyLine;
  if (length < minKeyLength || length > maxKeyLength)
    return `EC2 Instance Connect takes keys of ${minKeyLength} to ${maxKeyLength} characters, not ${length}; use an Ed25519 key`;
  // A second line would be a second key, or options before one.
  if (!/^[a-z0-9@.-]+ [A-Za-z0-9+/]+={0,2}( [^\p{Cc}]*)?$/u.test(publicKeyLine))
    return 'that is not one public key on one line; write its type, its base64 and perhaps a comment';
  return undefined;
}

function refusalOf(cause: unknown): PushRefusal {
  const kind = awsFaultKind(cause);
  if (nameOf(cause) === 'InvalidArgsException') return 'invalid';
  return kind === 'credentials' ? 'denied' : kind;
}

function nameOf(cause: unknown): string {
  return cause instanceof Error ? cause.name : '';
}
