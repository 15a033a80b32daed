import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { AuditRecord } from '#core/contract';
import { formatPublicKeyLine, generatePrivateKey, mintCertificate, privateKeyAsRemoteSigner } from '#ssh';
import { type SoftwareSecurityKey, softwareSecurityKey } from '../ssh/keys/software-security-key.ts';
import { run } from '../support/run.ts';
import { startSoftwareAgent } from '../support/software-agent.ts';
import { type Stack, startStack } from '../support/stack.ts';

type Touch = Parameters<SoftwareSecurityKey['sign']>[1];

const folder = mkdtempSync(join(tmpdir(), 'sshtrail-sk-'));
const authority = generatePrivateKey('ed25519');
const keys = {
  'sk-ssh-ed25519@openssh.com': softwareSecurityKey('sk-ssh-ed25519@openssh.com'),
  'sk-ecdsa-sha2-nistp256@openssh.com': softwareSecurityKey('sk-ecdsa-sha2-nistp256@openssh.com'),
} as const;
const cloned = softwareSecurityKey('sk-ssh-ed25519@openssh.com');
const uncounted = softwareSecurityKey('sk-ecdsa-sha2-nistp256@openssh.com');
const authentications: AuditRecord[] = [];
let stack: Stack;

beforeAll(async () => {
  const registered = [...Object.values(keys), cloned, uncounted];
  stack = await startStack({
    identities: [
      '  - name: alice',
      '    groups: [engineers]',
      `    keys: [${registered.map((key) => JSON.stringify(formatPublicKeyLine(key.publicKey))).join(', ')}]`,
    ].join('\n'),
    configuration: `trustedUserAuthorities: [${JSON.stringify(formatPublicKeyLine(authority.publicKey))}]`,
  });
  stack.running.journal.subscribe((record) => {
    if (record.eventName === 'AuthenticateUser') authentications.push(record);
  });
});
afterAll(async () => {
  await stack.close();
  rmSync(folder, { recursive: true, force: true });
});

/** One login of the real ssh client with a key in an agent, which signs with what the touch says. */
async function login(
  key: SoftwareSecurityKey,
  touch: Partial<Touch> & { readonly counter: number },
  certificate?: Buffer,
) {
  const asserted = { userPresent: true, userVerified: false, ...touch };
  const blob = certificate ?? key.publicKey.blob;
  const agent = await startSoftwareAgent(join(folder, `agent-${randomBytes(4).toString('hex')}`), [
    { blob, comment: 'security key', sign: (data) => key.sign(data, asserted) },
  ]);
  const options = stack.sshOptions.map((option) =>
    option.startsWith('IdentityFile=')
      ? `IdentityAgent=${agent.socket}`
      : option === 'IdentitiesOnly=yes'
        ? 'IdentityFile=none'
        : option,
  );
  try {
    const finished = await run('ssh', [...options, '-o', 'BatchMode=yes', stack.destination(), 'echo in']);
    return { code: finished.code, stdout: finished.stdout.toString(), signatures: agent.signatures() };
  } finally {
    await agent.stop();
  }
}

/** What the events said of one login. */
async function loginOnRecord(...args: Parameters<typeof login>) {
  authentications.length = 0;
  const outcome = await login(...args);
  await expect.poll(() => authentications.length, { timeout: 10_000 }).toBeGreaterThan(0);
  return { ...outcome, events: authentications.map(told) };
}

/** The parts of an AuthenticateUser event that speak of the key. */
function told({ errorCode, userIdentity, additionalEventData }: AuditRecord) {
  const { authMethod, denyReason, mfaMethod, securityKeyCounter, securityKeyTouched } =
    additionalEventData ?? {};
  const { userName } = userIdentity;
  return { errorCode, userName, authMethod, denyReason, mfaMethod, securityKeyCounter, securityKeyTouched };
}

describe('a registered security key', () => {
  test.each(Object.entries(keys))('%s: lets in with a touch, its counter on record', async (_type, key) => {
    const { code, stdout, signatures, events } = await loginOnRecord(key, { counter: 7 });

    expect([code, stdout, signatures]).toEqual([0, 'in\n', 1]);
    expect(events).toEqual([
      {
        errorCode: undefined,
        userName: 'alice',
        authMethod: 'security-key',
        denyReason: undefined,
        mfaMethod: 'none',
        securityKeyCounter: '7',
        securityKeyTouched: 'true',
      },
    ]);
  });

  test.each(Object.entries(keys))('%s: is refused without a touch, as one event', async (_type, key) => {
    const { code, stdout, signatures, events } = await loginOnRecord(key, { counter: 8, userPresent: false });
    // By the end of another login, the end of the first connection was on record, too.
    await login(key, { counter: 9 });

    expect([code, stdout, signatures]).toEqual([255, '', 1]);
    expect(events).toMatchObject([
      { errorCode: 'AuthenticationFailed', userName: 'alice', denyReason: 'security-key-not-touched' },
    ]);
    expect(authentications.map(({ errorCode }) => errorCode)).toEqual(['AuthenticationFailed', undefined]);
  });

  test('counts as a second factor where it verified its user', async () => {
    const { code, events } = await loginOnRecord(cloned, { counter: 50, userVerified: true });

    expect(code).toBe(0);
    expect(events).toMatchObject([{ mfaMethod: 'fido2', securityKeyCounter: '50' }]);
  });

  test('whose counter comes again, or from long before, is taken for a copy; one that is a little late is not', async () => {
    expect((await login(cloned, { counter: 100 })).code).toBe(0);
    expect((await login(cloned, { counter: 99 })).code).toBe(0);

    const repeated = await loginOnRecord(cloned, { counter: 100 });
    const behind = await loginOnRecord(cloned, { counter: 60 });

    expect([repeated.code, behind.code]).toEqual([255, 255]);
    expect(repeated.events).toMatchObject([
      {
        errorCode: 'AuthenticationFailed',
        userName: 'alice',
        denyReason: 'security-key-counter-repeated',
        mfaMethod: 'none',
        securityKeyCounter: '100',
      },
    ]);
    expect(behind.events).toMatchObject([
      { denyReason: 'security-key-counter-behind', securityKeyCounter: '60' },
    ]);
    expect((await login(cloned, { counter: 101 })).code).toBe(0);
    expect((await stack.running.control.get('counter', cloned.publicKey.fingerprint))?.data.highest).toBe(
      101,
    );
  });

  test('that never counts lets in each time', async () => {
    expect((await login(uncounted, { counter: 0 })).code).toBe(0);
    expect((await login(uncounted, { counter: 0 })).code).toBe(0);
  });
});

describe('a certificate of a security key', () => {
  const certified = async (
    key: SoftwareSecurityKey,
    options: { readonly critical?: readonly string[]; readonly extensions?: readonly string[] },
  ) =>
    mintCertificate(
      {
        kind: 'user',
        publicKey: key.publicKey,
        keyId: 'alice',
        serial: 1n,
        principals: ['alice'],
        validAfter: 0n,
        validBefore: 2n ** 64n - 1n,
        criticalOptions: new Map((options.critical ?? []).map((name) => [name, ''])),
        extensions: new Map((options.extensions ?? []).map((name) => [name, ''])),
        nonce: randomBytes(32),
      },
      privateKeyAsRemoteSigner(authority),
    );

  test.each(['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const)(
    '%s: needs a touch, and lets in with one',
    async (type) => {
      const key = softwareSecurityKey(type);
      const certificate = await certified(key, { extensions: ['permit-pty'] });

      const untouched = await loginOnRecord(key, { counter: 1, userPresent: false }, certificate);
      const touched = await loginOnRecord(key, { counter: 2 }, certificate);

      expect([untouched.code, touched.code]).toEqual([255, 0]);
      expect(untouched.events).toMatchObject([{ denyReason: 'security-key-not-touched' }]);
      expect(touched.events).toMatchObject([{ authMethod: 'certificate', securityKeyCounter: '2' }]);
    },
  );

  test('with no-touch-required needs none, but its counter still goes up', async () => {
    const key = softwareSecurityKey('sk-ssh-ed25519@openssh.com');
    const certificate = await certified(key, { extensions: ['no-touch-required'] });

    const first = await loginOnRecord(key, { counter: 1, userPresent: false }, certificate);
    const again = await loginOnRecord(key, { counter: 1, userPresent: false }, certificate);

    expect([first.code, again.code]).toEqual([0, 255]);
    expect(first.events).toMatchObject([{ securityKeyTouched: 'false' }]);
    expect(again.events).toMatchObject([{ denyReason: 'security-key-counter-repeated' }]);
  });

  test('with verify-required needs a PIN or fingerprint, which counts as a second factor', async () => {
    const key = softwareSecurityKey('sk-ecdsa-sha2-nistp256@openssh.com');
    const certificate = await certified(key, { critical: ['verify-required'] });

    const touched = await loginOnRecord(key, { counter: 1 }, certificate);
    const verified = await loginOnRecord(key, { counter: 2, userVerified: true }, certificate);

    expect([touched.code, verified.code]).toEqual([255, 0]);
    expect(touched.events).toMatchObject([{ denyReason: 'security-key-user-not-verified' }]);
    expect(verified.events).toMatchObject([{ mfaMethod: 'fido2' }]);
  });
});
