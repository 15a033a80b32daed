import { PutParameterCommand, SSMClient } from '@aws-sdk/client-ssm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parseHostedConfiguration } from '#core/configuration';
import type { Target } from '#core/contract';
import { formatPrivateKey, generatePrivateKey } from '#ssh';
import { taskCredentials } from '../../../proxy-task/task/task-targets.ts';
import { hostedSample } from '../../core/configuration/hosted-sample.ts';
import { startFakeAws } from '../../fakes/aws/fake-aws.ts';
import { fakeSsmParameters } from '../../fakes/aws/ssm-parameters.ts';
import { clientOptions } from '../../support/aws-endpoints.ts';

const path = '/sshtrail/prod';
const target: Target = {
  name: 'web-1',
  host: '192.0.2.10',
  port: 22,
  labels: {},
  hostTrust: { kind: 'pinned', keys: [] },
};

async function credentialOf(written: string, secrets: Readonly<Record<string, string>> = {}) {
  const aws = await startFakeAws({ services: [fakeSsmParameters(new Map(Object.entries(secrets)))] });
  onTestFinished(() => aws.close());
  const client = new SSMClient(clientOptions(aws.endpoint));
  onTestFinished(() => client.destroy());
  const text = hostedSample.replace(/(\n {4}host: web-1\.example\.com\n)/, `$1    credential: ${written}\n`);
  const parsed = parseHostedConfiguration(text, 'sshtrail.yaml');
  if (!parsed.ok) throw new Error(JSON.stringify(parsed.problems));
  const credentials = taskCredentials(parsed.configuration, client, path);
  return { client, credentials, credential: credentials(target) };
}

function put(
  client: SSMClient,
  value: string,
  Type: 'String' | 'SecureString',
  name = `${path}/targets/web`,
) {
  return client.send(new PutParameterCommand({ Name: name, Value: value, Type, Overwrite: true }));
}

describe('the credential of a configured target', () => {
  it('is a key that Parameter Store keeps', async () => {
    const key = generatePrivateKey('ed25519');
    const { client, credential } = await credentialOf('{ kind: key, name: web }');
    await put(client, formatPrivateKey(key, 'gateway'), 'SecureString');

    if (credential?.kind !== 'key') throw new Error('no key');
    expect((await credential.read()).publicKey.blob).toEqual(key.publicKey.blob);
  });

  it('is a password, of which a new one counts at once', async () => {
    const { client, credential } = await credentialOf('{ kind: password, name: web }');
    if (credential?.kind !== 'password') throw new Error('no password');

    await put(client, 'first\n', 'SecureString');
    const first = await credential.read();
    await put(client, 'second', 'SecureString');

    expect([first, await credential.read()]).toEqual(['first', 'second']);
  });

  it('is a secret that Secrets Manager keeps below the name of the deployment', async () => {
    const { credential } = await credentialOf('{ kind: password, store: secrets-manager, name: web }', {
      'sshtrail/prod/targets/web': 'from there',
      web: 'not this one',
    });

    expect(await credential?.read()).toBe('from there');
  });

  it.each([
    [
      'that is not there',
      undefined,
      'SecureString',
      /there is no parameter .*targets\/web"; put the secret there/,
    ],
    ['that lies there in the clear', 'open', 'String', /holds a secret in the clear/],
    ['that is no password', 'a\nb', 'SecureString', /holds no password/],
  ] as const)('is refused %s, without repeating it', async (_name, value, type, why) => {
    const { client, credential } = await credentialOf('{ kind: password, name: web }');
    if (value !== undefined) await put(client, value, type);

    const reading = credential?.read();

    await expect(reading).rejects.toThrow(why);
    if (value !== undefined) await expect(reading).rejects.not.toThrow(value);
  });

  it('is not found in the clear by way of another deployment', async () => {
    const { client, credential } = await credentialOf('{ kind: password, name: web }');
    await put(client, 'theirs', 'SecureString', '/sshtrail/prod-2/targets/web');

    await expect(credential?.read()).rejects.toThrow(/there is no parameter/);
  });

  it('is none for an instance that somebody named like the target', async () => {
    const { credentials } = await credentialOf('{ kind: password, name: web }');

    const instance = { id: 'i-0123456789abcdef0', dial: 'direct', auth: 'certificate' } as const;

    expect(credentials({ ...target, instance })).toBeUndefined();
    expect(credentials({ ...target, name: 'web-2' })).toBeUndefined();
  });
});
