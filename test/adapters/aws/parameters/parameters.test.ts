import { randomUUID } from 'node:crypto';
import {
  DeleteParameterCommand,
  GetParameterCommand,
  PutParameterCommand,
  SSMClient,
} from '@aws-sdk/client-ssm';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  ensureSecret,
  readParameter,
  readParameterAuthor,
  readParameters,
} from '../../../../adapters/aws/parameters/index.ts';
import { type FakeAws, jsonError, startFakeAws } from '../../../fakes/aws/fake-aws.ts';
import { fakeSsmParameters } from '../../../fakes/aws/ssm-parameters.ts';
import { awsEndpoints, clientOptions } from '../../../support/aws-endpoints.ts';

/** A client, a path that nobody else uses, and a way to break calls. */
async function opened(
  endpoint: string,
): Promise<{ readonly client: SSMClient; readonly path: string; readonly front: FakeAws }> {
  const front = await startFakeAws({ services: [], upstream: endpoint });
  onTestFinished(() => front.close());
  const client = new SSMClient(clientOptions(front.endpoint));
  onTestFinished(() => client.destroy());
  return { client, path: `/sshtrail/${randomUUID()}`, front };
}

async function put(
  client: SSMClient,
  name: string,
  value: string,
  type: 'String' | 'SecureString' = 'String',
): Promise<void> {
  await client.send(new PutParameterCommand({ Name: name, Value: value, Type: type, Overwrite: true }));
}

describe.each(await awsEndpoints(fakeSsmParameters()))('over $name', ({ name: emulator, endpoint }) => {
  describe('readParameterAuthor', () => {
    it('names whoever wrote the present version, however many there were', async () => {
      const { client, path } = await opened(endpoint);
      for (let version = 0; version < 60; version += 1) await put(client, `${path}/a`, `value ${version}`);

      const author = await readParameterAuthor(client, `${path}/a`);

      // moto keeps every version and no author of any.
      expect(author).toMatch(emulator === 'moto' ? /^N\/A$/ : /^arn:aws:iam::.*\/editor-60$/);
    });

    it('says so where there is no such parameter, or the right to ask is missing', async () => {
      const { client, path, front } = await opened(endpoint);
      await expect(readParameterAuthor(client, `${path}/a`)).rejects.toMatchObject({ code: 'refused' });

      front.inject(() => ({ kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'no') }));
      await expect(readParameterAuthor(client, `${path}/a`)).rejects.toMatchObject({
        code: 'denied',
        message: expect.stringContaining('ssm:GetParameterHistory'),
      });
    });
  });

  describe('readParameters', () => {
    it('reads everything below a path, decrypted, over pages, by name', async () => {
      const { client, path } = await opened(endpoint);
      const names = Array.from({ length: 23 }, (_, index) => `${path}/p/${String(index).padStart(2, '0')}`);
      for (const name of names.toReversed()) await put(client, name, `of ${name}`);
      await put(client, `${path}/config/sshtrail.yaml`, 'first');
      await put(client, `${path}/config/sshtrail.yaml`, 'line\nfeed: "ü"');
      await put(client, `${path}/host-key`, 'secret', 'SecureString');
      await put(client, `${path}-2/other`, 'of another deployment');

      const found = await readParameters({ client, path });

      expect(found).toEqual([
        { name: `${path}/config/sshtrail.yaml`, value: 'line\nfeed: "ü"', version: 2 },
        { name: `${path}/host-key`, value: 'secret', version: 1 },
        ...names.map((name) => ({ name, value: `of ${name}`, version: 1 })),
      ]);
    });

    it('finds nothing where there is nothing', async () => {
      const { client, path } = await opened(endpoint);

      expect(await readParameters({ client, path })).toEqual([]);
    });

    it('says what is refused, without what a terminal would act upon', async () => {
      const { client, path, front } = await opened(endpoint);
      front.inject(() => ({ kind: 'answer', ...jsonError(400, 'ValidationException', 'no\u001b[2J path') }));

      const reading = await readParameters({ client, path }).catch((error: unknown) => error);

      expect(reading).toMatchObject({ name: 'ParametersError', code: 'refused' });
      expect(String(reading)).toContain('ValidationException: no');
      expect(String(reading)).not.toContain('\u001b');
    });
  });

  describe('readParameter', () => {
    it('reads one, decrypted, and tells that there is none', async () => {
      const { client, path } = await opened(endpoint);
      await put(client, `${path}/a`, 'secret', 'SecureString');

      expect(await readParameter(client, `${path}/a`)).toBe('secret');
      expect(await readParameter(client, `${path}/b`)).toBeUndefined();
    });

    it('tries again where it is throttled or the connection breaks', async () => {
      const { client, path, front } = await opened(endpoint);
      await put(client, `${path}/a`, 'x');
      let calls = 0;
      front.inject(() => {
        calls += 1;
        if (calls === 1) return { kind: 'reset' };
        return calls === 2
          ? { kind: 'answer', ...jsonError(400, 'ThrottlingException', 'Rate exceeded') }
          : undefined;
      });

      expect(await readParameter(client, `${path}/a`)).toBe('x');
      expect(calls).toBe(3);
    });

    it('names the right that is missing, and keeps the cause', async () => {
      const { client, path, front } = await opened(endpoint);
      front.inject(() => ({ kind: 'answer', ...jsonError(400, 'AccessDeniedException', 'no') }));

      const reading = await readParameter(client, `${path}/a`).catch((error: unknown) => error);

      expect(reading).toMatchObject({
        code: 'denied',
        message: expect.stringContaining('ssm:GetParameter '),
      });
      expect(reading).toHaveProperty('cause.name', 'AccessDeniedException');
    });
  });

  describe('ensureSecret', () => {
    it('makes a secret once, and gives the same one from then on', async () => {
      const { client, path } = await opened(endpoint);

      expect(await ensureSecret(client, `${path}/host-key`, () => 'first')).toBe('first');
      expect(await ensureSecret(client, `${path}/host-key`, () => 'second')).toBe('first');

      const kept = await client.send(new GetParameterCommand({ Name: `${path}/host-key` }));
      expect(kept.Parameter?.Type).toBe('SecureString');
      expect(kept.Parameter?.Value).not.toBe('first');
    });

    it('gives tasks that start at once the same secret', async () => {
      const { client, path, front } = await opened(endpoint);
      // All of them have found none before any of them makes one.
      let found = 0;
      const allFound = Promise.withResolvers<void>();
      const make = (index: number) => {
        const own = new SSMClient(clientOptions(front.endpoint));
        onTestFinished(() => own.destroy());
        own.middlewareStack.add(
          (next, { commandName }) =>
            async (args) => {
              if (commandName === 'PutParameterCommand') found += 1;
              if (found === 4) allFound.resolve();
              if (commandName === 'PutParameterCommand') await allFound.promise;
              return next(args);
            },
          { step: 'initialize', name: 'together' },
        );
        return ensureSecret(own, `${path}/host-key`, () => `of task ${index}`);
      };

      const secrets = await Promise.all([0, 1, 2, 3].map(make));

      expect(new Set(secrets).size).toBe(1);
      expect(await readParameter(client, `${path}/host-key`)).toBe(secrets[0]);
    });

    it('knows its own secret where the answer was lost', async () => {
      const { client, path, front } = await opened(endpoint);
      let lost = false;
      front.inject((request) => {
        if (request.operation !== 'PutParameter' || lost) return undefined;
        lost = true;
        return { kind: 'lose-answer' };
      });

      expect(await ensureSecret(client, `${path}/host-key`, () => 'mine')).toBe('mine');
      expect(await readParameter(client, `${path}/host-key`)).toBe('mine');
    });

    it('trusts no secret that lies there in the clear, and does not repeat it', async () => {
      const { client, path } = await opened(endpoint);
      await put(client, `${path}/host-key`, 'planted');

      const ensuring = await ensureSecret(client, `${path}/host-key`, () => 'mine').catch(
        (error: unknown) => error,
      );

      expect(ensuring).toMatchObject({ name: 'ParametersError', code: 'unsafe' });
      expect(String(ensuring)).not.toContain('planted');
    });

    it('never has the secret in a fault', async () => {
      const { client, path, front } = await opened(endpoint);
      front.inject((request) =>
        request.operation === 'PutParameter'
          ? { kind: 'answer', ...jsonError(400, 'InvalidKeyId', 'the key is disabled') }
          : undefined,
      );

      const ensuring = await ensureSecret(client, `${path}/host-key`, () => 'mine', {
        keyId: 'alias/gone',
      }).catch((error: unknown) => error);

      expect(ensuring).toMatchObject({ code: 'refused', message: expect.stringContaining('InvalidKeyId') });
      expect(String(ensuring)).not.toContain('mine');
    });

    it('makes another one where the first was deleted', async () => {
      const { client, path } = await opened(endpoint);
      await ensureSecret(client, `${path}/host-key`, () => 'first');
      await client.send(new DeleteParameterCommand({ Name: `${path}/host-key` }));

      expect(await ensureSecret(client, `${path}/host-key`, () => 'second')).toBe('second');
    });
  });
});

describe('fakeSsmParameters', () => {
  it.each([
    ['no value', { Name: '/a/b', Value: '', Type: 'String' }],
    ['no type', { Name: '/a/b', Value: 'x' }],
    ['a name that is none', { Name: '/a b', Value: 'x', Type: 'String' }],
    ['a name of AWS', { Name: '/aws/x', Value: 'x', Type: 'String' }],
    ['a path without its slash', { Name: 'a/b', Value: 'x', Type: 'String' }],
    ['too much', { Name: '/a/b', Value: 'x'.repeat(4097), Type: 'String' }],
    ['a key for what is no secret', { Name: '/a/b', Value: 'x', Type: 'String', KeyId: 'alias/x' }],
  ])('refuses %s', (_name, members) => {
    const fake = fakeSsmParameters();

    const response = fake.handle({
      service: 'ssm',
      region: 'eu-central-1',
      operation: 'PutParameter',
      method: 'POST',
      path: '/',
      query: new URLSearchParams(),
      headers: {},
      body: Buffer.from(JSON.stringify(members)),
    });

    expect(response).toMatchObject({ status: 400, headers: { 'x-amzn-errortype': 'ValidationException' } });
    expect(fake.parameters.size).toBe(0);
  });
});
