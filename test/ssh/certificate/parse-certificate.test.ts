import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  CertificateError,
  formatCertificateLine,
  isCertificateType,
  mintCertificate,
  parseCertificate,
  parseCertificateLine,
  plainTypeOf,
} from '../../../ssh/certificate/index.ts';
import { generatePrivateKey, privateKeyAsRemoteSigner } from '../../../ssh/keys/index.ts';
import { WireWriter } from '../../../ssh/wire/index.ts';
import { mint, specOf } from './certificates.ts';
import { type Handmade, handmade, wrapped } from './handmade-certificate.ts';

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof CertificateError) return error.code;
    throw error;
  }
  return 'none';
}

function flags(count: number): (readonly [string, Buffer])[] {
  return Array.from({ length: count }, (_, index) => [`o${String(index).padStart(3, '0')}`, Buffer.alloc(0)]);
}

const caCertificate = await mint();
const weakRsa = new WireWriter()
  .mpint(Buffer.of(1, 0, 1))
  .mpint(Buffer.alloc(128, 0xff))
  .finish();
const weakRsaBlob = new WireWriter().string('ssh-rsa').raw(weakRsa).finish();

describe('a certificate', () => {
  const readable: readonly (readonly [string, Handmade])[] = [
    ['as usual', {}],
    ['without principals', { principals: [] }],
    ['with 256 principals', { principals: Array.from({ length: 256 }, (_, index) => `p${index}`) }],
    ['with 64 options and 64 extensions', { options: flags(64), extensions: flags(64) }],
    ['with an empty wrapped value', { extensions: [['a', wrapped('')]] }],
    ['with something in the reserved field, which is ignored', { reserved: 'later' }],
    ['with an empty nonce', { nonce: Buffer.alloc(0) }],
  ];

  test.each(readable)('%s: is read', (_name, fields) => {
    expect(codeOf(() => parseCertificate(handmade(fields)))).toBe('none');
  });

  const refused: readonly (readonly [string, string, Handmade])[] = [
    ['of a plain key type', 'unsupported-type', { type: 'ssh-ed25519' }],
    [
      'of an algorithm name that is no key type',
      'unsupported-type',
      { type: 'rsa-sha2-512-cert-v01@openssh.com' },
    ],
    ['of dsa', 'unsupported-type', { type: 'ssh-dss-cert-v01@openssh.com' }],
    ['of the first format', 'unsupported-type', { type: 'ssh-rsa-cert-v00@openssh.com' }],
    ['whose authority is itself a certificate', 'malformed', { authorityBlob: caCertificate }],
    ['whose authority is weak rsa', 'weak', { authorityBlob: weakRsaBlob }],
    ['for weak rsa', 'weak', { type: 'ssh-rsa-cert-v01@openssh.com', key: weakRsa }],
    ['whose key is cut', 'malformed', { key: new WireWriter().string(Buffer.alloc(31)).finish() }],
    ['of kind 0', 'malformed', { kind: 0 }],
    ['of kind 3', 'malformed', { kind: 3 }],
    [
      'with 257 principals',
      'too-large',
      { principals: Array.from({ length: 257 }, (_, index) => `p${index}`) },
    ],
    ['with an empty principal', 'malformed', { principals: [''] }],
    ['with a zero byte in a principal', 'malformed', { principals: ['root\0engineer'] }],
    ['with a newline in a principal', 'malformed', { principals: ['engineer\nroot'] }],
    ['with an escape sequence in a principal', 'malformed', { principals: ['\x1b[2Jengineer'] }],
    ['with a principal that is not UTF-8', 'malformed', { principals: [Buffer.of(0xc0, 0xaf)] }],
    ['with a principal of 2 KiB', 'too-large', { principals: ['p'.repeat(2048)] }],
    ['with a cut principal', 'malformed', { principalBytes: Buffer.from('000000ff61', 'hex') }],
    ['with a zero byte in the key id', 'malformed', { keyId: 'a\0b' }],
    ['with a newline in the key id', 'malformed', { keyId: 'a\nAccepted publickey for root' }],
    ['with a direction override in the key id', 'malformed', { keyId: 'a\u202eb' }],
    ['with a key id of 5 KiB', 'too-large', { keyId: 'k'.repeat(5000) }],
    ['with a nonce of 300 bytes', 'too-large', { nonce: Buffer.alloc(300) }],
    ['with 65 critical options', 'too-large', { options: flags(65) }],
    ['with 65 extensions', 'too-large', { extensions: flags(65) }],
    ['with an option twice', 'malformed', { options: [flag('a'), flag('a')] }],
    ['with options out of order', 'malformed', { options: [flag('b'), flag('a')] }],
    ['with an option without name', 'malformed', { options: [flag('')] }],
    ['with a space in an option name', 'malformed', { options: [flag('force command')] }],
    ['with a bare value', 'malformed', { options: [['force-command', Buffer.from('id')]] }],
    [
      'with two values in one',
      'malformed',
      { options: [['a', Buffer.concat([wrapped('x'), wrapped('y')])]] },
    ],
    ['with a zero byte in a value', 'malformed', { options: [['force-command', wrapped('id\0rm')]] }],
    ['with bytes behind the signature', 'malformed', { tail: Buffer.of(0) }],
    ['of 64 KiB and more', 'too-large', { reserved: 'x'.repeat(64 * 1024) }],
  ];

  test.each(refused)('%s: is %s', (_name, code, fields) => {
    expect(codeOf(() => parseCertificate(handmade(fields)))).toBe(code);
  });

  test('cut anywhere is malformed', () => {
    for (let length = 0; length < caCertificate.length; length += 1) {
      const code = codeOf(() => parseCertificate(caCertificate.subarray(0, length)));

      expect(['malformed', 'unsupported-type']).toContain(code);
    }
  });

  test('of random bytes behind its type throws nothing but CertificateError', () => {
    const types = ['ssh-ed25519', 'ecdsa-sha2-nistp256', 'ssh-rsa', 'sk-ssh-ed25519'];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 600 }), (type, tail) => {
        const head = new WireWriter().string(`${type}-cert-v01@openssh.com`).finish();

        expect(codeOf(() => parseCertificate(Buffer.concat([head, tail])))).not.toBe('none');
        expect(codeOf(() => parseCertificate(Buffer.from(tail)))).not.toBe('none');
      }),
    );
  });

  test('with random bytes in the middle throws nothing but CertificateError', () => {
    fc.assert(
      fc.property(fc.nat(caCertificate.length), fc.uint8Array({ maxLength: 40 }), (at, junk) => {
        const bytes = Buffer.from(caCertificate);
        bytes.set(junk.subarray(0, bytes.length - at), at);

        expect(() => codeOf(() => parseCertificate(bytes))).not.toThrow();
      }),
    );
  });

  test('keeps nothing of the buffer it came in', () => {
    const packet = Buffer.from(caCertificate);
    const certificate = parseCertificate(packet);

    packet.fill(0);

    expect(certificate.blob.equals(caCertificate)).toBe(true);
    expect(certificate.principals).toEqual(['engineer']);
    expect(certificate.signature.length).toBe(83);
  });
});

describe('what was minted', () => {
  const name = fc.stringMatching(/^[a-z0-9@.-]{1,20}$/);
  const text = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 20 })
    .map((each) => `x${each.replace(/[\p{C}\p{Z}*?]/gu, '')}`);
  const options = fc
    .uniqueArray(name, { maxLength: 8 })
    .chain((names) =>
      fc
        .array(fc.oneof(fc.constant(''), text), { minLength: names.length, maxLength: names.length })
        .map((values) => new Map(names.map((each, index) => [each, values[index] ?? '']))),
    );
  const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 2n });

  test('is read back field by field', async () => {
    const signer = privateKeyAsRemoteSigner(generatePrivateKey('ecdsa-p256'));
    await fc.assert(
      fc.asyncProperty(
        text,
        uint64,
        fc.array(text, { minLength: 1, maxLength: 20 }),
        uint64,
        options,
        options,
        async (keyId, number, principals, validAfter, criticalOptions, extensions) => {
          const validBefore = validAfter + 1n;
          const spec = specOf({
            keyId,
            serial: number,
            principals,
            validAfter,
            validBefore,
            criticalOptions,
            extensions,
          });

          const certificate = parseCertificate(await mintCertificate(spec, signer));

          expect(certificate).toMatchObject({ keyId, serial: number, principals, validAfter, validBefore });
          expect(certificate.criticalOptions).toEqual(criticalOptions);
          expect(certificate.extensions).toEqual(extensions);
          expect(certificate.signatureKey.blob).toEqual(signer.publicKey.blob);
        },
      ),
    );
  });

  test('is read back from its line', () => {
    const line = formatCertificateLine(caCertificate, 'a comment');

    const read = parseCertificateLine(`${line}\n`);

    expect(read.comment).toBe('a comment');
    expect(read.certificate.blob.equals(caCertificate)).toBe(true);
  });

  test.each([
    [
      'another type in front',
      `ssh-rsa-cert-v01@openssh.com ${caCertificate.toString('base64')}`,
      'malformed',
    ],
    [
      'a plain key',
      `ssh-ed25519 ${generatePrivateKey('ed25519').publicKey.blob.toString('base64')}`,
      'unsupported-type',
    ],
    ['options', `cert-authority ssh-ed25519 ${caCertificate.toString('base64')}`, 'malformed'],
    ['nothing', '', 'malformed'],
    ['200 KiB', 'x'.repeat(200 * 1024), 'malformed'],
  ])('is not read from a line with %s', (_name, line, code) => {
    expect(codeOf(() => parseCertificateLine(line))).toBe(code);
  });
});

test('certificate names lose their certificate part, others stay', () => {
  const pairs = [
    ['ssh-ed25519-cert-v01@openssh.com', 'ssh-ed25519'],
    ['ssh-rsa-cert-v01@openssh.com', 'ssh-rsa'],
    ['rsa-sha2-512-cert-v01@openssh.com', 'rsa-sha2-512'],
    ['sk-ssh-ed25519-cert-v01@openssh.com', 'sk-ssh-ed25519@openssh.com'],
    ['sk-ecdsa-sha2-nistp256-cert-v01@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'],
  ];
  for (const [certificateType = '', plain = ''] of pairs) {
    expect(isCertificateType(certificateType)).toBe(true);
    expect(plainTypeOf(certificateType)).toBe(plain);
    expect(isCertificateType(plain)).toBe(false);
    expect(plainTypeOf(plain)).toBe(plain);
  }
  expect(isCertificateType('ssh-dss-cert-v01@openssh.com')).toBe(false);
});

function flag(name: string): readonly [string, Buffer] {
  return [name, Buffer.alloc(0)];
}
