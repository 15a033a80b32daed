import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  formatKnownHostsLine,
  formatPublicKeyLine,
  generatePrivateKey,
  KeyError,
  parsePublicKeyLine,
} from '../../../ssh/keys/index.ts';
import { keygenDirectory } from './ssh-keygen.ts';

const keygen = keygenDirectory();
const { publicKey } = generatePrivateKey('ed25519');
const base64 = publicKey.blob.toString('base64');

function refusal(act: () => unknown): KeyError {
  try {
    act();
  } catch (error) {
    if (error instanceof KeyError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}

describe('a public key line', () => {
  test('reads back what was written, whatever the comment', () => {
    const comments = fc
      .string({ unit: 'grapheme' })
      .map((text) => text.replace(/[\p{C}\p{Z}]+/gu, ' ').trim());
    fc.assert(
      fc.property(comments, (comment) => {
        const line = formatPublicKeyLine(publicKey, comment);

        const read = parsePublicKeyLine(line);

        expect(read.comment).toBe(comment);
        expect(read.publicKey.blob.equals(publicKey.blob)).toBe(true);
      }),
    );
  });

  test('is read with any white space around and between its parts', () => {
    const read = parsePublicKeyLine(`  ssh-ed25519\t ${base64}   two words \r\n`);

    expect(read.comment).toBe('two words');
  });

  test.each([
    ['options', `command="id" ssh-ed25519 ${base64}`, 'malformed', /options/],
    ['a flag option', `no-pty ssh-ed25519 ${base64}`, 'malformed', /options/],
    ['a certificate', `ssh-ed25519-cert-v01@openssh.com ${base64}`, 'unsupported-type', /-cert\.pub/],
    ['a private key', '-----BEGIN OPENSSH PRIVATE KEY-----', 'malformed', /private key/],
    ['dsa', 'ssh-dss AAAAB3NzaC1kc3M=', 'unsupported-type', /"ssh-dss"/],
    ['a type that is not the one inside', `ssh-rsa ${base64}`, 'malformed', /another key type/],
    ['base64 with a hole', `ssh-ed25519 ${base64.slice(0, 20)}!${base64.slice(20)}`, 'malformed', /base64/],
    ['base64 in the url alphabet', `ssh-ed25519 ${base64.slice(0, -1)}_`, 'malformed', /base64/],
    ['no base64', 'ssh-ed25519', 'malformed', /one line/],
    ['two lines', `ssh-ed25519 ${base64}\nssh-ed25519 ${base64}`, 'malformed', /one line/],
    ['an escape sequence in the comment', `ssh-ed25519 ${base64} \x1b[31mroot`, 'malformed', /control/],
    ['a direction override in the comment', `ssh-ed25519 ${base64} \u202etoor`, 'malformed', /control/],
    ['spaces that invite backtracking', `ssh-ed25519 a${' '.repeat(16_000)}\nx`, 'malformed', /one line/],
    ['nothing', '', 'malformed', /one line/],
    ['20 KiB', 'x'.repeat(20 * 1024), 'malformed', /16384/],
  ])('with %s is refused and says why', (_name, text, code, message) => {
    const error = refusal(() => parsePublicKeyLine(text));

    expect(error.code).toBe(code);
    expect(error.message).toMatch(message);
  });

  test('of random text is a key or a KeyError', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
        fc.boolean(),
        (text, prefixed) => {
          const line = prefixed ? `ssh-ed25519 ${text}` : text;

          expect(refusal(() => parsePublicKeyLine(line)).code).toMatch(/malformed|unsupported-type/);
        },
      ),
    );
  });

  test('is not written with a comment that would begin another line', () => {
    expect(refusal(() => formatPublicKeyLine(publicKey, 'a\nssh-ed25519 AAAA')).code).toBe('invalid-text');
  });
});

describe('a known_hosts line', () => {
  test('is found by ssh-keygen under each of its names', () => {
    const line = formatKnownHostsLine({ patterns: ['web-1', '[192.0.2.7]:2022'], publicKey });
    keygen.write('known_hosts', `${line}\n`);

    expect(keygen.run(['-F', 'web-1', '-f', 'known_hosts'])).toContain(base64);
    expect(keygen.run(['-F', '[192.0.2.7]:2022', '-f', 'known_hosts'])).toContain(base64);
  });

  test('of an authority carries the marker', () => {
    const line = formatKnownHostsLine({
      patterns: ['*.example.com', '!old.example.com'],
      publicKey,
      authority: true,
    });

    expect(line).toBe(`@cert-authority *.example.com,!old.example.com ssh-ed25519 ${base64}`);
    keygen.write('authorities', `${line}\n`);
    expect(keygen.run(['-F', 'web.example.com', '-f', 'authorities'])).toContain('CA');
  });

  test.each([['a b'], ['a,b'], ['a\nb'], [''], ['@revoked'], ['#a'], ['|1|x'], ['a\0'], ['a\u202eb']])(
    'is not written with the pattern %j',
    (pattern) => {
      expect(refusal(() => formatKnownHostsLine({ patterns: [pattern], publicKey })).code).toBe(
        'invalid-text',
      );
    },
  );

  test('is not written without a pattern', () => {
    expect(refusal(() => formatKnownHostsLine({ patterns: [], publicKey })).code).toBe('invalid-text');
  });
});
