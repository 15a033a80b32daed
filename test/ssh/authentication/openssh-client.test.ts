import { chmodSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type {
  KeyboardInteractiveStep,
  MethodVerdict,
  OfferedKey,
} from '../../../ssh/authentication/index.ts';
import { verifyCertificate } from '../../../ssh/certificate/index.ts';
import { parsePublicKeyLine } from '../../../ssh/keys/index.ts';
import { type CommandServer, startCommandServer } from '../../support/command-server.ts';
import { type Finished, type RunOptions, run } from '../../support/run.ts';
import { keygenDirectory, keygenTypes } from '../keys/ssh-keygen.ts';
import {
  authenticationOptions,
  type ScriptedAuthenticator,
  scriptedAuthenticator,
} from './scripted-authenticator.ts';

const keys = keygenDirectory();

/** Keys known to the server by fingerprint, and certificates of the CA `ca`. */
function accepts(offered: OfferedKey): boolean {
  if (offered.kind === 'key')
    return keygenTypes.some(
      ({ type }) =>
        parsePublicKeyLine(keys.read(`${type}.pub`)).publicKey.fingerprint === offered.publicKey.fingerprint,
    );
  return verifyCertificate(offered.certificate, {
    kind: 'user',
    authorities: [parsePublicKeyLine(keys.read('ca.pub')).publicKey],
    principal: 'alice',
    sourceAddress: '127.0.0.1',
    nowSeconds: Math.floor(Date.now() / 1000),
  }).ok;
}

beforeAll(() => {
  keys.run(['-q', '-t', 'ed25519', '-N', '', '-f', 'ca']);
  keys.run(['-q', '-t', 'ed25519', '-N', '', '-f', 'stranger']);
  for (const { type, args } of keygenTypes) {
    keys.run(['-q', ...args, '-N', '', '-f', type]);
    keys.run(['-q', ...args, '-N', '', '-f', `certified-${type}`]);
    keys.run([
      '-q',
      '-s',
      'ca',
      '-I',
      'alice@example.com',
      '-n',
      'alice',
      '-V',
      '+5m',
      `certified-${type}.pub`,
    ]);
  }
  keys.run(['-q', '-t', 'ed25519', '-N', '', '-f', 'other-principal']);
  keys.run(['-q', '-s', 'ca', '-I', 'x', '-n', 'carol', '-V', '+5m', 'other-principal.pub']);
  writeFileSync(keys.path('askpass'), '#!/bin/sh\necho "$TEST_CODE"\n');
  chmodSync(keys.path('askpass'), 0o755);
}, 60_000);

function ssh(
  server: CommandServer,
  args: readonly string[],
  options: RunOptions & { readonly code?: string } = {},
): Promise<Finished> {
  keys.write('known_hosts', `${server.knownHostsLine}\n`);
  const { code, ...rest } = options;
  return run(
    'ssh',
    [
      '-F/dev/null',
      `-p${server.port}`,
      '-lalice@web-1',
      '-oStrictHostKeyChecking=yes',
      `-oUserKnownHostsFile=${keys.path('known_hosts')}`,
      '-oGlobalKnownHostsFile=/dev/null',
      '-oIdentitiesOnly=yes',
      '-oIdentityAgent=none',
      `-oBatchMode=${code === undefined ? 'yes' : 'no'}`,
      '-oNumberOfPasswordPrompts=1',
      ...args.slice(0, -1),
      '127.0.0.1',
      args.at(-1) ?? 'true',
    ],
    {
      ...rest,
      env: {
        SSH_ASKPASS: keys.path('askpass'),
        SSH_ASKPASS_REQUIRE: 'force',
        TEST_CODE: code ?? '',
        ...rest.env,
      },
    },
  );
}

const identity = (name: string): string[] => ['-i', keys.path(name)];

describe('the OpenSSH client at our server', () => {
  let authenticator: ScriptedAuthenticator;
  let server: CommandServer;

  beforeAll(async () => {
    authenticator = scriptedAuthenticator({ accepts });
    server = await startCommandServer(
      authenticationOptions(authenticator, { banner: 'Sessions are recorded.' }),
    );
  });

  afterAll(() => server.close());

  it.each(keygenTypes.map(({ type }) => type))('gets in with a %s key and runs a command', async (type) => {
    const finished = await ssh(server, [...identity(type), 'echo out; echo err >&2; exit 7']);

    expect(finished.stdout.toString()).toBe('out\n');
    expect(finished.stderr).toContain('err\n');
    expect(finished.stderr).toContain('Sessions are recorded.');
    expect(finished.code).toBe(7);
    expect(authenticator.proven.at(-1)).toMatchObject({
      user: 'alice@web-1',
      key: { offered: { kind: 'key', publicKey: { type } } },
    });
  });

  it.each(keygenTypes.map(({ type }) => type))('gets in with a certificate for a %s key', async (type) => {
    const finished = await ssh(server, [...identity(`certified-${type}`), 'true']);

    expect(finished.code).toBe(0);
    expect(authenticator.proven.at(-1)).toMatchObject({
      key: { offered: { kind: 'certificate', certificate: { keyId: 'alice@example.com' } } },
    });
  });

  it.each(['rsa-sha2-256', 'rsa-sha2-512'])('gets in where it signs with %s alone', async (algorithm) => {
    const finished = await ssh(server, [
      ...identity('ssh-rsa'),
      '-o',
      `PubkeyAcceptedAlgorithms=${algorithm}`,
      'true',
    ]);

    expect(finished.code).toBe(0);
    expect(authenticator.proven.at(-1)?.key.signatureAlgorithm).toBe(algorithm);
  });

  it.each(['stranger', 'other-principal'])('stays out with the key %s', async (name) => {
    const proofs = authenticator.proven.length;

    const finished = await ssh(server, [...identity(name), 'true']);

    expect(finished.code).toBe(255);
    expect(finished.stderr).toContain('Permission denied (publickey,keyboard-interactive)');
    expect(authenticator.proven).toHaveLength(proofs);
  });

  it('finds the right key among many that are wrong', async () => {
    const many = Array.from({ length: 12 }, (_, index) => `wrong-${index}`);
    for (const name of many) keys.run(['-q', '-t', 'ed25519', '-N', '', '-f', name]);

    const finished = await ssh(server, [...many.flatMap(identity), ...identity('ssh-ed25519'), 'true']);

    expect(finished.code).toBe(0);
  });

  it('carries 16 MiB each way through a command, byte for byte', async () => {
    const input = Buffer.alloc(16 * 1024 * 1024, 'abcdefghijklmnopqrstuvwxyz0123456789');
    // The inner pipes give tee a stderr it can open.
    const command = '{ { tee /dev/stderr | cat >&3; } 2>&1 | cat >&2; } 3>&1';

    const finished = await ssh(server, [...identity('ssh-ed25519'), command], { stdin: input });

    expect(finished.stdout.equals(input)).toBe(true);
    expect(finished.stderr.endsWith(input.toString())).toBe(true);
    expect(finished.code).toBe(0);
  });

  it('learns of a signal that ended the command', async () => {
    const finished = await ssh(server, [...identity('ssh-ed25519'), 'kill -TERM $$']);

    expect(finished.code).toBe(255);
  });

  it('forwards a connection with a half-close (-W)', async () => {
    const finished = await ssh(server, [...identity('ssh-ed25519'), '-W', 'echo.example.com:7', ''], {
      stdin: 'there and back',
    });

    expect(finished.stdout.toString()).toBe('there and back');
  });
});

describe('the OpenSSH client with a second factor', () => {
  const question: KeyboardInteractiveStep = {
    kind: 'ask',
    request: { name: '', instruction: '', prompts: [{ text: 'One-time code: ', echo: false }] },
  };

  async function serverAsking(proven: MethodVerdict): Promise<CommandServer> {
    return startCommandServer(
      authenticationOptions(
        scriptedAuthenticator({
          accepts,
          proven: () => proven,
          start: () => question,
          continue: ([code]) => ({
            kind: 'done',
            verdict: { kind: code === '246810' ? 'success' : 'failure' },
          }),
        }),
      ),
    );
  }

  it('is asked for it after the key, and gets in with the right code alone', async () => {
    const server = await serverAsking({ kind: 'partial', continueWith: ['keyboard-interactive'] });

    const right = await ssh(server, [...identity('ssh-ed25519'), 'echo in'], { code: '246810' });
    const wrong = await ssh(server, [...identity('ssh-ed25519'), 'echo in'], { code: '000000' });
    const none = await ssh(server, [...identity('ssh-ed25519'), 'echo in']);
    await server.close();

    expect(right.stdout.toString()).toBe('in\n');
    expect([wrong.code, none.code]).toEqual([255, 255]);
    expect(wrong.stderr).toContain('Permission denied (keyboard-interactive)');
  });

  it('can answer without a key where that is offered', async () => {
    const server = await serverAsking({ kind: 'failure' });

    const finished = await ssh(server, ['-o', 'PubkeyAuthentication=no', 'echo in'], { code: '246810' });
    await server.close();

    expect(finished.stdout.toString()).toBe('in\n');
  });

  it('is told why where the login is cut off between proof and success', async () => {
    const server = await startCommandServer(authenticationOptions(scriptedAuthenticator({ accepts })), {
      beforeAccept: async (user) => {
        user.banner('web-1 does not answer');
        server.transports.at(-1)?.disconnect(11, 'target: connection refused');
      },
    });

    const finished = await ssh(server, [...identity('ssh-ed25519'), 'true']);
    await server.close();

    expect(finished.code).toBe(255);
    expect(finished.stderr).toContain('web-1 does not answer');
    expect(finished.stderr).toContain('target: connection refused');
  });
});
