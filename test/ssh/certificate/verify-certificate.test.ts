import { describe, expect, test } from 'vitest';
import { CertificateError, mintCertificate, parseCertificate } from '../../../ssh/certificate/index.ts';
import { generatePrivateKey } from '../../../ssh/keys/index.ts';
import { softwareSecurityKey } from '../keys/software-security-key.ts';
import { authority, judge, mint, nowSeconds, outcome, specOf } from './certificates.ts';
import { handmade, wrapped } from './handmade-certificate.ts';

const impostor = generatePrivateKey('ed25519');

describe('a certificate is refused', () => {
  test('when it is of the other kind, either way', async () => {
    const user = await mint();
    const host = await mint({ kind: 'host', principals: ['engineer'] });

    expect(outcome(user, { kind: 'host' })).toBe('not-a-host-certificate');
    expect(outcome(host)).toBe('not-a-user-certificate');
  });

  test('when an authority signed it that is not trusted, or none is', async () => {
    const blob = await mint();

    expect(outcome(blob, { authorities: [impostor.publicKey] })).toBe('untrusted-authority');
    expect(outcome(blob, { authorities: [] })).toBe('untrusted-authority');
  });

  test('when an impostor signed it under the name of a trusted authority', () => {
    const blob = handmade({ authorityBlob: authority.publicKey.blob, signWith: impostor });

    expect(outcome(blob)).toBe('bad-signature');
  });

  test('when the certified key itself is the authority that is named', () => {
    expect(outcome(handmade({ signWith: impostor }))).toBe('untrusted-authority');
  });

  test('before it begins and from the second it ends', async () => {
    const blob = await mint({ validAfter: 1000n, validBefore: 2000n });

    expect(outcome(blob, { nowSeconds: 999.999 })).toBe('not-yet-valid');
    expect(outcome(blob, { nowSeconds: 1000 })).toBe('good');
    expect(outcome(blob, { nowSeconds: 1999.999 })).toBe('good');
    expect(outcome(blob, { nowSeconds: 2000 })).toBe('expired');
  });

  test('with any byte changed, in every region', async () => {
    const blob = await mint({
      criticalOptions: new Map([['force-command', 'id']]),
      extensions: ['permit-pty'],
    });
    expect(outcome(blob)).toBe('good');

    for (let index = 0; index < blob.length; index += 1) {
      const changed = Buffer.from(blob);
      changed[index] = (changed[index] ?? 0) ^ 0x01;
      expect(readAndJudged(changed)).not.toBe('good');
    }
  });

  test('though it was good before, once its time is over or nobody trusts its authority any more', async () => {
    const blob = await mint({ validAfter: 1000n, validBefore: 2000n });
    expect(outcome(blob, { nowSeconds: 1500 })).toBe('good');

    expect(outcome(blob, { nowSeconds: 2000 })).toBe('expired');
    expect(outcome(blob, { nowSeconds: 1500, authorities: [impostor.publicKey] })).toBe(
      'untrusted-authority',
    );
    expect(outcome(blob, { nowSeconds: 1500, principal: 'somebody-else' })).toBe('principal-not-listed');
  });

  test('for a principal it does not list letter by letter', async () => {
    const blob = await mint({ principals: ['engineer'] });

    for (const principal of ['Engineer', 'engineer ', 'engineer\0', 'enginee', '*', '', 'engineer,root'])
      expect(outcome(blob, { principal })).toBe('principal-not-listed');
  });

  test('when a principal of it is a pattern: patterns match nothing but themselves', () => {
    const blob = handmade({ principals: ['*', 'eng*', 'engineer,root', 'e?gineer'] });

    expect(outcome(blob)).toBe('principal-not-listed');
    expect(outcome(blob, { principal: 'root' })).toBe('principal-not-listed');
  });

  test('when a host principal is a pattern or in upper case', () => {
    const blob = handmade({ kind: 2, principals: ['*.example.com', 'WEB-1'] });

    expect(outcome(blob, { kind: 'host', principal: 'web.example.com' })).toBe('principal-not-listed');
    expect(outcome(blob, { kind: 'host', principal: 'WEB-1' })).toBe('principal-not-listed');
  });

  test('without principals', () => {
    expect(outcome(handmade({ principals: [] }))).toBe('no-principals');
    expect(outcome(handmade({ principals: [] }), { principal: '' })).toBe('no-principals');
  });

  test.each([
    ['an option that is not known', 'new-option', wrapped('x')],
    ['an option that differs in case', 'Verify-required', Buffer.alloc(0)],
    ['an extension that stands among the critical options', 'permit-pty', Buffer.alloc(0)],
    ['force-command without a command', 'force-command', Buffer.alloc(0)],
    ['force-command with an empty command', 'force-command', wrapped('')],
    ['verify-required with a value', 'verify-required', wrapped('no')],
  ])('with %s', (_name, option, value) => {
    expect(outcome(handmade({ options: [[option, value]] }))).toBe('unknown-critical-option');
  });

  test('for a host with any critical option', () => {
    const blob = handmade({ kind: 2, principals: ['web-1'], options: [['force-command', wrapped('id')]] });

    expect(outcome(blob, { kind: 'host', principal: 'web-1' })).toBe('unknown-critical-option');
  });
});

describe('a certificate that is good', () => {
  test('says nothing more without options', async () => {
    expect(judge(await mint())).toEqual({ ok: true, verifyRequired: false, noTouchRequired: false });
  });

  test('says which command it forces and what it asks of a security key', async () => {
    const blob = await mint({
      criticalOptions: new Map([
        ['force-command', 'id'],
        ['verify-required', ''],
      ]),
      extensions: ['no-touch-required', 'unknown@example.com'],
    });

    expect(judge(blob)).toEqual({
      ok: true,
      forceCommand: 'id',
      verifyRequired: true,
      noTouchRequired: true,
    });
  });

  test('does not take verify-required from the extensions', async () => {
    const blob = await mint({ extensions: ['verify-required', 'force-command'] });

    expect(judge(blob)).toEqual({ ok: true, verifyRequired: false, noTouchRequired: false });
  });

  test('is found among several authorities', async () => {
    const authorities = [impostor.publicKey, authority.publicKey];

    expect(outcome(await mint(), { authorities })).toBe('good');
  });
});

describe('an authority on a security key', () => {
  test.each(['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const)(
    '%s: counts when it was touched, and not otherwise',
    async (type) => {
      const key = softwareSecurityKey(type);
      const authorities = [key.publicKey];
      const touch = { userPresent: true, userVerified: false, counter: 1 };

      const touched = await mintCertificate(specOf(), key.signer(touch));
      const untouched = await mintCertificate(specOf(), key.signer({ ...touch, userPresent: false }));

      expect(outcome(touched, { authorities })).toBe('good');
      expect(outcome(untouched, { authorities })).toBe('bad-signature');
    },
  );
});

describe('source-address', () => {
  const cases: readonly (readonly [string, string, string | undefined, boolean])[] = [
    ['a block', '192.0.2.0/24', '192.0.2.255', true],
    ['outside a block', '192.0.2.0/24', '192.0.3.0', false],
    ['one address', '192.0.2.7', '192.0.2.7', true],
    ['another address', '192.0.2.7', '192.0.2.8', false],
    ['all of IPv4', '0.0.0.0/0', '203.0.113.1', true],
    ['the second entry', '192.0.2.0/24,198.51.100.0/25', '198.51.100.127', true],
    ['IPv4 in IPv6 form, as dual-stack sockets say', '192.0.2.0/24', '::ffff:192.0.2.7', true],
    ['IPv4 in IPv6 form, in hexadecimal', '192.0.2.0/24', '::ffff:c000:207', true],
    ['an IPv6 block', '2001:db8::/32', '2001:db8:1::7', true],
    ['outside an IPv6 block', '2001:db8::/32', '2001:db9::7', false],
    ['one IPv6 address in another spelling', '2001:db8::1', '2001:0DB8:0:0:0:0:0:1', true],
    ['the end of IPv6', 'ffff::/16', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', true],
    ['a zone is no part of the address', 'fe80::/10', 'fe80::1%eth0', true],
    ['all of IPv6 does not mean IPv4', '::/0', '192.0.2.7', false],
    ['all of IPv6 does not mean IPv4 in IPv6 form', '::/0', '::ffff:192.0.2.7', false],
    ['all of IPv4 does not mean IPv6', '0.0.0.0/0', '2001:db8::1', false],
    ['an unknown source', '0.0.0.0/0', undefined, false],
    ['a source that is a name', '0.0.0.0/0', 'localhost', false],
    ['an empty list', '', '192.0.2.7', false],
    ['an empty entry', '192.0.2.0/24,', '192.0.2.7', false],
    ['a space', '192.0.2.0/24, 198.51.100.0/24', '192.0.2.7', false],
    ['bits behind the prefix', '192.0.2.7/24', '192.0.2.7', false],
    ['bits behind an IPv6 prefix', '2001:db8::1/32', '2001:db8::1', false],
    ['a prefix too long', '192.0.2.0/33', '192.0.2.0', false],
    ['a prefix that is none', '192.0.2.0/', '192.0.2.0', false],
    ['a signed prefix', '0.0.0.0/-0', '192.0.2.0', false],
    ['a mask', '192.0.2.0/255.255.255.0', '192.0.2.0', false],
    ['a negated entry', '!192.0.2.7,192.0.2.0/24', '192.0.2.9', false],
    ['a wildcard', '*', '192.0.2.9', false],
    ['an octal octet', '192.0.02.0/24', '192.0.2.9', false],
    ['a zone in the list', 'fe80::1%eth0', 'fe80::1', false],
    ['a bad entry behind a good one', '192.0.2.0/24,nonsense', '192.0.2.7', false],
  ];

  test.each(cases)('%s: "%s" and %s', async (_name, list, sourceAddress, allowed) => {
    const blob = handmade({ options: [['source-address', wrapped(list)]] });

    const result = outcome(blob, sourceAddress === undefined ? {} : { sourceAddress });

    expect(result).toBe(allowed ? 'good' : 'source-address-not-allowed');
  });
});

describe('a spec is refused before anything is signed', () => {
  const refused: readonly (readonly [string, Parameters<typeof specOf>[0]])[] = [
    ['without principals', { principals: [] }],
    ['with an empty principal', { principals: ['engineer', ''] }],
    ['with the principal *', { principals: ['*'] }],
    ['with a pattern', { principals: ['web-?'] }],
    ['with a newline in a principal', { principals: ['engineer\nroot'] }],
    ['with a zero byte in a principal', { principals: ['engineer\0root'] }],
    ['with space at the end of a principal', { principals: ['engineer '] }],
    ['with half a character in a principal', { principals: ['engineer\ud800'] }],
    ['with 257 principals', { principals: Array.from({ length: 257 }, (_, index) => `p${index}`) }],
    ['with a newline in the key id', { keyId: 'a\nAccepted publickey for root' }],
    ['with a zero byte in the key id', { keyId: 'a\0b' }],
    ['with an escape sequence in the key id', { keyId: '\x1b]0;x\x07' }],
    ['with a key id of 5 KiB', { keyId: 'k'.repeat(5000) }],
    ['with a serial under zero', { serial: -1n }],
    ['with a serial over 64 bits', { serial: 2n ** 64n }],
    ['with an end over 64 bits', { validBefore: 2n ** 64n }],
    ['with an end before its beginning', { validAfter: 2n, validBefore: 1n }],
    ['with no time at all', { validAfter: 2n, validBefore: 2n }],
    ['with a short nonce', { nonce: Buffer.alloc(15) }],
    ['with a long nonce', { nonce: Buffer.alloc(257) }],
    [
      'with a critical option for a host',
      { kind: 'host', criticalOptions: new Map([['force-command', 'id']]) },
    ],
    ['with an extension twice', { extensions: ['permit-pty', 'permit-pty'] }],
    ['with a space in an option name', { extensions: ['permit pty'] }],
    ['with a zero byte in a value', { criticalOptions: new Map([['force-command', 'id\0']]) }],
    ['with 65 extensions', { extensions: Array.from({ length: 65 }, (_, index) => `e${index}`) }],
    ['with a value of 40 KiB', { criticalOptions: new Map([['force-command', 'x'.repeat(40 * 1024)]]) }],
  ];

  test.each(refused)('%s', async (_name, changes) => {
    let signatures = 0;
    const signer = {
      publicKey: authority.publicKey,
      sign: async () => {
        signatures += 1;
        return Buffer.alloc(0);
      },
    };

    const minted = mintCertificate(specOf(changes), signer);

    await expect(minted).rejects.toMatchObject({ name: 'CertificateError', code: 'invalid-spec' });
    expect(signatures).toBe(0);
  });

  test('while the largest that is allowed is read back', async () => {
    const principals = Array.from({ length: 256 }, (_, index) => `engineer-${index}-${'x'.repeat(60)}`);

    expect(parseCertificate(await mint({ principals })).principals).toEqual(principals);
  });
});

test('the time of a demand must be a time', async () => {
  const blob = await mint();

  expect(() => outcome(blob, { nowSeconds: Number.NaN })).toThrow(RangeError);
  expect(outcome(blob, { nowSeconds })).toBe('good');
});

/** `outcome`, or the code with which parsing refused. */
function readAndJudged(blob: Buffer): string {
  try {
    return outcome(blob);
  } catch (error) {
    if (error instanceof CertificateError) return error.code;
    throw error;
  }
}
