import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdentificationReader, ownIdentification } from '../../../ssh/transport/identification.ts';
import { TransportError } from '../../../ssh/transport/index.ts';
import { errorOf } from './linked-transports.ts';

const push = (role: 'client' | 'server', text: string) =>
  new IdentificationReader(role).push(Buffer.from(text, 'latin1'));

describe('the version exchange', () => {
  it('reads a line with CR LF or LF and says what follows it', () => {
    expect(push('server', 'SSH-2.0-x y\r\nrest')).toEqual({ line: Buffer.from('SSH-2.0-x y'), taken: 13 });
    expect(push('client', 'SSH-2.0-x\nrest')).toEqual({ line: Buffer.from('SSH-2.0-x'), taken: 10 });
  });

  it('gives the same line however the bytes arrive', () => {
    const bytes = Buffer.from('welcome\r\n\r\nto a host\nSSH-1.99-OpenSSH_9.9 comment\r\nmore');
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 9 })), (cuts) => {
        const reader = new IdentificationReader('client');
        let start = 0;
        let line: Buffer | undefined;
        for (const cut of [...cuts, bytes.length]) {
          line = reader.push(bytes.subarray(start, start + cut))?.line;
          start += cut;
          if (line !== undefined) break;
        }
        expect(line?.toString()).toBe('SSH-1.99-OpenSSH_9.9 comment');
      }),
    );
  });

  it.each([
    ['a client that begins with something else', 'server', 'GET / HTTP/1.1\r\n'],
    ['a client that sends a banner', 'server', 'hello\r\nSSH-2.0-x\r\n'],
    ['a client that begins with an empty line', 'server', '\r\nSSH-2.0-x\r\n'],
    ['a client of version 1.99', 'server', 'SSH-1.99-x\r\n'],
    ['version 1', 'client', 'SSH-1.5-x\r\n'],
    ['a zero byte', 'client', 'SSH-2.0-\0x\r\n'],
    ['a line of 256 bytes', 'client', `SSH-2.0-${'x'.repeat(246)}\r\n`],
    ['a banner line that never ends', 'client', 'x'.repeat(256)],
  ] as const)('refuses %s', (_what, role, text) => {
    expect(() => push(role, text)).toThrow(expect.objectContaining({ code: 'bad-identification' }));
  });

  it('takes a line of exactly 255 bytes', () => {
    const text = `SSH-2.0-${'x'.repeat(245)}`;

    expect(push('server', `${text}\r\n`)?.line.toString()).toBe(text);
  });

  it('lets a server say 50 lines before its version, and not 51', () => {
    expect(push('client', `${'hi\r\n'.repeat(50)}SSH-2.0-x\r\n`)?.line.toString()).toBe('SSH-2.0-x');
    expect(() => push('client', `${'hi\r\n'.repeat(51)}SSH-2.0-x\r\n`)).toThrow(
      expect.objectContaining({ code: 'limit-exceeded' }),
    );
  });

  it('lets a server say 8 KiB before its version, and not more', () => {
    expect(() => push('client', `${`${'x'.repeat(250)}\r\n`.repeat(33)}SSH-2.0-x\r\n`)).toThrow(
      expect.objectContaining({ code: 'limit-exceeded' }),
    );
  });

  it('ends in a line or in its own error for random bytes', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 600 }),
        fc.constantFrom('client' as const, 'server' as const),
        (bytes, role) => {
          const error = errorOf(() => new IdentificationReader(role).push(Buffer.from(bytes)));

          expect(error === undefined || error instanceof TransportError).toBe(true);
        },
      ),
    );
  });
});

describe('our own version', () => {
  it('is a line of its own', () => {
    expect(ownIdentification('sshtrail_0.1 gateway').toString()).toBe('SSH-2.0-sshtrail_0.1 gateway');
  });

  it.each(['', 'a-b', 'a\r\nb', 'a\u00e9', 'x'.repeat(246)])('is never %j', (version) => {
    expect(() => ownIdentification(version)).toThrow(expect.objectContaining({ code: 'bad-options' }));
  });
});
