import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { inspect } from 'node:util';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatPrivateKey,
  formatPublicKeyLine,
  generatePrivateKey,
  KeyError,
  type PrivateKey,
  parsePrivateKey,
} from '../../../ssh/keys/index.ts';
import { keygenDirectory, keygenTypes } from './ssh-keygen.ts';
import { armoredSshsig, sshsigNamespace, sshsigSignedData } from './sshsig.ts';

const keygen = keygenDirectory();
const generatedTypes = ['ed25519', 'ecdsa-p256', 'rsa-3072'] as const;

function codeOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    if (error instanceof KeyError) return error.code;
    throw error;
  }
  return 'none';
}

function pem(key: KeyObject, type: 'pkcs8' | 'pkcs1' | 'sec1', passphrase?: string): string {
  const cipher = passphrase === undefined ? {} : { cipher: 'aes-256-cbc', passphrase };
  return String(key.export({ format: 'pem', type, ...cipher }));
}

/** ssh-keygen judges a signature of `key`, made with each of its algorithms. */
function keygenAccepts(key: PrivateKey): void {
  keygen.write('allowed', `engineer@example.com ${formatPublicKeyLine(key.publicKey)}\n`);
  for (const algorithm of key.publicKey.algorithms) {
    const signature = key.sign(sshsigSignedData('a message'), algorithm);
    const file = keygen.write('message.sig', armoredSshsig(key.publicKey.blob, signature));
    const args = ['-Y', 'verify', '-f', 'allowed', '-I', 'engineer@example.com', '-n', sshsigNamespace];
    expect(keygen.run([...args, '-s', file], 'a message')).toContain(key.publicKey.fingerprint);
  }
}

/** Replaces the bytes of an OpenSSH key file, keeping its frame. */
function rewritten(text: string, change: (bytes: Buffer) => void): string {
  const bytes = Buffer.from(text.replace(/-----[A-Z ]+-----/g, ''), 'base64');
  change(bytes);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

describe('private keys of ssh-keygen', () => {
  test.each(keygenTypes)('$type: parse from its own format, and sign what it verifies', ({ type, args }) => {
    keygen.run([...args, '-q', '-N', '', '-C', 'a comment', '-f', type]);

    const key = parsePrivateKey(keygen.read(type));

    expect(keygen.read(`${type}.pub`)).toBe(`${formatPublicKeyLine(key.publicKey, 'a comment')}\n`);
    keygenAccepts(key);
  });

  const pemFormats = ['PEM', 'PKCS8'].flatMap((format) =>
    keygenTypes.slice(1).map(({ type, args }) => ({ type, args, format })),
  );

  test.each(pemFormats)('$type: parse from $format', ({ type, args, format }) => {
    keygen.run([...args, '-q', '-N', '', '-m', format, '-f', `${type}-${format}`]);

    const key = parsePrivateKey(keygen.read(`${type}-${format}`));

    expect(keygen.read(`${type}-${format}.pub`)).toContain(formatPublicKeyLine(key.publicKey));
  });

  test('with a passphrase are refused with what to do', () => {
    keygen.run(['-t', 'ed25519', '-q', '-N', 'a passphrase', '-f', 'locked']);

    expect(codeOf(() => parsePrivateKey(keygen.read('locked')))).toBe('encrypted');
    expect(() => parsePrivateKey(keygen.read('locked'))).toThrow(/ssh-keygen -p -N ""/);
  });
});

describe('generated keys', () => {
  test.each(generatedTypes)('%s: ssh-keygen reads the written file and finds the same public key', (type) => {
    const key = generatePrivateKey(type);
    keygen.write(type, formatPrivateKey(key, 'made here'));

    const line = keygen.run(['-y', '-f', type]);

    expect(line).toBe(`${formatPublicKeyLine(key.publicKey, 'made here')}\n`);
    expect(parsePrivateKey(keygen.read(type)).publicKey.blob.equals(key.publicKey.blob)).toBe(true);
    keygenAccepts(key);
  });

  test('verify what they signed, and differ', () => {
    const first = generatePrivateKey('ed25519');
    const second = generatePrivateKey('ed25519');
    const signature = first.sign(Buffer.from('data'), 'ssh-ed25519');

    expect(first.publicKey.verify(Buffer.from('data'), signature)).toEqual({ valid: true });
    expect(second.publicKey.verify(Buffer.from('data'), signature)).toEqual({ valid: false });
  });

  test('sign with none but their own algorithms', () => {
    const key = generatePrivateKey('ed25519');

    expect(codeOf(() => key.sign(Buffer.from('data'), 'rsa-sha2-256'))).toBe('unsupported-algorithm');
  });

  test('show nothing of the secret when inspected or serialised', () => {
    const key = generatePrivateKey('ed25519');
    const secret = formatPrivateKey(key, '').split('\n')[2] ?? '';

    expect(secret.length).toBe(70);
    expect(inspect(key, { depth: 20, showHidden: true })).not.toMatch(/PrivateKeyObject/);
    expect(Object.keys(key)).toEqual(['publicKey']);
    expect(JSON.stringify(key)).not.toContain('"d"');
  });

  test('are written with comments of one line only', () => {
    const key = generatePrivateKey('ed25519');

    expect(codeOf(() => formatPrivateKey(key, 'a\nb'))).toBe('invalid-text');
  });

  test('are written whatever length the comment has', () => {
    const key = generatePrivateKey('ed25519');
    for (let length = 0; length < 17; length += 1) {
      const text = formatPrivateKey(key, 'c'.repeat(length));

      expect(parsePrivateKey(text).publicKey.blob.equals(key.publicKey.blob)).toBe(true);
    }
  });

  test('that sign elsewhere cannot be written', () => {
    const { publicKey } = generatePrivateKey('ed25519');

    expect(codeOf(() => formatPrivateKey({ publicKey, sign: () => Buffer.alloc(0) }, ''))).toBe(
      'not-exportable',
    );
  });
});

describe('PEM files', () => {
  const ec = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
  const ed = generateKeyPairSync('ed25519').privateKey;

  test.each([
    ['PKCS#8 ed25519', pem(ed, 'pkcs8'), 'ssh-ed25519'],
    ['PKCS#8 ecdsa', pem(ec, 'pkcs8'), 'ecdsa-sha2-nistp384'],
    ['SEC1 ecdsa', pem(ec, 'sec1'), 'ecdsa-sha2-nistp384'],
    ['PKCS#8 rsa', pem(rsa, 'pkcs8'), 'ssh-rsa'],
    ['PKCS#1 rsa', pem(rsa, 'pkcs1'), 'ssh-rsa'],
  ])('%s: parses, and is rewritten in a form that ssh-keygen reads', (name, text, type) => {
    const key = parsePrivateKey(text);

    keygen.write(name.replaceAll(/\W/g, '-'), formatPrivateKey(key, ''));

    expect(key.publicKey.type).toBe(type);
    expect(keygen.run(['-y', '-f', name.replaceAll(/\W/g, '-')]).trim()).toBe(
      formatPublicKeyLine(key.publicKey),
    );
  });

  test.each([
    ['PKCS#8 with a passphrase', pem(ed, 'pkcs8', 'x'), 'encrypted'],
    ['PKCS#1 with a passphrase', pem(rsa, 'pkcs1', 'x'), 'encrypted'],
    [
      'rsa of 1024 bits',
      pem(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey, 'pkcs8'),
      'weak',
    ],
    [
      'a curve without ssh name',
      pem(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey, 'pkcs8'),
      'unsupported-type',
    ],
    ['a key that only agrees', pem(generateKeyPairSync('x25519').privateKey, 'pkcs8'), 'unsupported-type'],
    ['a damaged body', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n', 'malformed'],
    ['a public key', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n', 'malformed'],
    ['a PuTTY file', 'PuTTY-User-Key-File-3: ssh-ed25519\n', 'malformed'],
    ['nothing', '', 'malformed'],
    ['100 KiB', '-'.repeat(100 * 1024), 'malformed'],
  ])('%s: refused', (_name, text, code) => {
    expect(codeOf(() => parsePrivateKey(text))).toBe(code);
  });

  test('whose public half belongs to another key are refused', () => {
    const other = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
    const der = ec.export({ format: 'der', type: 'pkcs8' });
    const otherDer = other.export({ format: 'der', type: 'pkcs8' });
    otherDer.copy(der, der.length - 97, otherDer.length - 97);
    const text = `-----BEGIN PRIVATE KEY-----\n${der.toString('base64')}\n-----END PRIVATE KEY-----\n`;

    expect(() => createPrivateKey(text)).not.toThrow();
    expect(codeOf(() => parsePrivateKey(text))).toBe('malformed');
  });
});

describe('damaged OpenSSH files', () => {
  const texts = [
    formatPrivateKey(generatePrivateKey('ed25519'), 'c'),
    formatPrivateKey(generatePrivateKey('ecdsa-p256'), 'c'),
  ];

  test('with any byte changed are refused, or hold the same key', () => {
    for (const text of texts) {
      const expected = parsePrivateKey(text).publicKey.fingerprint;
      const length = Buffer.from(text.replace(/-----[A-Z ]+-----/g, ''), 'base64').length;
      for (let index = 0; index < length; index += 1) {
        const changed = rewritten(text, (bytes) => {
          bytes[index] = (bytes[index] ?? 0) ^ 0x01;
        });

        const outcome = outcomeOf(changed);

        expect(['malformed', 'encrypted', 'unsupported-type', expected]).toContain(outcome);
      }
    }
  });

  test('of rsa with exchanged numbers are refused', () => {
    keygen.run(['-t', 'rsa', '-b', '2048', '-q', '-N', '', '-f', 'exchanged']);
    const changed = rewritten(keygen.read('exchanged'), (bytes) => {
      // In the middle of the private exponent, which follows the second copy of the modulus.
      const at = Math.floor(bytes.length / 2);
      bytes[at] = (bytes[at] ?? 0) ^ 0xff;
    });

    expect(codeOf(() => parsePrivateKey(changed))).toBe('malformed');
  });

  test('of random bytes and text throw nothing but KeyError', () => {
    const heads = ['', 'openssh-key-v1\0', 'openssh-key-v1\0\0\0\0\x04none\0\0\0\x04none\0\0\0\0\0\0\0\x01'];
    fc.assert(
      fc.property(fc.constantFrom(...heads), fc.uint8Array({ maxLength: 300 }), (head, tail) => {
        const body = Buffer.concat([Buffer.from(head, 'latin1'), tail]).toString('base64');
        const text = `-----BEGIN OPENSSH PRIVATE KEY-----\n${body}\n-----END OPENSSH PRIVATE KEY-----\n`;

        expect(codeOf(() => parsePrivateKey(text))).not.toBe('none');
      }),
    );
  });

  test('of a security key say where the secret is', () => {
    const text = formatPrivateKey(generatePrivateKey('ed25519'), '').replace(/-----[A-Z ]+-----/g, '');
    const bytes = Buffer.from(text, 'base64');
    const at = bytes.lastIndexOf('ssh-ed25519');
    bytes.write('sk-ed25519x', at, 'latin1');

    const file = `-----BEGIN OPENSSH PRIVATE KEY-----\n${bytes.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----`;

    expect(() => parsePrivateKey(file)).toThrow(/the device/);
  });
});

/** The fingerprint of the key that was read, or the code with which it was refused. */
function outcomeOf(text: string): string {
  try {
    return parsePrivateKey(text).publicKey.fingerprint;
  } catch (error) {
    if (error instanceof KeyError) return error.code;
    throw error;
  }
}
