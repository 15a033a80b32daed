import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { apiRoutes } from '#core/contract';
import { totpCode } from '#core/totp';
import {
  formatPublicKeyLine,
  generatePrivateKey,
  parseCertificateLine,
  parsePrivateKey,
  privateKeyAsRemoteSigner,
} from '#ssh';
import { issueCertificate } from '../../lambdas/issue-certificate/issue-certificate.ts';
import { fakeJournal } from '../core/runbook/fakes.ts';
import { type FakeCaller, startFakeApi } from '../fakes/aws/api-gateway.ts';
import { forgeCertificate } from '../hostile/identity/forged-certificate.ts';
import { callers, resourcePolicy } from '../lambdas/api-callers.ts';
import { sshtrail, sshtrailInTerminal } from '../support/command-line.ts';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let stack: Stack;
let secret: string;
let recoveryCode: string;

beforeAll(async () => {
  const keyLine = JSON.stringify(formatPublicKeyLine(generatePrivateKey('ed25519').publicKey));
  stack = await startStack({
    identities: [
      `  - { name: bob, groups: [engineers], keys: [${keyLine}] }`,
      `  - { name: deployer, type: service, keys: [${JSON.stringify(formatPublicKeyLine(generatePrivateKey('ed25519').publicKey))}], sources: [192.0.2.1] }`,
    ].join('\n'),
    configuration: 'engineerAuthority: { keyFile: keys/engineer-ca.pem, validForSeconds: 3600 }',
  });
  const { stdout } = await sshtrail([
    'totp',
    'enroll',
    'bob',
    '--no-confirm',
    '--json',
    '--data',
    stack.data.root,
  ]);
  ({
    secret,
    recoveryCodes: [recoveryCode = ''],
  } = JSON.parse(stdout.toString()));
});

afterAll(async () => {
  await stack?.close();
});

async function login(folder: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { port } = stack.running.gateway.address;
  // The AWS SDK looks for credentials in the environment of the process.
  for (const [name, value] of Object.entries(env)) vi.stubEnv(name, value);
  onTestFinished(() => void vi.unstubAllEnvs());
  const finished = await sshtrail(
    ['login', ...args, '--folder', folder, '--host', `127.0.0.1:${port}`, '--data', stack.data.root],
    { env: { SSH_AUTH_SOCK: '', SSHTRAIL_API: '', ...env } },
  );
  return { code: finished.code, stdout: finished.stdout.toString(), stderr: finished.stderr };
}

const certificateIn = (folder: string) =>
  parseCertificateLine(readFileSync(join(folder, 'id_ed25519-cert.pub'), 'utf8').trimEnd()).certificate;

const ssh = (folder: string, env: Readonly<Record<string, string>> = {}) =>
  run(
    'ssh',
    ['-F', join(folder, 'ssh_config'), '-o', 'BatchMode=yes', `${stack.login}@web-1@gateway`, 'echo in'],
    { env },
  );

describe('sshtrail login on one machine', () => {
  test('writes what the stock client logs in by, with nothing that others can read', async () => {
    const folder = join(temporaryFolder(), 'with blank');

    const { code, stdout, stderr } = await login(folder, ['engineer', '--file', '--json']);
    const finished = await ssh(folder);

    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ identity: 'engineer', mfa: false, renewed: true });
    expect(stderr).toContain('could issue a certificate for any identity');
    expect(finished.stdout.toString(), finished.stderr).toBe('in\n');
    for (const name of readdirSync(folder)) expect(statSync(join(folder, name)).mode & 0o077).toBe(0);
    const certificate = certificateIn(folder);
    expect(certificate.principals).toEqual(['engineer']);
    expect(Number(certificate.validBefore - certificate.validAfter)).toBe(3600 + 30);
    const [issued] = await stack.eventually(
      "SELECT request, json_extract_string(response, '$.serial') AS serial FROM events WHERE event_name = 'IssueCertificate' AND request LIKE '%engineer%'",
    );
    expect(issued?.['serial']).toBe(String(certificate.serial));
  });

  test('asks for the code of who has a second factor, and the session has it with its age', async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o700);
    const without = await login(folder, ['bob', '--file']);
    const wrong = await login(folder, ['bob', '--file', '--code', 'abcdef']);
    const right = await login(folder, ['bob', '--file', '--code', totpCode(secret, Date.now())]);
    const finished = await ssh(folder);

    expect([without.code, wrong.code, right.code], right.stderr).toEqual([1, 1, 0]);
    expect(without.stderr).toContain('--code');
    expect(wrong.stderr).toContain('the code was refused (malformed)');
    expect(right.stdout).toContain('with a second factor');
    expect(finished.stdout.toString(), finished.stderr).toBe('in\n');
    const [session] = await stack.eventually(
      "SELECT mfa, mfa_method FROM events WHERE event_name = 'StartSession' AND user_name = 'bob'",
    );
    expect(session).toEqual({ mfa: true, mfa_method: 'totp' });
    const refused = await stack.query(
      "SELECT deny_reason FROM events WHERE event_name = 'IssueCertificate' AND error_code = 'MfaFailed'",
    );
    expect(refused).toEqual([{ deny_reason: 'malformed' }]);
  });

  test('asks at a terminal without showing what is typed, and gives nothing where nothing is typed', async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o700);
    const typed = (keys: string) =>
      sshtrailInTerminal(
        ['login', 'bob', '--file', '--folder', folder, '--data', stack.data.root],
        [{ prompt: 'Verification code of bob: ', keys }],
        { SSHTRAIL_API: '' },
      );

    for (const key of ['\u0003', '\u0004']) {
      const { code, shown } = await typed(key);
      expect(code).toBe(1);
      expect(shown).toMatch(/\nsshtrail: no code was given; --code CODE gives one without a question\r\n$/);
    }
    expect(existsSync(join(folder, 'id_ed25519'))).toBe(false);
    const { code, shown } = await typed(`${recoveryCode}\r`);
    expect(code, shown).toBe(0);
    expect(shown).toContain('bob can log in until');
    expect(shown).not.toContain(recoveryCode.slice(0, 4));
  });

  test('renews without a word and without a code, but not before half the life is over, and the factor grows no younger', async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o700);
    const authority = parsePrivateKey(readFileSync(stack.data.engineerAuthorityKey, 'utf8'));
    const provedAt = String(Date.now() - 7_200_000);
    const key = generatePrivateKey('ed25519');
    const write = (validFrom: number) => {
      const blob = forgeCertificate(key.publicKey, {
        signedBy: authority,
        principals: ['bob'],
        validFrom,
        validFor: 1000,
        extensions: { 'mfa-method@sshtrail': 'totp', 'proved-at@sshtrail': provedAt },
      });
      const line = `ssh-ed25519-cert-v01@openssh.com ${blob.toString('base64')}\n`;
      writeFileSync(join(folder, 'id_ed25519-cert.pub'), line);
      writeFileSync(join(folder, 'id_ed25519'), 'the key');
    };

    write(-400);
    const early = await login(folder, ['bob', '--file', '--renew']);
    const kept = readFileSync(join(folder, 'id_ed25519'), 'utf8');
    write(-600);
    const late = await login(folder, ['bob', '--file', '--renew']);

    for (const outcome of [early, late]) expect(outcome).toEqual({ code: 0, stdout: '', stderr: '' });
    expect(kept).toBe('the key');
    const renewed = certificateIn(folder);
    expect(renewed.publicKey.blob.equals(key.publicKey.blob)).toBe(false);
    expect(renewed.extensions.get('proved-at@sshtrail')).toBe(provedAt);
  });

  test('does not renew on the word of a certificate that is over, or another’s', async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o700);
    const authority = parsePrivateKey(readFileSync(stack.data.engineerAuthorityKey, 'utf8'));
    const extensions = { 'mfa-method@sshtrail': 'totp', 'proved-at@sshtrail': String(Date.now()) };
    for (const [signedBy, validFrom] of [
      [authority, -7200],
      [generatePrivateKey('ed25519'), -600],
    ] as const) {
      const blob = forgeCertificate(generatePrivateKey('ed25519').publicKey, {
        signedBy,
        principals: ['bob'],
        validFrom,
        validFor: 1000,
        extensions,
      });
      writeFileSync(
        join(folder, 'id_ed25519-cert.pub'),
        `ssh-ed25519-cert-v01@openssh.com ${blob.toString('base64')}\n`,
      );

      expect((await login(folder, ['bob', '--file', '--renew'])).stderr).toContain('a code is needed');
    }
  });

  test('gives the key to the agent alone, and takes the one before away again', async () => {
    const folder = temporaryFolder();
    chmodSync(folder, 0o700);
    const agent = await stack.startAgent();
    onTestFinished(() => agent.stop());
    const env = { SSH_AUTH_SOCK: agent.socket };
    const listed = async () => (await run('ssh-add', ['-l'], { env })).stdout.toString().trim().split('\n');
    const before = (await listed()).length;

    const first = await login(folder, ['engineer', '--agent'], env);
    const second = await login(folder, ['engineer'], env);
    const finished = await ssh(folder, env);
    const young = await login(folder, ['engineer', '--renew', '--json'], env);
    await run('ssh-add', ['-q', '-D'], { env });
    const forgotten = await login(folder, ['engineer', '--renew', '--json'], env);

    expect([first.code, second.code], first.stderr + second.stderr).toEqual([0, 0]);
    expect(await listed()).toHaveLength(1);
    expect(before).toBe(1);
    expect(finished.stdout.toString(), finished.stderr).toBe('in\n');
    expect(readdirSync(folder).toSorted()).toEqual(['id_ed25519-cert.pub', 'known_hosts', 'ssh_config']);
    expect([JSON.parse(young.stdout).renewed, JSON.parse(forgotten.stdout).renewed]).toEqual([false, true]);
  });

  test.each([
    [['nobody', '--file'], 'there is no identity'],
    [['deployer', '--file'], 'is a service'],
    [['engineer', '--agent'], 'there is no ssh-agent'],
    [['engineer', '--agent', '--file'], 'choose --agent or --file'],
    [['engineer', '--file', '--name', '-x'], 'the name of a Host block'],
  ])('refuses %j', async (args, message) => {
    const refused = await login(join(temporaryFolder(), 'new'), args);

    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(message);
  });

  test('does not write through links, nor into a folder of others', async () => {
    const folder = temporaryFolder();
    const elsewhere = join(temporaryFolder(), 'victim');
    writeFileSync(elsewhere, 'untouched');
    chmodSync(folder, 0o700);
    symlinkSync(elsewhere, join(folder, 'id_ed25519'));
    const open = join(temporaryFolder(), 'open');
    mkdirSync(open);
    chmodSync(open, 0o777);

    expect((await login(folder, ['engineer', '--file'])).code).toBe(0);
    expect((await login(open, ['engineer', '--file'])).stderr).toContain('others can write');

    expect(readFileSync(elsewhere, 'utf8')).toBe('untouched');
    expect(readdirSync(open)).toEqual([]);
  });
});

describe('sshtrail login by the control API', () => {
  async function deployment() {
    const authority = generatePrivateKey('ed25519');
    const handler = (event: APIGatewayProxyEvent) =>
      issueCertificate(event, {
        authority: async () => privateKeyAsRemoteSigner(authority),
        journal: fakeJournal(),
        maxSeconds: 900,
        allowedAccounts: ['123456789012'],
        identityCenterMfaAccounts: [],
        now: Date.now,
        randomBytes,
      });
    const api = await startFakeApi({
      routes: [apiRoutes.certificate, apiRoutes.certificateWithMfa].map((path) => ({
        method: 'POST',
        path,
        handler,
      })),
      resourcePolicy,
      credentials: Object.values(callers),
    });
    onTestFinished(() => api.close());
    return { authority, url: api.url };
  }
  const as = ({ accessKeyId, secretAccessKey, sessionToken }: FakeCaller) => ({
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_REGION: 'eu-central-1',
    AWS_EC2_METADATA_DISABLED: 'true',
    ...(sessionToken === undefined ? {} : { AWS_SESSION_TOKEN: sessionToken }),
  });

  test('turns an IAM identity with MFA into a certificate and an ssh_config', async () => {
    const { url, authority } = await deployment();
    const folder = join(temporaryFolder(), 'aws');

    const { code, stdout, stderr } = await login(
      folder,
      ['--file', '--json', '--api', url],
      as(callers.withMfa),
    );

    expect(code, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ identity: 'Engineer+alice', mfa: true });
    const certificate = certificateIn(folder);
    expect(certificate.signatureKey.blob.equals(authority.publicKey.blob)).toBe(true);
    expect(readFileSync(join(folder, 'ssh_config'), 'utf8')).toContain('HostName 127.0.0.1');
  });

  test('says what to do where IAM refuses for want of MFA, and does without where that is wanted', async () => {
    const { url } = await deployment();
    const folder = join(temporaryFolder(), 'aws');

    const refused = await login(folder, ['--file', '--api', url], as(callers.withoutMfa));
    const without = await login(
      folder,
      ['--file', '--json', '--no-mfa', '--api', url],
      as(callers.withoutMfa),
    );

    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('--no-mfa');
    expect(without.code, without.stderr).toBe(0);
    expect(JSON.parse(without.stdout)).toMatchObject({ mfa: false });
  });

  test('passes on why the function refused', async () => {
    const { url } = await deployment();

    const refused = await login(
      join(temporaryFolder(), 'aws'),
      ['--file', '--api', url],
      as(callers.otherAccount),
    );

    expect(refused.stderr).toContain('account 111122223333 may not ask for certificates here');
  });

  test.each(['http://203.0.113.1/prod', 'nonsense', 'file:///etc/passwd'])(
    'sends nothing to %s',
    async (url) => {
      const refused = await login(
        join(temporaryFolder(), 'aws'),
        ['--file', '--api', url],
        as(callers.withMfa),
      );

      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain('--api is the https address');
    },
  );
});
