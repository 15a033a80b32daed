import { SocketAddress } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ProxyHeaderReader, type ProxyHeaderStep } from '../../proxy-task/proxy-protocol.ts';
import { header, tcp4, tcp6, tlv } from './proxy-header.ts';

const ssh = Buffer.from('SSH-2.0-OpenSSH_9.9\r\n');

/** Pushes in pieces until the reader has decided; says how many bytes belonged to the header. */
function read(
  bytes: Buffer,
  pieceBytes = bytes.length,
): { readonly step: ProxyHeaderStep; readonly used: number } {
  const reader = new ProxyHeaderReader();
  let step: ProxyHeaderStep = { kind: 'more' };
  let used = 0;
  for (let at = 0; at < bytes.length && step.kind === 'more'; at += pieceBytes) {
    const piece = bytes.subarray(at, at + pieceBytes);
    step = reader.push(piece);
    used += step.kind === 'header' ? step.taken : piece.length;
  }
  return { step, used };
}

const source6 = Buffer.from('20010db8000000000000000000000001', 'hex');
const vpcEndpoint = tlv(0xea, Buffer.from('\u0001vpce-08d2bf15fac5001c9'));

const good: Record<string, { readonly bytes: Buffer; readonly header: object }> = {
  'ok/tcp over IPv4': {
    bytes: tcp4([203, 0, 113, 9], 51_234),
    header: { kind: 'proxied', address: '203.0.113.9', port: 51_234 },
  },
  'ok/tcp over IPv6': {
    bytes: tcp6(source6, 1),
    header: { kind: 'proxied', address: '2001:db8::1', port: 1 },
  },
  'ok/an IPv4 address in IPv6 form is that address': {
    bytes: tcp6(Buffer.from('00000000000000000000ffffcb007109', 'hex'), 80),
    header: { kind: 'proxied', address: '203.0.113.9', port: 80 },
  },
  'ok/what balancers add is skipped': {
    bytes: tcp4([203, 0, 113, 9], 7, Buffer.concat([vpcEndpoint, tlv(0x04, Buffer.alloc(300))])),
    header: { kind: 'proxied', address: '203.0.113.9', port: 7 },
  },
  'ok/an empty addition': {
    bytes: tcp4([203, 0, 113, 9], 7, tlv(0x04, Buffer.alloc(0))),
    header: { kind: 'proxied', address: '203.0.113.9', port: 7 },
  },
  'ok/the balancer for itself': { bytes: header(0x20, 0x00, Buffer.alloc(0)), header: { kind: 'local' } },
  'ok/the balancer for itself, with addresses to ignore': {
    bytes: header(0x20, 0x11, Buffer.alloc(12, 9)),
    header: { kind: 'local' },
  },
};

const bad: Record<string, { readonly bytes: Buffer; readonly reason: string }> = {
  'fail/an SSH identification': { bytes: ssh, reason: 'proxy-header-missing' },
  'fail/version 1': {
    bytes: Buffer.from('PROXY TCP4 203.0.113.9 192.0.2.1 51234 22\r\n'),
    reason: 'proxy-header-missing',
  },
  'fail/a signature with one byte changed': {
    bytes: Buffer.from('0d0a0d0a000d0a515549540b2111000c', 'hex'),
    reason: 'proxy-header-missing',
  },
  'fail/version 1 in binary': {
    bytes: header(0x11, 0x11, Buffer.alloc(12)),
    reason: 'proxy-header-malformed',
  },
  'fail/version 3': { bytes: header(0x31, 0x11, Buffer.alloc(12)), reason: 'proxy-header-malformed' },
  'fail/a command that does not exist': {
    bytes: header(0x22, 0x11, Buffer.alloc(12)),
    reason: 'proxy-header-malformed',
  },
  'fail/no family': { bytes: header(0x21, 0x00, Buffer.alloc(0)), reason: 'proxy-header-malformed' },
  'fail/UDP': { bytes: header(0x21, 0x12, Buffer.alloc(12)), reason: 'proxy-header-malformed' },
  'fail/a unix socket': { bytes: header(0x21, 0x31, Buffer.alloc(216)), reason: 'proxy-header-malformed' },
  'fail/IPv4 too short': { bytes: header(0x21, 0x11, Buffer.alloc(11)), reason: 'proxy-header-malformed' },
  'fail/IPv6 too short': { bytes: header(0x21, 0x21, Buffer.alloc(35)), reason: 'proxy-header-malformed' },
  'fail/an addition that is cut': {
    bytes: tcp4([203, 0, 113, 9], 7, vpcEndpoint.subarray(0, -1)),
    reason: 'proxy-header-malformed',
  },
  'fail/an addition without length': {
    bytes: tcp4([203, 0, 113, 9], 7, Buffer.from([4, 0])),
    reason: 'proxy-header-malformed',
  },
  'fail/an addition longer than the header': {
    bytes: tcp4([203, 0, 113, 9], 7, Buffer.from([4, 0xff, 0xff])),
    reason: 'proxy-header-malformed',
  },
  'fail/larger than any header': {
    bytes: header(0x21, 0x11, Buffer.alloc(2033)).subarray(0, 16),
    reason: 'proxy-header-malformed',
  },
  'fail/the largest length there is': {
    bytes: header(0x20, 0x00, Buffer.alloc(65_535)),
    reason: 'proxy-header-malformed',
  },
};

describe('a header', () => {
  test.each(Object.entries(good))('%s', (_, { bytes, header: expected }) => {
    const { step, used } = read(Buffer.concat([bytes, ssh]));

    expect(step).toMatchObject({ kind: 'header', header: expected });
    expect(used).toBe(bytes.length);
  });

  test.each(Object.entries(good))('%s, byte by byte', (_, { bytes, header: expected }) => {
    const { step, used } = read(Buffer.concat([bytes, ssh]), 1);

    expect(step).toMatchObject({ kind: 'header', header: expected });
    expect(used).toBe(bytes.length);
  });

  test.each(Object.entries(good))('%s, cut anywhere, is not decided on', (_, { bytes }) => {
    for (let length = 0; length < bytes.length; length += 1)
      expect(read(bytes.subarray(0, length), 7).step).toEqual({ kind: 'more' });
  });

  test('of the largest size is read, and one byte more is not', () => {
    const room = 2048 - 16 - 12 - 3;

    const largest = read(tcp4([203, 0, 113, 9], 7, tlv(4, Buffer.alloc(room)))).step;
    const larger = read(tcp4([203, 0, 113, 9], 7, tlv(4, Buffer.alloc(room + 1)))).step;

    expect(largest.kind).toBe('header');
    expect(larger).toEqual({ kind: 'refused', reason: 'proxy-header-malformed' });
  });
});

describe('what is no header', () => {
  test.each(Object.entries(bad))('%s', (_, { bytes, reason }) => {
    expect(read(bytes).step).toEqual({ kind: 'refused', reason });
    expect(read(bytes, 1).step).toEqual({ kind: 'refused', reason });
  });

  test('is refused at its first byte, without waiting for more', () => {
    expect(read(Buffer.from('S')).step).toEqual({ kind: 'refused', reason: 'proxy-header-missing' });
  });
});

test('every address and port comes out as it went in, in whatever pieces', () => {
  const piece = fc.integer({ min: 1, max: 80 });
  const bytes16 = fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(
      bytes16,
      fc.nat(65_535),
      piece,
      fc.uint8Array({ maxLength: 200 }),
      (source, port, size, extra) => {
        const groups = Array.from({ length: 8 }, (_, i) =>
          Buffer.from(source)
            .readUInt16BE(i * 2)
            .toString(16),
        );
        const bytes = tcp6(source, port, tlv(0xe0, extra));

        const { step, used } = read(Buffer.concat([bytes, ssh]), size);

        expect(used).toBe(bytes.length);
        expect(step).toMatchObject({ kind: 'header', header: { kind: 'proxied', port } });
        const address = step.kind === 'header' && step.header.kind === 'proxied' ? step.header.address : '';
        const canonical = new SocketAddress({ family: 'ipv6', address: groups.join(':') }).address;
        expect(address).toBe(canonical.replace(/^::ffff:(?=\d+\.)/, ''));
      },
    ),
  );
});

test('any bytes are a header, none, or the beginning of one', () => {
  const hostile = fc.tuple(fc.nat(16), fc.uint8Array({ maxLength: 300 })).map(([kept, rest]) => {
    return Buffer.concat([tcp4([203, 0, 113, 9], 7).subarray(0, kept), rest]);
  });
  fc.assert(
    fc.property(hostile, fc.integer({ min: 1, max: 40 }), (bytes, size) => {
      const inPieces = read(bytes, size).step;
      const atOnce = read(bytes).step;

      expect(inPieces.kind).toBe(atOnce.kind);
    }),
    { numRuns: 1000 },
  );
});
