import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EC2InstanceConnectClient } from '@aws-sdk/client-ec2-instance-connect';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { pushInstanceConnectKey } from '#adapters/aws';
import type { Inventory } from '#core/contract';
import { formatPrivateKey, formatPublicKeyLine, generatePrivateKey } from '#ssh';
import type { GatewayParts } from '../../proxy-task/index.ts';
import { fakeInstanceConnect } from '../fakes/aws/ec2-instance-connect.ts';
import { type FakeAws, startFakeAws } from '../fakes/aws/fake-aws.ts';
import { clientOptions } from '../support/aws-endpoints.ts';
import { type Asking, type PasswordServer, startPasswordServer } from '../support/password-server.ts';
import { type Stack, startStack } from '../support/stack.ts';

const password = 'Tr0ub4dor-and-3';
const instanceId = 'i-0123456789abcdef0';
const folder = mkdtempSync(join(tmpdir(), 'sshtrail-target-login-'));
const passwordFile = join(folder, 'password');
const keyFile = join(folder, 'key');
const authorizedKeys = join(folder, 'authorized_keys');
const targetKey = generatePrivateKey('ed25519');
const instanceConnect = fakeInstanceConnect({ instances: new Map([[instanceId, 'running']]) });
const prompt = { prompt: 'Password: ', echo: false };

/** By the name of the target. */
const asked: Readonly<Record<string, Asking>> = {
  plain: { method: 'password' },
  interactive: { method: 'keyboard-interactive', rounds: [[prompt]] },
  twice: { method: 'keyboard-interactive', rounds: [[prompt], [{ prompt: 'Code: ', echo: false }]] },
  both: { method: 'keyboard-interactive', rounds: [[prompt, { prompt: 'Code: ', echo: false }]] },
  shown: { method: 'keyboard-interactive', rounds: [[{ prompt: 'Name: ', echo: true }]] },
};
const servers = new Map<string, PasswordServer>();
let aws: FakeAws;
let client: EC2InstanceConnectClient;
let stack: Stack;

beforeAll(async () => {
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  writeFileSync(keyFile, formatPrivateKey(targetKey, 'gateway'), { mode: 0o600 });
  writeFileSync(authorizedKeys, `${formatPublicKeyLine(targetKey.publicKey)}\n`);
  for (const [name, asking] of Object.entries(asked))
    servers.set(name, await startPasswordServer(password, asking));
  servers.set('changed', await startPasswordServer(password, { method: 'password' }));
  aws = await startFakeAws({ services: [instanceConnect] });
  client = new EC2InstanceConnectClient(clientOptions(aws.endpoint));
  const other = formatPublicKeyLine(generatePrivateKey('ed25519').publicKey);
  stack = await startStack({
    sshdConfiguration: ['Match all', `AuthorizedKeysFile ${authorizedKeys}`],
    targets: [...servers]
      .map(
        ([name, { port, hostKeyLine }]) => `  - name: ${name}
    host: 127.0.0.1
    port: ${port}
    hostKeys: [${JSON.stringify(name === 'changed' ? other : hostKeyLine)}]
    credential: { passwordFile: ${passwordFile} }`,
      )
      .join('\n'),
    extraTargets: ({ target }) => [
      {
        ...target,
        name: 'instance-1',
        instance: { id: instanceId, dial: 'direct', auth: 'instance-connect' },
      },
      {
        ...target,
        name: 'gone-1',
        instance: { id: 'i-0fedcba9876543210', dial: 'direct', auth: 'instance-connect' },
      },
      { ...target, name: 'by-key' },
    ],
    parts,
  });
});

afterAll(async () => {
  await stack.close();
  client.destroy();
  await aws.close();
  for (const server of servers.values()) await server.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** What a gateway on AWS has beside, with the agent of EC2 Instance Connect on the instance. */
function parts(made: GatewayParts): GatewayParts {
  const inventory: Inventory = {
    ...made.inventory,
    missing: (name) => (name === 'left-1' ? 'it was the instance i-0aaaaaaaaaaaaaaaa' : undefined),
  };
  return {
    ...made,
    inventory,
    targetCredential: (target) =>
      target.name === 'by-key'
        ? { kind: 'key', read: async () => targetKey }
        : made.targetCredential?.(target),
    reach: {
      open: () => Promise.reject(new Error('not dialled in this test')),
      async pushKey(id, login, publicKeyLine) {
        await pushInstanceConnectKey({ client, instanceId: id, login, publicKeyLine });
        writeFileSync(authorizedKeys, `${publicKeyLine}\n`, { flag: 'a' });
      },
    },
  };
}

function loginTo(name: string) {
  return stack.ssh(['echo in'], { destination: stack.destination(name) });
}

async function methodOf(name: string): Promise<unknown> {
  const [row] = await stack.eventually(
    `SELECT request FROM events WHERE event_name = 'AuthenticateTarget' AND target_name = '${name}'`,
  );
  return JSON.parse(String(row?.['request'])).targetAuthMethod;
}

describe('a target that takes a password', () => {
  test.each(['plain', 'interactive'])('lets in: %s', async (name) => {
    const finished = await loginTo(name);

    expect(finished.stderr).toBe('');
    expect(finished.stdout.toString()).toBe('in\n');
    expect(servers.get(name)?.told).toEqual([password]);
    expect(await methodOf(name)).toBe('password');
  });

  test.each([
    ['twice', [password]],
    ['both', []],
    ['shown', []],
  ])('is told the password once, and in answer to nothing else: %s', async (name, told) => {
    const finished = await loginTo(name);

    expect(finished.code).toBe(255);
    expect(finished.stderr).toContain('it must take the configured password');
    expect(servers.get(name)?.told).toEqual(told);
  });

  test('is told nothing where it shows another host key, and both keys are named', async () => {
    const finished = await loginTo('changed');

    expect(finished.code).toBe(255);
    expect(finished.stderr).toMatch(
      /changed shows a host key that is not the one on record: expected SHA256:\S+, got SHA256:\S+ \(ssh-ed25519\); do not work around it/,
    );
    expect(servers.get('changed')?.told).toEqual([]);
    const [event] = await stack.eventually(
      "SELECT error_code, request, response FROM events WHERE event_name = 'VerifyHostKey' AND target_name = 'changed'",
    );
    const { expectedFingerprints } = JSON.parse(String(event?.['request']));
    const { hostKeyFingerprint } = JSON.parse(String(event?.['response']));
    expect(event?.['error_code']).toBe('HostKeyMismatch');
    expect(finished.stderr).toContain(`expected ${expectedFingerprints}, got ${hostKeyFingerprint}`);
  });

  test('has a wrong one refused after one try, and a new one counts at once', async () => {
    const plain = servers.get('plain');
    const before = plain?.told.length ?? 0;
    writeFileSync(passwordFile, 'wrong\n');

    const refused = await loginTo('plain');
    writeFileSync(passwordFile, `${password}\n`);
    const accepted = await loginTo('plain');

    expect(refused.stderr).toMatch(/plain does not let \S+ in \(.*\); it must take the configured password/);
    expect(accepted.stdout.toString()).toBe('in\n');
    expect(plain?.told.slice(before)).toEqual(['wrong', password]);
  });

  test.each([
    ['that others can read', () => writeFileSync(passwordFile, `${password}\n`), 0o644],
    ['that is none', () => writeFileSync(passwordFile, 'a\nb\n'), 0o600],
  ])('is not reached with a file %s, which only the operator is told', async (_name, write, mode) => {
    write();
    chmodSync(passwordFile, mode);

    const finished = await loginTo('plain');
    chmodSync(passwordFile, 0o600);
    writeFileSync(passwordFile, `${password}\n`);

    expect(finished.stderr).toContain(
      'the gateway cannot read what logs it in to plain; tell whoever runs sshtrail',
    );
    expect(finished.stderr).not.toContain(passwordFile);
    expect(stack.reports.at(-1)).toContain(`the credential for plain cannot be read: ${passwordFile}`);
  });

  test('leaves the password in no file of the gateway', () => {
    const withPassword = filesBelow(stack.data.root).filter((file) => readFileSync(file).includes(password));

    expect(withPassword).toEqual([]);
    expect(stack.reports.join('\n')).not.toContain(password);
  });
});

describe('a target that takes keys alone', () => {
  test('lets in with the configured one', async () => {
    const finished = await loginTo('by-key');

    expect(finished.stdout.toString()).toBe('in\n');
    expect(await methodOf('by-key')).toBe('publickey');
  });

  test('lets in with a key that EC2 Instance Connect was given for this session alone', async () => {
    const first = await loginTo('instance-1');
    const second = await loginTo('instance-1');

    expect([first.stdout.toString(), second.stdout.toString()]).toEqual(['in\n', 'in\n']);
    expect(instanceConnect.pushed).toHaveLength(2);
    expect(new Set(instanceConnect.pushed.map(({ publicKeyLine }) => publicKeyLine)).size).toBe(2);
    expect(instanceConnect.pushed[0]).toMatchObject({ instanceId, login: stack.login });
    expect(await methodOf('instance-1')).toBe('instance-connect');
  });

  test('is refused with the reason of EC2 Instance Connect', async () => {
    const finished = await loginTo('gone-1');

    expect(finished.code).toBe(255);
    expect(finished.stderr).toContain(
      'EC2 Instance Connect does not take a key for gone-1: there is no such instance in this region and account',
    );
  });
});

test('a target that has gone is refused with what is known of it', async () => {
  const finished = await loginTo('left-1');

  expect(finished.stderr).toContain('there is no target left-1 now: it was the instance i-0aaaaaaaaaaaaaaaa');
  const [event] = await stack.eventually(
    "SELECT deny_reason FROM events WHERE event_name = 'DenyAccess' AND target_name = 'left-1'",
  );
  expect(event).toEqual({ deny_reason: 'target-gone' });
});

function filesBelow(path: string): readonly string[] {
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .map((name) => join(path, name))
    .filter((file) => statSync(file).isFile());
}
