import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { formatPublicKeyLine, generatePrivateKey, type PrivateKey, parsePrivateKey } from '#ssh';
import { judgeHostKey } from '../../../proxy-task/host-trust.ts';
import { type Stack, startStack } from '../../support/stack.ts';
import { type Forgery, forgeCertificate } from './forged-certificate.ts';
import { attemptLogin } from './login-attempt.ts';

const authority = generatePrivateKey('ed25519');
const stranger = generatePrivateKey('ed25519');
const service = generatePrivateKey('ed25519');
let stack: Stack;
/** The keys in the data directory, each of which signs certificates of another kind. */
let own: Record<'session' | 'host' | 'engineer', PrivateKey>;

beforeAll(async () => {
  stack = await startStack({
    identities: [
      '  - name: carol',
      '    groups: [engineers]',
      '    sources: [192.0.2.0/24]',
      '  - name: deployer',
      '    type: service',
      '    groups: [engineers]',
      '    sources: [127.0.0.1]',
      `    keys: [${JSON.stringify(formatPublicKeyLine(service.publicKey))}]`,
    ].join('\n'),
    configuration: [
      `trustedUserAuthorities: [${JSON.stringify(formatPublicKeyLine(authority.publicKey))}]`,
      'engineerAuthority: { keyFile: keys/engineer-ca.pem }',
    ].join('\n'),
  });
  const read = (path: string) => parsePrivateKey(readFileSync(path, 'utf8'));
  const { userAuthorityKey, hostAuthorityKey, engineerAuthorityKey } = stack.data;
  own = {
    session: read(userAuthorityKey),
    host: read(hostAuthorityKey),
    engineer: read(engineerAuthorityKey),
  };
});

afterAll(async () => {
  await stack?.close();
});

async function attempt(forgery: Forgery, user = `${stack.login}@web-1`): Promise<string> {
  const privateKey = generatePrivateKey('ed25519');
  const certificate = forgeCertificate(privateKey.publicKey, forgery);
  return attemptLogin({ port: stack.running.gateway.address.port, user, privateKey, certificate });
}

async function sessions(): Promise<number> {
  return (await stack.query("SELECT 1 FROM events WHERE event_name = 'StartSession'")).length;
}

describe('a user certificate', () => {
  test('lets in when nothing is wrong with it', async () => {
    expect(await attempt({ signedBy: authority })).toBe('in');
    expect(await attempt({ signedBy: own.engineer })).toBe('in');
  });

  test('is not what lets a service in: its own key does, from its own address', async () => {
    const { port } = stack.running.gateway.address;

    expect(await attemptLogin({ port, user: `${stack.login}@web-1`, privateKey: service })).toBe('in');
  });

  test.each<[string, Omit<Forgery, 'signedBy'>]>([
    ['for a name that nobody has', { principals: ['root'] }],
    ['for the name in other letters', { principals: ['Engineer', 'ENGINEER'] }],
    ['for everybody by a wildcard', { principals: ['*', 'engineer*', 'engine?r', '%'] }],
    ['for nobody', { principals: [] }],
    ['for a name with a NUL behind', { principals: ['engineer\0'] }],
    ['for a name with a NUL and more', { principals: ['engineer\0@example.com'] }],
    ['for a name with a line feed', { principals: ['engineer\n', '\nengineer'] }],
    ['for a name with blanks', { principals: [' engineer', 'engineer '] }],
    ['for a list in one name', { principals: ['carol,engineer'] }],
    ['for a name that is no text', { principals: [Buffer.of(0xff, 0xfe)] }],
    ['for a name that turns around', { principals: ['\u202eengineer'] }],
    ['that is over', { validFrom: -7200, validFor: 3600 }],
    ['that has not begun', { validFrom: 3600 }],
    ['that ends before it begins', { validFrom: 60, validFor: -120 }],
    ['that is a host’s', { kind: 'host' }],
    ['for another address', { criticalOptions: { 'source-address': '192.0.2.0/24' } }],
    ['for an address that is none', { criticalOptions: { 'source-address': '127.0.0.1/99' } }],
    ['for an address by a wildcard', { criticalOptions: { 'source-address': '*' } }],
    ['with an option that nobody knows', { criticalOptions: { 'no-such-option@example.com': '' } }],
    ['of somebody who is pinned to other addresses', { principals: ['carol'] }],
    ['in the place of a service’s own key', { principals: ['deployer'] }],
  ])('%s is refused', async (_what, forgery) => {
    const before = await sessions();

    expect(await attempt({ signedBy: authority, ...forgery })).toBe('refused');
    expect(await sessions()).toBe(before);
  });

  test.each(['session', 'host'] as const)(
    'of the authority that certifies at the %s’s side is refused',
    async (which) => {
      expect(await attempt({ signedBy: own[which] })).toBe('refused');
    },
  );

  test('of an authority that is not trusted is refused, also with what ours alone may say', async () => {
    const extensions = { 'mfa-method@sshtrail': 'totp', 'proved-at@sshtrail': String(Date.now()) };

    expect(await attempt({ signedBy: stranger, extensions })).toBe('refused');
  });

  test('of a trusted authority cannot say that there was a second factor', async () => {
    const extensions = { 'mfa-method@sshtrail': 'totp', 'proved-at@sshtrail': String(Date.now()) };
    expect(await attempt({ signedBy: authority, extensions })).toBe('in');

    const [last] = await stack.query(
      "SELECT mfa, mfa_method FROM events WHERE event_name = 'StartSession' ORDER BY event_time DESC LIMIT 1",
    );
    expect(last).toEqual({ mfa: false, mfa_method: 'none' });
  });

  test('that signs for itself as its own authority is refused', async () => {
    const privateKey = generatePrivateKey('ed25519');
    const certificate = forgeCertificate(privateKey.publicKey, { signedBy: privateKey });

    expect(
      await attemptLogin({
        port: stack.running.gateway.address.port,
        user: `${stack.login}@web-1`,
        privateKey,
        certificate,
      }),
    ).toBe('refused');
  });

  test('does not prove a host, and the other way round', () => {
    const host = generatePrivateKey('ed25519');
    const judge = (kind: 'user' | 'host') =>
      judgeHostKey(
        forgeCertificate(host.publicKey, { signedBy: authority, kind, principals: ['web-1'] }),
        'ssh-ed25519-cert-v01@openssh.com',
        {
          kind: 'authority',
          keys: [formatPublicKeyLine(authority.publicKey)],
          principals: ['web-1'],
        },
        Math.floor(Date.now() / 1000),
      ).trusted;

    expect([judge('host'), judge('user')]).toEqual([true, false]);
  });

  test('leaves a refusal on record for each that signed, or tried', async () => {
    const refused = await stack.eventually(
      "SELECT count(*) AS n FROM events WHERE event_name = 'AuthenticateUser' AND error_code = 'AuthenticationFailed' HAVING count(*) >= 24",
    );

    expect(refused).toHaveLength(1);
    const pinned = await stack.query(
      "SELECT DISTINCT user_name FROM events WHERE event_name = 'AuthenticateUser' AND deny_reason = 'source-not-allowed'",
    );
    expect(pinned).toEqual([{ user_name: 'carol' }]);
  });
});
