import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { KeyError, type KeyErrorCode, parsePrivateKey } from '../../../ssh/keys/index.ts';
import { temporaryFolder } from '../../support/temporary-folder.ts';

const passphrase = 'correct horse, Pferd: ü';

function keygen(...options: readonly string[]): { readonly text: string; readonly publicLine: string } {
  const file = join(temporaryFolder(), 'key');
  const made = spawnSync('ssh-keygen', ['-q', '-N', passphrase, '-f', file, '-C', 'test', ...options]);
  expect(made.status, made.stderr.toString()).toBe(0);
  return { text: readFileSync(file, 'utf8'), publicLine: readFileSync(`${file}.pub`, 'utf8') };
}

function codeOf(work: () => unknown): KeyErrorCode | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof KeyError) return error.code;
    throw error;
  }
}

describe('a private key that ssh-keygen encrypted', () => {
  it.each([
    ['aes256-ctr', ['-t', 'ed25519']],
    ['aes128-ctr', ['-t', 'ecdsa']],
    ['aes192-ctr', ['-t', 'ed25519']],
    ['aes256-cbc', ['-t', 'ed25519']],
    ['aes128-gcm@openssh.com', ['-t', 'ed25519']],
    ['aes256-gcm@openssh.com', ['-t', 'rsa', '-b', '2048']],
  ])('with %s is read by its passphrase alone', (cipher, type) => {
    const { text, publicLine } = keygen('-Z', cipher, '-a', '4', ...type);

    const key = parsePrivateKey(text, passphrase);

    expect(publicLine).toContain(key.publicKey.blob.toString('base64'));
    expect(codeOf(() => parsePrivateKey(text))).toBe('encrypted');
    expect(codeOf(() => parsePrivateKey(text, `${passphrase}x`))).toBe('encrypted');
    expect(codeOf(() => parsePrivateKey(text, ''))).toBe('encrypted');
  });

  it.each([
    ['a cipher that is not read', ['-Z', '3des-cbc', '-a', '4']],
    ['rounds that would take minutes', ['-a', '300']],
  ])('with %s is refused before anything is computed', (_what, options) => {
    const { text } = keygen('-t', 'ed25519', ...options);

    expect(codeOf(() => parsePrivateKey(text, passphrase))).toBe('unsupported-encryption');
  });

  it('and that was damaged is refused with no other error than its own', () => {
    const { text } = keygen('-t', 'ed25519', '-a', '1');
    const lines = text.split('\n').slice(1, -2).join('');
    const bytes = Buffer.from(lines, 'base64');

    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (index, flip) => {
        const damaged = Buffer.from(bytes);
        damaged[index] = (damaged[index] ?? 0) ^ flip;
        const file = `-----BEGIN OPENSSH PRIVATE KEY-----\n${damaged.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
        codeOf(() => parsePrivateKey(file, passphrase));
      }),
      { numRuns: 60 },
    );
  });
});

describe('an encrypted key in PEM', () => {
  it('is read by its passphrase alone', () => {
    const { privateKey } = generateKeyPairSync('ed25519');
    const text = privateKey
      .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase })
      .toString();

    const key = parsePrivateKey(text, passphrase);

    expect(key.publicKey.type).toBe('ssh-ed25519');
    expect(codeOf(() => parsePrivateKey(text))).toBe('encrypted');
    expect(codeOf(() => parsePrivateKey(text, 'another'))).toBe('encrypted');
  });
});
