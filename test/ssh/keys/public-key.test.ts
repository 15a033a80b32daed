import { createSign, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  generatePrivateKey,
  KeyError,
  type PublicKey,
  parsePublicKey,
  parsePublicKeyLine,
} from '../../../ssh/keys/index.ts';
import { WireWriter } from '../../../ssh/wire/index.ts';
import { softwareSecurityKey } from './software-security-key.ts';
import { keygenDirectory, keygenTypes } from './ssh-keygen.ts';
import { armoredSshsig, signatureInSshsig, sshsigNamespace, sshsigSignedData } from './sshsig.ts';

const keygen = keygenDirectory();
const securityKeyTypes = ['sk-ssh-ed25519@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'] as const;
const touched = { userPresent: true, userVerified: false, counter: 7 };

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof KeyError) return error.code;
    throw error;
  }
  return 'none';
}

function rsaPair(modulusLength: number): { readonly blob: Buffer; readonly privateKey: KeyObject } {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength });
  const { e = '', n = '' } = publicKey.export({ format: 'jwk' });
  const blob = new WireWriter()
    .string('ssh-rsa')
    .mpint(Buffer.from(e, 'base64url'))
    .mpint(Buffer.from(n, 'base64url'))
    .finish();
  return { blob, privateKey };
}

const rsa = rsaPair(2048);

describe('public keys made by ssh-keygen', () => {
  test.each(keygenTypes)(
    '$type: parses, and has the fingerprint that ssh-keygen prints',
    ({ type, args }) => {
      keygen.run([...args, '-q', '-N', '', '-C', 'an engineer', '-f', type]);

      const { publicKey, comment } = parsePublicKeyLine(keygen.read(`${type}.pub`));

      expect(publicKey.type).toBe(type);
      expect(comment).toBe('an engineer');
      expect(keygen.run(['-l', '-f', `${type}.pub`]).split(' ')[1]).toBe(publicKey.fingerprint);
    },
  );

  test.each(keygenTypes)(
    '$type: signatures of ssh-keygen verify, and of another message do not',
    ({ type, args }) => {
      keygen.run([...args, '-q', '-N', '', '-f', `sign-${type}`]);
      const { publicKey } = parsePublicKeyLine(keygen.read(`sign-${type}.pub`));
      const armored = keygen.run(
        ['-Y', 'sign', '-q', '-f', `sign-${type}`, '-n', sshsigNamespace],
        'a message',
      );

      const signature = signatureInSshsig(armored);

      expect(publicKey.verify(sshsigSignedData('a message'), signature)).toEqual({ valid: true });
      expect(publicKey.verify(sshsigSignedData('another'), signature)).toEqual({ valid: false });
    },
  );
});

describe('security keys', () => {
  test.each(securityKeyTypes)('%s: ssh-keygen reads the key and verifies its signature', (type) => {
    const key = softwareSecurityKey(type);
    const line = `${type} ${key.publicKey.blob.toString('base64')}`;
    keygen.write('sk.pub', `${line}\n`);
    keygen.write('allowed', `engineer@example.com ${line}\n`);
    const signature = key.sign(sshsigSignedData('a message'), touched);
    const armored = keygen.write('sk.sig', armoredSshsig(key.publicKey.blob, signature));

    const verified = keygen.run(
      ['-Y', 'verify', '-f', 'allowed', '-I', 'engineer@example.com', '-n', sshsigNamespace, '-s', armored],
      'a message',
    );

    expect(verified).toContain(key.publicKey.fingerprint);
    expect(keygen.run(['-l', '-f', 'sk.pub']).split(' ')[1]).toBe(key.publicKey.fingerprint);
    expect(key.publicKey.verify(sshsigSignedData('a message'), signature).valid).toBe(true);
  });

  test.each(securityKeyTypes)(
    '%s: presence, verification and counter are reported as the device says',
    (type) => {
      const key = softwareSecurityKey(type, 'ssh:example');
      const data = Buffer.from('a challenge');
      for (const userPresent of [true, false]) {
        for (const userVerified of [true, false]) {
          const assertion = { userPresent, userVerified, counter: 0xfffffffe };

          const verification = key.publicKey.verify(data, key.sign(data, assertion));

          expect(verification).toEqual({ valid: true, assertion });
        }
      }
    },
  );

  test.each(securityKeyTypes)(
    '%s: no byte of a signature can be changed, flags and counter neither',
    (type) => {
      const key = softwareSecurityKey(type);
      const data = Buffer.from('a challenge');
      const signature = key.sign(data, { userPresent: false, userVerified: false, counter: 1 });

      for (let index = 0; index < signature.length; index += 1) {
        const changed = Buffer.from(signature);
        changed[index] = (changed[index] ?? 0) ^ 0x01;
        expect(key.publicKey.verify(data, changed)).toEqual({ valid: false });
      }
    },
  );

  test('a signature for another application does not verify', () => {
    const key = softwareSecurityKey('sk-ssh-ed25519@openssh.com', 'ssh:one');
    const data = Buffer.from('a challenge');
    const blob = new WireWriter()
      .string('sk-ssh-ed25519@openssh.com')
      .raw(key.publicKey.blob.subarray(4 + 26, 4 + 26 + 36))
      .string('ssh:two')
      .finish();

    const other = parsePublicKey(blob);

    expect(other.verify(data, key.sign(data, touched))).toEqual({ valid: false });
  });

  test('a plain ed25519 signature under the security key name does not verify', () => {
    const key = softwareSecurityKey('sk-ssh-ed25519@openssh.com');
    const plain = generatePrivateKey('ed25519').sign(Buffer.from('x'), 'ssh-ed25519');

    expect(key.publicKey.verify(Buffer.from('x'), plain)).toEqual({ valid: false });
  });
});

describe('signatures that must not verify', () => {
  const data = Buffer.from('the bytes that are signed');

  test('an rsa signature with SHA-1, under its own name or under a SHA-2 name', () => {
    const key = parsePublicKey(rsa.blob);
    const sha1 = createSign('sha1').update(data).sign(rsa.privateKey);

    for (const name of ['ssh-rsa', 'rsa-sha2-256', 'rsa-sha2-512']) {
      const signature = new WireWriter().string(name).string(sha1).finish();
      expect(key.verify(data, signature)).toEqual({ valid: false });
    }
  });

  test('an rsa signature with SHA-2 that is labelled ssh-rsa', () => {
    const key = parsePublicKey(rsa.blob);
    const bytes = sign('sha256', data, rsa.privateKey);
    const labelled = (name: string): Buffer => new WireWriter().string(name).string(bytes).finish();

    expect(key.verify(data, labelled('ssh-rsa'))).toEqual({ valid: false });
    expect(key.verify(data, labelled('rsa-sha2-512'))).toEqual({ valid: false });
    expect(key.verify(data, labelled('rsa-sha2-256'))).toEqual({ valid: true });
  });

  test('one with an algorithm outside the allowed ones', () => {
    const key = parsePublicKey(rsa.blob);
    const signature = new WireWriter()
      .string('rsa-sha2-256')
      .string(sign('sha256', data, rsa.privateKey))
      .finish();

    expect(key.verify(data, signature, ['rsa-sha2-512'])).toEqual({ valid: false });
    expect(key.verify(data, signature, [])).toEqual({ valid: false });
    expect(key.verify(data, signature, ['rsa-sha2-256'])).toEqual({ valid: true });
  });

  test('an rsa signature that lost its leading zero byte still does, a longer one does not', () => {
    const key = parsePublicKey(rsa.blob);
    let message = Buffer.from('0');
    let bytes = sign('sha512', message, rsa.privateKey);
    for (let count = 1; bytes[0] !== 0; count += 1) {
      message = Buffer.from(String(count));
      bytes = sign('sha512', message, rsa.privateKey);
    }

    expect(key.verify(message, rsaSignature(bytes.subarray(1)))).toEqual({ valid: true });
    expect(key.verify(message, rsaSignature(Buffer.concat([Buffer.of(0), bytes])))).toEqual({ valid: false });
  });

  test('an ecdsa signature of zeros or with numbers longer than the curve', () => {
    const { publicKey } = generatePrivateKey('ecdsa-p256');

    for (const number of [
      Buffer.alloc(0),
      Buffer.alloc(33, 1),
      Buffer.alloc(32, 0xff),
      Buffer.alloc(2000, 1),
    ])
      expect(publicKey.verify(data, p256Signature(number))).toEqual({ valid: false });
  });

  test('an ed25519 signature whose s was raised by the group order', () => {
    const key = generatePrivateKey('ed25519');
    const signature = key.sign(data, 'ssh-ed25519');
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(signature.subarray(-32).toReversed()).toString('hex')}`) + order;
    const raised = Buffer.from(signature);
    raised.set(Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed(), raised.length - 32);

    expect(key.publicKey.verify(data, signature)).toEqual({ valid: true });
    expect(key.publicKey.verify(data, raised)).toEqual({ valid: false });
  });

  test('one with a changed, missing or added byte, for every kind of key', () => {
    for (const type of ['ed25519', 'ecdsa-p256'] as const) {
      const key = generatePrivateKey(type);
      const algorithm = key.publicKey.algorithms[0] ?? 'ssh-ed25519';
      const signature = key.sign(data, algorithm);

      expect(key.publicKey.verify(data, signature)).toEqual({ valid: true });
      for (let index = 0; index < signature.length; index += 1) {
        const changed = Buffer.from(signature);
        changed[index] = (changed[index] ?? 0) ^ 0x80;
        expect(key.publicKey.verify(data, changed)).toEqual({ valid: false });
        expect(key.publicKey.verify(data, signature.subarray(0, index))).toEqual({ valid: false });
      }
      expect(key.publicKey.verify(data, Buffer.concat([signature, Buffer.of(0)]))).toEqual({ valid: false });
    }
  });

  test('random bytes, behind every algorithm name, without a throw', () => {
    const keys: PublicKey[] = [
      generatePrivateKey('ed25519').publicKey,
      generatePrivateKey('ecdsa-p256').publicKey,
      parsePublicKey(rsa.blob),
      ...securityKeyTypes.map((type) => softwareSecurityKey(type).publicKey),
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...keys),
        fc.uint8Array({ maxLength: 600 }),
        fc.boolean(),
        (key, tail, named) => {
          const name = named ? new WireWriter().string(key.algorithms[0] ?? '').finish() : Buffer.alloc(0);

          expect(key.verify(data, Buffer.concat([name, tail]))).toEqual({ valid: false });
        },
      ),
    );
  });
});

describe('key blobs that are refused', () => {
  const point = Buffer.alloc(32, 9);
  const blobs: readonly (readonly [string, string, Buffer])[] = [
    ['an empty blob', 'malformed', Buffer.alloc(0)],
    ['dsa', 'unsupported-type', new WireWriter().string('ssh-dss').string(point).finish()],
    [
      'a certificate',
      'unsupported-type',
      new WireWriter().string('ssh-ed25519-cert-v01@openssh.com').string(point).string(point).finish(),
    ],
    [
      'ed25519 of 31 bytes',
      'malformed',
      new WireWriter().string('ssh-ed25519').string(point.subarray(1)).finish(),
    ],
    [
      'ed25519 with a tail',
      'malformed',
      new WireWriter().string('ssh-ed25519').string(point).byte(0).finish(),
    ],
    [
      'a point that is not on its curve',
      'malformed',
      new WireWriter().string('ecdsa-sha2-nistp256').string('nistp256').string(Buffer.alloc(65, 4)).finish(),
    ],
    [
      'the point at infinity',
      'malformed',
      new WireWriter().string('ecdsa-sha2-nistp256').string('nistp256').string(Buffer.of(0)).finish(),
    ],
    [
      'a compressed point',
      'malformed',
      new WireWriter().string('ecdsa-sha2-nistp256').string('nistp256').string(Buffer.alloc(33, 2)).finish(),
    ],
    [
      'a curve that is not the type\u2019s',
      'malformed',
      new WireWriter().string('ecdsa-sha2-nistp256').string('nistp384').string(Buffer.alloc(97, 4)).finish(),
    ],
    ['rsa of 1024 bits', 'weak', rsaPair(1024).blob],
    [
      'rsa of 2047 bits',
      'weak',
      rsaBlob(Buffer.of(1, 0, 1), Buffer.concat([Buffer.of(0x7f), Buffer.alloc(255, 1)])),
    ],
    ['rsa of 16392 bits', 'malformed', rsaBlob(Buffer.of(1, 0, 1), Buffer.alloc(2049, 0xff))],
    ['rsa with an even modulus', 'malformed', rsaBlob(Buffer.of(1, 0, 1), Buffer.alloc(256, 0xfe))],
    ['rsa with exponent 1', 'malformed', rsaBlob(Buffer.of(1), Buffer.alloc(256, 0xff))],
    ['rsa with an even exponent', 'malformed', rsaBlob(Buffer.of(4), Buffer.alloc(256, 0xff))],
    [
      'rsa with an exponent that takes minutes',
      'malformed',
      rsaBlob(Buffer.alloc(256, 0xff), Buffer.alloc(256, 0xff)),
    ],
    [
      'a security key with an application of 1 MiB',
      'malformed',
      new WireWriter()
        .string('sk-ssh-ed25519@openssh.com')
        .string(point)
        .string(Buffer.alloc(2 ** 20))
        .finish(),
    ],
    ['a name with escape sequences', 'unsupported-type', new WireWriter().string('\x1b[2Jssh').finish()],
  ];

  test.each(blobs)('%s is %s', (_name, code, blob) => {
    expect(codeOf(() => parsePublicKey(blob))).toBe(code);
  });

  test('an unreadable type does not reach the message', () => {
    const blob = new WireWriter().string('\x1b[2J\nssh').finish();

    expect(() => parsePublicKey(blob)).toThrow(/^a public key of an unreadable type is not usable here/);
  });

  test('random bytes, with and without a type in front, throw nothing but KeyError', () => {
    const types = ['', 'ssh-ed25519', 'ssh-rsa', 'ecdsa-sha2-nistp521', ...securityKeyTypes];
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 300 }), (type, tail) => {
        const blob = Buffer.concat([
          type === '' ? Buffer.alloc(0) : new WireWriter().string(type).finish(),
          tail,
        ]);

        expect(['none', 'malformed', 'weak', 'unsupported-type']).toContain(
          codeOf(() => parsePublicKey(blob)),
        );
      }),
    );
  });

  test('every truncation of a good blob is malformed', () => {
    for (const blob of [rsa.blob, generatePrivateKey('ecdsa-p256').publicKey.blob]) {
      for (let length = 11; length < blob.length; length += 1)
        expect(['malformed', 'unsupported-type']).toContain(
          codeOf(() => parsePublicKey(blob.subarray(0, length))),
        );
    }
  });
});

test('a parsed key keeps nothing of the buffer it came in', () => {
  const packet = Buffer.from(generatePrivateKey('ed25519').publicKey.blob);
  const key = parsePublicKey(packet);
  const before = key.fingerprint;

  packet.fill(0);

  expect(parsePublicKey(key.blob).fingerprint).toBe(before);
  expect(key.blob.buffer.byteLength).toBe(key.blob.length);
});

function rsaBlob(exponent: Buffer, modulus: Buffer): Buffer {
  return new WireWriter().string('ssh-rsa').mpint(exponent).mpint(modulus).finish();
}

function rsaSignature(bytes: Buffer): Buffer {
  return new WireWriter().string('rsa-sha2-512').string(bytes).finish();
}

/** r and s are the same number. */
function p256Signature(number: Buffer): Buffer {
  const body = new WireWriter().mpint(number).mpint(number).finish();
  return new WireWriter().string('ecdsa-sha2-nistp256').string(body).finish();
}

describe('a key that has verified a signature', () => {
  test('is not read again when it comes again, nor changed by whoever wrote over its bytes', () => {
    const privateKey = generatePrivateKey('ed25519');
    const data = Buffer.from('signed');
    const bytes = Buffer.from(privateKey.publicKey.blob);
    const first = parsePublicKey(bytes);
    expect(first.verify(data, privateKey.sign(data, 'ssh-ed25519')).valid).toBe(true);

    const again = parsePublicKey(Buffer.from(privateKey.publicKey.blob));
    bytes.fill(0);

    expect(again).toBe(first);
    expect(again.blob).toEqual(privateKey.publicKey.blob);
    expect(again.verify(Buffer.from('other'), privateKey.sign(data, 'ssh-ed25519')).valid).toBe(false);
  });

  test('is kept apart from one that was only offered or signed wrongly', () => {
    const privateKey = generatePrivateKey('ed25519');
    const { blob } = privateKey.publicKey;
    const offered = parsePublicKey(blob);
    offered.verify(Buffer.from('other'), privateKey.sign(Buffer.from('signed'), 'ssh-ed25519'));

    expect(parsePublicKey(blob)).not.toBe(offered);
  });
});
