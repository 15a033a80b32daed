import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newTotpSecret, totpCode } from '#core/totp';
import { formatPrivateKey, formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { run } from '../support/run.ts';
import { type Stack, startStack } from '../support/stack.ts';

const folder = mkdtempSync(join(tmpdir(), 'sshtrail-access-'));
const secret = newTotpSecret((size) => Buffer.alloc(size, 7));
const aliceKey = generatePrivateKey('ed25519');
const aliceFile = join(folder, 'id_alice');
const authorityFile = join(folder, 'user_ca');
const askpass = join(folder, 'askpass');
let stack: Stack;

const policy = `
@id("all") permit (principal in Group::"engineers", action, resource);
@id("second-factor") forbid (principal, action, resource in HostGroup::"env=production") unless { context.mfa };
@id("no-reboot") @advice("ask the owner") forbid (principal, action == Action::"exec", resource)
  when { context has program && context.program == "reboot" };
@id("no-upload") forbid (principal, action == Action::"upload", resource in HostGroup::"env=readonly");
`;

beforeAll(async () => {
  writeFileSync(aliceFile, formatPrivateKey(aliceKey, 'alice'), { mode: 0o600 });
  writeFileSync(askpass, '#!/bin/sh\nprintf "%s\\n" "$CODE"\n');
  chmodSync(askpass, 0o700);
  await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', authorityFile]);
  const authority = (await run('cat', [`${authorityFile}.pub`])).stdout.toString().trim();
  stack = await startStack({
    policy,
    gatewayConfiguration: ['mfaGraceSeconds: 0'],
    identities: [
      '  - name: alice',
      '    groups: [engineers]',
      `    keys: [${JSON.stringify(formatPublicKeyLine(aliceKey.publicKey))}]`,
      `    totp: { secret: ${secret} }`,
      '  - name: carol',
      '    groups: [engineers]',
    ].join('\n'),
    configuration: `trustedUserAuthorities: [${JSON.stringify(authority)}]`,
    extraTargets: ({ target: web }) => [
      { ...web, name: 'prod-1', labels: { env: 'production' } },
      { ...web, name: 'readonly-1', labels: { env: 'readonly' } },
      {
        ...web,
        name: 'changed-1',
        hostTrust: { kind: 'pinned', keys: [formatPublicKeyLine(generatePrivateKey('ed25519').publicKey)] },
      },
      { ...web, name: 'gone-1', port: 1 },
      { ...web, name: 'narrow-1', logins: ['deploy'] },
    ],
  });
});

afterAll(async () => {
  await stack.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a second factor', () => {
  const asAlice = (code: string, target: string) =>
    run('ssh', [...optionsAs(aliceFile), stack.destination(target), 'echo in'], {
      env: { SSH_ASKPASS: askpass, SSH_ASKPASS_REQUIRE: 'force', CODE: code },
    });

  test('lets in with the right code, once, and not with a wrong one', async () => {
    const code = totpCode(secret, Date.now());
    const wrong = code === '000000' ? '000001' : '000000';

    const refused = await asAlice(wrong, 'prod-1');
    const accepted = await asAlice(code, 'prod-1');
    const reused = await asAlice(code, 'prod-1');

    expect([refused.code, accepted.code, reused.code]).toEqual([255, 0, 255]);
    expect(accepted.stdout.toString()).toBe('in\n');
    const failures = await stack.eventually(
      "SELECT deny_reason FROM events WHERE event_name = 'ChallengeMfa' AND error_code = 'MfaFailed' ORDER BY event_time",
    );
    expect(new Set(failures.map((row) => row['deny_reason']))).toEqual(new Set(['wrong', 'reused']));
    const sessions = await stack.query(
      "SELECT mfa, mfa_method FROM events WHERE event_name = 'StartSession' AND target_name = 'prod-1'",
    );
    expect(sessions).toEqual([{ mfa: true, mfa_method: 'totp' }]);
  });

  test('is asked for by name where policy wants one and the identity has none', async () => {
    const finished = await stack.ssh(['true'], { destination: stack.destination('prod-1') });

    expect(finished.code).toBe(255);
    expect(finished.stderr).toMatch(/needs a second factor; .* \(session s-[0-9a-f]{32}\)/);
  });
});

describe('a certificate of a trusted authority', () => {
  const asCertified = async (...keygen: string[]) => {
    const file = join(folder, `id_${keygen.join('').replaceAll(/\W/g, '')}`);
    await run('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-f', file]);
    const signed = await run('ssh-keygen', [
      '-q',
      '-s',
      authorityFile,
      '-I',
      'test',
      ...keygen,
      `${file}.pub`,
    ]);
    expect(signed.code, signed.stderr).toBe(0);
    return run('ssh', [
      ...optionsAs(file),
      '-o',
      `CertificateFile=${file}-cert.pub`,
      stack.destination(),
      'echo certified',
    ]);
  };

  test('identifies whom its principal names', async () => {
    const finished = await asCertified('-n', 'carol');

    const [session] = await stack.eventually(
      "SELECT user_name, auth_method FROM events WHERE event_name = 'StartSession' AND auth_method = 'certificate'",
    );
    expect(finished.stdout.toString()).toBe('certified\n');
    expect(session).toEqual({ user_name: 'carol', auth_method: 'certificate' });
  });

  test.each([
    ['fail/principal nobody has', ['-n', 'mallory']],
    ['fail/expired', ['-n', 'carol', '-V', '-2h:-1h']],
    ['fail/another source address', ['-n', 'carol', '-O', 'source-address=192.0.2.0/24']],
    ['fail/host certificate', ['-h', '-n', 'carol']],
  ])('%s', async (_name, keygen) => {
    const finished = await asCertified(...keygen);

    expect(finished.stdout.toString()).toBe('');
    expect(finished.code).toBe(255);
  });

  test('carries its force-command to the target', async () => {
    const finished = await asCertified('-n', 'carol', '-O', 'force-command=echo forced');

    expect(finished.stdout.toString()).toBe('forced\n');
  });
});

describe('a refusal', () => {
  test('of a command is a sentence on standard error and exit status 126', async () => {
    const finished = await stack.ssh(['reboot now']);

    expect(finished.code).toBe(126);
    expect(finished.stderr).toMatch(
      /^sshtrail: policy "no-reboot" forbids .*; ask the owner \(session s-[0-9a-f]{32}\)\r?\n$/,
    );
    const [event] = await stack.eventually(
      "SELECT command, error_code FROM events WHERE command = 'reboot now'",
    );
    expect(event).toEqual({ command: 'reboot now', error_code: 'AccessDenied' });
  });

  test('of an upload reaches scp, in both of its protocols', async () => {
    for (const flags of [[], ['-O']]) {
      const finished = await run('scp', [
        ...stack.sshOptions,
        ...flags,
        aliceFile,
        `${stack.destination('readonly-1')}:${folder}/up`,
      ]);

      expect(finished.code).not.toBe(0);
      expect(finished.stderr).toContain('no-upload');
    }
  });

  test.each([
    ['changed-1', 'host key', 'HostKeyMismatch'],
    ['gone-1', 'does not answer', 'TargetUnreachable'],
    ['narrow-1', 'it has deploy', 'AccessDenied'],
    ['nowhere-1', 'there is no target', 'AccessDenied'],
  ])('of %s says why at login and is an event', async (target, sentence, errorCode) => {
    const finished = await stack.ssh(['true'], { destination: stack.destination(target) });

    expect(finished.code).toBe(255);
    expect(finished.stderr).toContain(sentence);
    expect(finished.stderr).toMatch(/session s-[0-9a-f]{32}/);
    const events = await stack.eventually(
      `SELECT error_code FROM events WHERE target_name = '${target}' AND error_code IS NOT NULL`,
    );
    expect(events[0]?.['error_code']).toBe(errorCode);
  });

  test('of a login without a target says how to name one', async () => {
    const finished = await stack.ssh(['true'], { destination: `${stack.login}@127.0.0.1` });

    expect(finished.stderr).toContain('ssh LOGIN@TARGET@GATEWAY');
  });

  test('of an unknown key is one event, however many keys were offered', async () => {
    const file = join(folder, 'id_stranger');
    await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file]);

    const finished = await run('ssh', [...optionsAs(file), stack.destination(), 'true']);

    expect(finished.code).toBe(255);
    const events = await stack.eventually(
      "SELECT user_name, error_code FROM events WHERE event_name = 'AuthenticateUser' AND error_code = 'AuthenticationFailed'",
    );
    expect(events.length).toBeGreaterThan(0);
  });
});

describe('a revocation', () => {
  test('ends the session at once, tells the engineer why, and is on record with its author', async () => {
    const child: ChildProcess = spawn(
      'ssh',
      [...stack.sshOptions, stack.destination(), 'echo open; sleep 60'],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const output: string[] = [];
    child.stdout?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    child.stderr?.on('data', (chunk: Buffer) => output.push(chunk.toString()));
    const closed = new Promise((resolve) => child.once('close', resolve));
    await expect.poll(() => output.join(''), { timeout: 10_000 }).toContain('open');
    const [live] = await stack.running.control.list('session');
    const sessionId = live?.id ?? '';
    expect(live?.data.targetFacts).toMatchObject({ host: '127.0.0.1', labels: expect.any(Object) });

    await stack.running.control.put(
      'revocation',
      sessionId,
      { sessionId, by: 'operator', message: 'the change window is over', atMs: Date.now() },
      { kind: 'any' },
    );
    await closed;

    expect(output.join('')).toContain('the change window is over');
    await stack.eventually(
      `SELECT 1 FROM events WHERE session_id = '${sessionId}' AND event_name = 'EndSession'`,
    );
    const events = await stack.eventually(
      `SELECT event_name, user_name FROM events WHERE session_id = '${sessionId}' AND event_name IN ('RevokeSession', 'EndSession') ORDER BY chain_seq`,
    );
    expect(events.map((row) => row['event_name'])).toEqual(['RevokeSession', 'EndSession']);
    expect(events[0]?.['user_name']).toBe('operator');
  });
});

/** The stack's options with the key of somebody else. */
function optionsAs(file: string): readonly string[] {
  return stack.sshOptions.map((option) =>
    option.startsWith('IdentityFile=') ? `IdentityFile=${file}` : option,
  );
}
