import { EC2InstanceConnectClient } from '@aws-sdk/client-ec2-instance-connect';
import { describe, expect, it, onTestFinished } from 'vitest';
import { pushInstanceConnectKey } from '../../../../adapters/aws/dial/index.ts';
import { formatPublicKeyLine, generatePrivateKey } from '../../../../ssh/keys/index.ts';
import { fakeInstanceConnect } from '../../../fakes/aws/ec2-instance-connect.ts';
import { jsonAnswer, jsonError, startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { awsEndpoints, clientOptions } from '../../../support/aws-endpoints.ts';

const instanceId = 'i-0123456789abcdef0';
const fake = fakeInstanceConnect({
  instances: new Map([
    [instanceId, 'running'],
    ['i-0123456789abcdef1', 'stopped'],
    ['i-0123456789abcdef2', 'unavailable'],
  ] as const),
});
const endpoints = await awsEndpoints(fake);
const publicKeyLine = formatPublicKeyLine(generatePrivateKey('ed25519').publicKey);

async function opened(endpoint = endpoints[0]?.endpoint ?? '') {
  const front = await startFakeAws({ services: [], upstream: endpoint });
  onTestFinished(() => front.close());
  const client = new EC2InstanceConnectClient(clientOptions(front.endpoint));
  onTestFinished(() => client.destroy());
  return { front, client };
}

describe.each(endpoints)('over $name', ({ endpoint }) => {
  it.each([
    ['an Ed25519 key', publicKeyLine],
    ['one with a comment and a line feed', `${publicKeyLine} session s-1 of engineer@example.com\n`],
    ['a P-256 key', formatPublicKeyLine(generatePrivateKey('ecdsa-p256').publicKey)],
  ])('pushes %s', async (_name, line) => {
    const { client, front } = await opened(endpoint);

    await pushInstanceConnectKey({ client, instanceId, login: 'deploy', publicKeyLine: line });

    expect(front.calls).toEqual(['ec2-instance-connect:SendSSHPublicKey']);
  });
});

describe('pushInstanceConnectKey', () => {
  it('says whose key may log in to which account of which instance', async () => {
    const { client } = await opened();

    await pushInstanceConnectKey({
      client,
      instanceId,
      login: 'ec2-user',
      publicKeyLine,
      availabilityZone: 'eu-central-1a',
    });

    expect(fake.pushed.at(-1)).toEqual({
      instanceId,
      login: 'ec2-user',
      publicKeyLine,
      availabilityZone: 'eu-central-1a',
    });
  });

  it.each([
    ['i-00000000000000000', 'no-instance', /no such instance/],
    ['i-0123456789abcdef1', 'not-running', /not running; start it/],
    ['i-0123456789abcdef2', 'unavailable', /cannot be reached by EC2 Instance Connect/],
  ])('says why %s takes no key, at the first answer', async (id, refusal, why) => {
    const { client, front } = await opened();

    const pushing = pushInstanceConnectKey({ client, instanceId: id, login: 'deploy', publicKeyLine });

    await expect(pushing).rejects.toMatchObject({ name: 'DialError', code: 'not-pushed', refusal });
    await expect(pushing).rejects.toThrow(why);
    expect(front.calls).toHaveLength(1);
  });

  it.each([
    ['no account', '', publicKeyLine],
    ['an account that is too long', 'x'.repeat(33), publicKeyLine],
    ['a key that is too short', 'deploy', 'ssh-ed25519 AAAA'],
    ['a key that is too long', 'deploy', `ssh-rsa ${'A'.repeat(4096)}`],
    ['two keys', 'deploy', `${publicKeyLine}\n${publicKeyLine}`],
    ['options before a key', 'deploy', `command="id" ${publicKeyLine}`],
    ['a comment that begins a line', 'deploy', `${publicKeyLine} a\nssh-ed25519 AAAA`],
  ])('does not ask with %s', async (_name, login, line) => {
    const { client, front } = await opened();

    const pushing = pushInstanceConnectKey({ client, instanceId, login, publicKeyLine: line });

    await expect(pushing).rejects.toMatchObject({ code: 'not-pushed', refusal: 'invalid' });
    expect(front.calls).toEqual([]);
  });

  it.each([
    [403, 'AuthException', 'denied', /lacks ec2-instance-connect:SendSSHPublicKey/],
    [400, 'InvalidArgsException', 'invalid', /InvalidArgsException/],
    [403, 'ExpiredTokenException', 'denied', /renew them/],
  ])('names %i %s, and does not ask again', async (status, code, refusal, why) => {
    const { client, front } = await opened();
    front.inject(() => ({ kind: 'answer', ...jsonError(status, code, 'no') }));

    const pushing = pushInstanceConnectKey({ client, instanceId, login: 'deploy', publicKeyLine });

    await expect(pushing).rejects.toMatchObject({ refusal });
    await expect(pushing).rejects.toThrow(why);
    expect(front.calls).toHaveLength(1);
  });

  it.each([
    [429, 'ThrottlingException'],
    [500, 'ServiceException'],
  ])('tries again after %i %s', async (status, code) => {
    const { client, front } = await opened();
    let left = 2;
    front.inject(() => (left-- > 0 ? { kind: 'answer', ...jsonError(status, code, 'later') } : undefined));

    await pushInstanceConnectKey({ client, instanceId, login: 'deploy', publicKeyLine });

    expect(front.calls).toHaveLength(3);
  });

  it('takes nothing but success for success', async () => {
    const { client, front } = await opened();
    front.inject(() => ({ kind: 'answer', ...jsonAnswer({ Success: false }) }));

    await expect(
      pushInstanceConnectKey({ client, instanceId, login: 'deploy', publicKeyLine }),
    ).rejects.toMatchObject({ code: 'not-pushed', refusal: 'refused' });
  });
});
