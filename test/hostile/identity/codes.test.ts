import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { newRecoveryCodes, newTotpSecret, totpCode } from '#core/totp';
import { formatPublicKeyLine, generatePrivateKey } from '#ssh';
import { type Stack, startStack } from '../../support/stack.ts';
import { attemptLogin } from './login-attempt.ts';

const names = ['alice', 'bob', 'carol'] as const;
const keys = Object.fromEntries(names.map((name) => [name, generatePrivateKey('ed25519')]));
const secrets = Object.fromEntries(names.map((name) => [name, newTotpSecret(randomBytes)]));
const service = generatePrivateKey('ed25519');
const recovery = newRecoveryCodes(randomBytes);
let stack: Stack;

beforeAll(async () => {
  const identities = names.map((name) => {
    const key = keys[name];
    if (key === undefined) throw new Error('no key');
    return `  - name: ${name}\n    groups: [engineers]\n    keys: [${JSON.stringify(formatPublicKeyLine(key.publicKey))}]`;
  });
  stack = await startStack({
    policy: '@id("mfa") permit (principal in Group::"engineers", action, resource) when { context.mfa };',
    identities: [
      ...identities,
      '  - name: deployer\n    type: service\n    groups: [engineers]\n    sources: [192.0.2.0/24]',
      `    keys: [${JSON.stringify(formatPublicKeyLine(service.publicKey))}]`,
    ].join('\n'),
    gatewayConfiguration: ['maxAuthAttempts: 20'],
  });
  for (const name of names)
    await stack.running.control.put(
      'factor',
      name,
      {
        secret: secrets[name] ?? '',
        enrolledAtMs: Date.now(),
        enrolledBy: 'carol',
        salt: recovery.salt,
        recoveryCodes: recovery.hashes,
      },
      { kind: 'absent' },
    );
});

afterAll(async () => {
  await stack?.close();
});

function login(name: (typeof names)[number], code: () => string): Promise<string> {
  const privateKey = keys[name];
  if (privateKey === undefined) throw new Error('no key');
  const { port } = stack.running.gateway.address;
  return attemptLogin({ port, user: `${stack.login}@web-1`, privateKey, respond: () => [code()] });
}

const right = (name: (typeof names)[number]) => totpCode(secrets[name] ?? '', Date.now());

/** Guesses that are none of the codes about now. */
function wrongCode(name: (typeof names)[number], guess: number): string {
  const near = [-2, -1, 0, 1, 2].map((steps) => totpCode(secrets[name] ?? '', Date.now() + steps * 30_000));
  const code = String(guess).padStart(6, '0');
  return near.includes(code) ? String(999_999 - guess).padStart(6, '0') : code;
}

describe('a stolen key', () => {
  test('gets five guesses at the code, over however many connections at once, and then not even the right one', async () => {
    const guesses = Array.from({ length: 30 }, (_guess, index) =>
      login('alice', () => wrongCode('alice', index)),
    );

    expect(new Set(await Promise.all(guesses))).toEqual(new Set(['refused']));
    expect(await login('alice', () => right('alice'))).toBe('refused');

    const reasons = await stack.eventually(
      "SELECT deny_reason, count(*) AS n FROM events WHERE event_name = 'ChallengeMfa' AND error_code = 'MfaFailed' AND user_name = 'alice' GROUP BY 1 ORDER BY 1",
    );
    const counted = new Map(reasons.map((row) => [row['deny_reason'], Number(row['n'])]));
    expect(counted.get('wrong')).toBeLessThanOrEqual(5);
    expect((counted.get('wrong') ?? 0) + (counted.get('locked') ?? 0)).toBe(31);
  });

  test('of one identity does not lock another out', async () => {
    expect(await login('bob', () => right('bob'))).toBe('in');
  });

  test('gets nowhere with a code or a recovery code that was used', async () => {
    const [code = '', other = ''] = recovery.codes;
    expect(await login('carol', () => code)).toBe('in');
    const { proofs } = { proofs: await stack.running.control.list('proof') };
    for (const { id, data } of proofs)
      if (data.identity === 'carol') await stack.running.control.delete('proof', id);

    expect(await login('carol', () => code)).toBe('refused');
    expect(await login('carol', () => `${other.slice(0, -1)}1`)).toBe('refused');
    expect(await login('carol', () => '')).toBe('refused');
    expect(await login('carol', () => '\u0000'.repeat(200))).toBe('refused');
    const used = await stack.eventually(
      "SELECT user_name FROM events WHERE event_name = 'ChallengeMfa' AND json_extract_string(response, '$.recoveryCodesLeft') = '9'",
    );
    expect(used).toEqual([{ user_name: 'carol' }]);
  });
});

test('a service’s key that is used from elsewhere is refused, and the event says whose it is', async () => {
  const { port } = stack.running.gateway.address;
  const user = `${stack.login}@web-1`;

  expect(await attemptLogin({ port, user, privateKey: service, respond: () => ['000000'] })).toBe('refused');

  const [refused] = await stack.eventually(
    "SELECT user_name, error_code, deny_reason FROM events WHERE event_name = 'AuthenticateUser' AND user_name = 'deployer'",
  );
  expect(refused).toEqual({
    user_name: 'deployer',
    error_code: 'AuthenticationFailed',
    deny_reason: 'source-not-allowed',
  });
});
