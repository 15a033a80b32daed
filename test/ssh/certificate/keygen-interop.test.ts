import { generateKeyPairSync } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  formatCertificateLine,
  parseCertificate,
  parseCertificateLine,
  userExtensions,
} from '../../../ssh/certificate/index.ts';
import {
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  type PublicKey,
  parsePrivateKey,
  parsePublicKeyLine,
} from '../../../ssh/keys/index.ts';
import { softwareSecurityKey } from '../keys/software-security-key.ts';
import { keygenDirectory, keygenTypes } from '../keys/ssh-keygen.ts';
import { authority, judge, mint, nowSeconds, outcome } from './certificates.ts';

const keygen = keygenDirectory();
const validity = '20270101000000Z:20280101000000Z';
const authorities: PublicKey[] = [];

/** Signs `name`.pub with a CA of ssh-keygen and reads the certificate. */
function signed(name: string, ca: string, options: readonly string[]): Buffer {
  keygen.run(['-s', ca, '-q', '-I', 'an id', '-V', validity, ...options, `${name}.pub`]);
  return parseCertificateLine(keygen.read(`${name}-cert.pub`)).certificate.blob;
}

/** The fields of `ssh-keygen -L`, as text. */
function listed(blob: Buffer): string {
  keygen.write('listed-cert.pub', `${formatCertificateLine(blob, 'a comment')}\n`);
  return keygen.run(['-L', '-f', 'listed-cert.pub']).replace(/\s+/g, ' ');
}

beforeAll(() => {
  for (const { type, args } of keygenTypes) {
    keygen.run([...args, '-q', '-N', '', '-f', `ca-${type}`]);
    keygen.run([...args, '-q', '-N', '', '-f', `user-${type}`]);
    authorities.push(parsePublicKeyLine(keygen.read(`ca-${type}.pub`)).publicKey);
  }
  keygen.run(['-t', 'ed25519', '-q', '-N', '', '-f', 'options']);
});

describe('certificates that ssh-keygen signed', () => {
  test.each(keygenTypes.flatMap((user) => keygenTypes.map((ca) => ({ user: user.type, ca: ca.type }))))(
    '$user by $ca: verify for their principal and CA, and for no other',
    ({ user, ca }) => {
      const blob = signed(`user-${user}`, `ca-${ca}`, [
        '-n',
        'engineer,second',
        '-z',
        '18446744073709551615',
      ]);

      const certificate = parseCertificate(blob);

      expect(certificate.publicKey.blob).toEqual(
        parsePublicKeyLine(keygen.read(`user-${user}.pub`)).publicKey.blob,
      );
      expect(certificate).toMatchObject({
        kind: 'user',
        keyId: 'an id',
        serial: 2n ** 64n - 1n,
        principals: ['engineer', 'second'],
        validAfter: 1798761600n,
        validBefore: 1830297600n,
      });
      expect([...certificate.extensions.keys()]).toEqual([...userExtensions]);
      expect(outcome(blob, { authorities })).toBe('good');
      expect(outcome(blob, { authorities, principal: 'third' })).toBe('principal-not-listed');
      expect(outcome(blob, { authorities, kind: 'host' })).toBe('not-a-host-certificate');
      expect(outcome(blob)).toBe('untrusted-authority');
    },
  );

  test.each(['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const)(
    'of %s verify and hold the key',
    (type) => {
      const key = softwareSecurityKey(type);
      keygen.write(`${type}.pub`, `${formatPublicKeyLine(key.publicKey)}\n`);

      const blob = signed(type, 'ca-ssh-ed25519', ['-n', 'engineer', '-O', 'no-touch-required']);

      expect(parseCertificate(blob).publicKey.blob).toEqual(key.publicKey.blob);
      expect(judge(blob, { authorities })).toEqual({
        ok: true,
        verifyRequired: false,
        noTouchRequired: true,
      });
    },
  );

  test('with every option are read as ssh-keygen meant them', () => {
    const options = [
      'clear',
      'force-command=/usr/bin/id -u',
      'verify-required',
      'source-address=192.0.2.0/24,2001:db8::/32',
      'permit-pty',
      'no-touch-required',
      'extension:login@example.com=engineer',
      'extension:flag@example.com',
    ].flatMap((option) => ['-O', option]);
    const blob = signed('options', 'ca-ssh-ed25519', ['-n', 'engineer', ...options]);

    const certificate = parseCertificate(blob);

    expect([...certificate.criticalOptions]).toEqual([
      ['force-command', '/usr/bin/id -u'],
      ['source-address', '192.0.2.0/24,2001:db8::/32'],
      ['verify-required', ''],
    ]);
    expect([...certificate.extensions]).toEqual([
      ['flag@example.com', ''],
      ['login@example.com', 'engineer'],
      ['no-touch-required', ''],
      ['permit-pty', ''],
    ]);
    expect(judge(blob, { authorities, sourceAddress: '192.0.2.9' })).toEqual({
      ok: true,
      forceCommand: '/usr/bin/id -u',
      verifyRequired: true,
      noTouchRequired: true,
    });
    expect(outcome(blob, { authorities, sourceAddress: '198.51.100.9' })).toBe('source-address-not-allowed');
  });

  test('with a critical option nobody knows are refused', () => {
    const options = ['-n', 'engineer', '-O', 'critical:new@example.com=1'];

    expect(outcome(signed('options', 'ca-ssh-ed25519', options), { authorities })).toBe(
      'unknown-critical-option',
    );
  });

  test('without principals are good for nobody', () => {
    const user = signed('options', 'ca-ssh-ed25519', []);
    const host = signed('options', 'ca-ssh-ed25519', ['-h']);

    expect(outcome(user, { authorities })).toBe('no-principals');
    expect(outcome(host, { authorities, kind: 'host', principal: 'web-1' })).toBe('no-principals');
  });

  test('for ever are good at any time', () => {
    const blob = signed('options', 'ca-ssh-ed25519', ['-n', 'engineer', '-V', 'always:forever']);

    expect(parseCertificate(blob).validBefore).toBe(2n ** 64n - 1n);
    expect(outcome(blob, { authorities, nowSeconds: 0 })).toBe('good');
  });

  test('for hosts verify for the host in any case, and for no user', () => {
    const blob = signed('options', 'ca-ssh-ed25519', ['-h', '-n', 'web-1.example.com,192.0.2.7']);

    expect(outcome(blob, { authorities, kind: 'host', principal: 'WEB-1.example.com' })).toBe('good');
    expect(outcome(blob, { authorities, kind: 'host', principal: '192.0.2.7' })).toBe('good');
    expect(outcome(blob, { authorities, kind: 'host', principal: 'web-2.example.com' })).toBe(
      'principal-not-listed',
    );
    expect(outcome(blob, { authorities, principal: 'web-1.example.com' })).toBe('not-a-user-certificate');
  });

  test('with rsa and SHA-1 are refused, with rsa and SHA-256 they verify', () => {
    const sha1 = signed('options', 'ca-ssh-rsa', ['-n', 'engineer', '-t', 'ssh-rsa']);
    const sha256 = signed('options', 'ca-ssh-rsa', ['-n', 'engineer', '-t', 'rsa-sha2-256']);

    expect(parseCertificate(sha1).signature.subarray(4, 11).toString()).toBe('ssh-rsa');
    expect(outcome(sha1, { authorities })).toBe('bad-signature');
    expect(outcome(sha256, { authorities })).toBe('good');
  });
});

describe('certificates that we mint', () => {
  const rsaPem = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({
    format: 'pem',
    type: 'pkcs8',
  });
  const subjects: readonly (readonly [string, PublicKey])[] = [
    ['ed25519', generatePrivateKey('ed25519').publicKey],
    ['ecdsa', generatePrivateKey('ecdsa-p256').publicKey],
    ['rsa', parsePrivateKey(String(rsaPem)).publicKey],
    ['sk-ed25519', softwareSecurityKey('sk-ssh-ed25519@openssh.com').publicKey],
    ['sk-ecdsa', softwareSecurityKey('sk-ecdsa-sha2-nistp256@openssh.com').publicKey],
  ];

  test.each(subjects)('%s: ssh-keygen lists every field as it was given', async (_name, publicKey) => {
    const blob = await mint({
      publicKey,
      keyId: 'sshtrail:s-1:engineer@example.com',
      serial: 2n ** 64n - 1n,
      principals: ['engineer', 'arn:aws:iam::111122223333:user/engineer'],
      criticalOptions: new Map([
        ['verify-required', ''],
        ['force-command', '/usr/bin/id'],
        ['source-address', '192.0.2.0/24'],
      ]),
      extensions: userExtensions,
    });

    const text = listed(blob);

    expect(text).toContain(`Type: ${parseCertificate(blob).type} user certificate`);
    expect(text).toMatch(new RegExp(`Public key: \\S+ ${escaped(publicKey.fingerprint)} `));
    expect(text).toContain(`Signing CA: ED25519 ${authority.publicKey.fingerprint} (using ssh-ed25519)`);
    expect(text).toContain('Key ID: "sshtrail:s-1:engineer@example.com"');
    expect(text).toContain('Serial: 18446744073709551615');
    expect(text).toContain('Valid: from 2027-01-15T07:59:00 to 2027-01-15T08:01:00');
    expect(text).toContain('Principals: engineer arn:aws:iam::111122223333:user/engineer Critical Options:');
    expect(text).toContain(
      'force-command /usr/bin/id source-address 192.0.2.0/24 verify-required Extensions:',
    );
    expect(text).toContain(`Extensions: ${userExtensions.join(' ')}`);
  });

  test('for a host are listed as such, the name in lower case', async () => {
    const blob = await mint({ kind: 'host', principals: ['Web-1.Example.com'] });

    const text = listed(blob);

    expect(text).toContain('ssh-ed25519-cert-v01@openssh.com host certificate');
    expect(text).toContain('Principals: web-1.example.com Critical Options: (none) Extensions: (none)');
  });

  test('with an extension of one value are listed with it', async () => {
    const blob = await mint({ extensions: new Map([['login@example.com', 'engineer']]) });

    expect(listed(blob)).toContain('login@example.com UNKNOWN OPTION');
    expect(parseCertificate(blob).extensions.get('login@example.com')).toBe('engineer');
  });

  test('are signed by ssh-keygen with a CA key that we wrote, and verify here', () => {
    keygen.write('our-ca', formatPrivateKey(authority, 'ca'));
    keygen.write('our-ca.pub', `${formatPublicKeyLine(authority.publicKey)}\n`);

    const blob = signed('options', 'our-ca', ['-n', 'engineer']);

    expect(outcome(blob, { nowSeconds })).toBe('good');
  });
});

function escaped(text: string): string {
  return text.replace(/[+/]/g, '\\$&');
}
