import { poly1305 } from '@noble/ciphers/_poly1305.js';
import { chacha20orig } from '@noble/ciphers/chacha.js';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  openerNamed,
  type PacketOpener,
  type PacketSealer,
  sealerNamed,
} from '../../../ssh/algorithms/index.ts';

const gcm = ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com'].map((cipher) => ({
  cipher,
  mac: 'implicit',
}));
const withMac = ['aes256-ctr', 'aes128-ctr'].flatMap((cipher) =>
  ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'].map(
    (mac) => ({ cipher, mac }),
  ),
);
const chacha = { cipher: 'chacha20-poly1305@openssh.com', mac: 'implicit' };
const suites = [...gcm, chacha, ...withMac];

const derive = (lengths: { ivBytes: number; keyBytes: number; macKeyBytes: number }) => ({
  iv: Buffer.alloc(lengths.ivBytes, 1),
  key: Buffer.alloc(lengths.keyBytes, 2),
  macKey: Buffer.alloc(lengths.macKeyBytes, 3),
});

const zeroes = (lengths: { ivBytes: number; keyBytes: number }) => ({
  iv: Buffer.alloc(lengths.ivBytes),
  key: Buffer.alloc(lengths.keyBytes),
  macKey: Buffer.alloc(32),
});

function pair(cipher: string, mac: string): { sealer: PacketSealer; opener: PacketOpener } {
  return { sealer: sealerNamed(cipher, mac, derive), opener: openerNamed(cipher, mac, derive) };
}

function sealed(sealer: PacketSealer, plain: Buffer, sequence: number): Buffer {
  const out = Buffer.alloc(4 + plain.length + sealer.tagBytes);
  expect(sealer.seal(plain, sequence, out, 0)).toBe(out.length);
  return out;
}

function opened(opener: PacketOpener, packet: Buffer, sequence: number): Buffer | undefined {
  const length = opener.readLength(packet, 0, sequence);
  if (4 + length + opener.tagBytes !== packet.length) return undefined;
  return opener.open(packet, 0, length, sequence);
}

/** Plain packets that align under both layouts: with and without the length field. */
function plainFor(sealer: PacketSealer, blocks: number, fill: number): Buffer {
  return Buffer.alloc(16 * blocks - (sealer.lengthAligned ? 4 : 0), fill);
}

describe.each(suites)('$cipher with $mac', ({ cipher, mac }) => {
  it('opens what it sealed, packet after packet', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 200 }), fc.nat(255)), { maxLength: 8 }),
        (shapes) => {
          const { sealer, opener } = pair(cipher, mac);

          for (const [sequence, [blocks, fill]] of shapes.entries()) {
            const plain = plainFor(sealer, blocks, fill);
            expect(opened(opener, sealed(sealer, plain, sequence), sequence)).toEqual(plain);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  it('refuses a packet with any one bit flipped', () => {
    const plain = plainFor(pair(cipher, mac).sealer, 2, 9);
    const packet = sealed(pair(cipher, mac).sealer, plain, 0);

    for (let index = 0; index < packet.length; index += 1) {
      const forged = Buffer.from(packet);
      forged.writeUInt8(forged.readUInt8(index) ^ (1 << (index % 8)), index);
      expect(opened(pair(cipher, mac).opener, forged, 0)).toBeUndefined();
    }
  });

  it('refuses a packet that follows a lost one', () => {
    const { sealer, opener } = pair(cipher, mac);
    sealed(sealer, plainFor(sealer, 1, 1), 0);
    const second = sealed(sealer, plainFor(sealer, 1, 2), 1);

    expect(opened(opener, second, 0)).toBeUndefined();
  });

  it('takes random bytes without failing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 128, maxLength: 128 }), (bytes) => {
        const { opener } = pair(cipher, mac);
        const packet = Buffer.from(bytes);
        opener.readLength(packet, 0, 0);
        expect(opener.open(packet, 0, 128 - 4 - opener.tagBytes, 0)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });

  it('gives memory of its own', () => {
    const { sealer, opener } = pair(cipher, mac);
    const packet = sealed(sealer, plainFor(sealer, 2, 7), 0);

    const plain = opened(opener, packet, 0);
    packet.fill(0);

    expect(plain).toEqual(plainFor(sealer, 2, 7));
  });
});

describe('a packet whose MAC covers its number', () => {
  it.each([chacha, ...withMac])('is refused under another number: $cipher $mac', ({ cipher, mac }) => {
    const { sealer, opener } = pair(cipher, mac);

    expect(opened(opener, sealed(sealer, plainFor(sealer, 1, 1), 5), 6)).toBeUndefined();
  });
});

describe('chacha20-poly1305@openssh.com', () => {
  it('lays packets out as OpenSSH describes it, here made by another implementation of both primitives', () => {
    const key = Buffer.from(Array.from({ length: 64 }, (_, index) => (index * 7) & 0xff));
    const plain = Buffer.from(Array.from({ length: 40 }, (_, index) => index));
    const sequence = 0x01020304;
    const nonce = Buffer.from('0000000001020304', 'hex');
    const length = Buffer.from('00000028', 'hex');

    const packet = sealed(
      sealerNamed('chacha20-poly1305@openssh.com', 'implicit', () => ({
        iv: Buffer.alloc(0),
        key: Buffer.from(key),
        macKey: Buffer.alloc(0),
      })),
      plain,
      sequence,
    );

    const [packetKey, lengthKey] = [key.subarray(0, 32), key.subarray(32)];
    const body = Buffer.concat([
      chacha20orig(lengthKey, nonce, length),
      chacha20orig(packetKey, nonce, plain, undefined, 1),
    ]);
    const tag = poly1305(body, chacha20orig(packetKey, nonce, new Uint8Array(32)));
    expect(packet).toEqual(Buffer.concat([body, tag]));
  });
});

describe('published vectors', () => {
  it('Poly1305 of RFC 8439 §2.5.2', () => {
    const key = Buffer.from('85d6be7857556d337f4452fe42d506a80103808afb0db2fd4abff6af4149f51b', 'hex');

    const tag = poly1305(Buffer.from('Cryptographic Forum Research Group'), key);

    expect(Buffer.from(tag).toString('hex')).toBe('a8061dc1305136c6c22b8baf0c0127a9');
  });

  it.each([
    // McGrew and Viega, The Galois/Counter Mode of Operation, test cases 2 and 14.
    ['aes128-gcm@openssh.com', '0388dace60b6a392f328c2b971b2fe78'],
    ['aes256-gcm@openssh.com', 'cea7403d4d606b6e074ec5d3baf39d18'],
  ])('%s encrypts a block of zeroes', (cipher, expected) => {
    const packet = sealed(sealerNamed(cipher, 'implicit', zeroes), Buffer.alloc(16), 0);

    expect(packet.subarray(4, 20).toString('hex')).toBe(expected);
  });

  it.each([
    // NIST SP 800-38A F.5.1 and F.5.5.
    ['aes128-ctr', '2b7e151628aed2a6abf7158809cf4f3c', '874d6191b620e3261bef6864990db6ce'],
    [
      'aes256-ctr',
      '603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4',
      '601ec313775789a5b7a7f504bbf3d228',
    ],
  ])('%s encrypts as NIST says', (cipher, key, expected) => {
    const derive = () => ({
      iv: Buffer.from('f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff', 'hex'),
      key: Buffer.from(key, 'hex'),
      macKey: Buffer.alloc(32),
    });
    const plain = Buffer.from('6bc1bee22e409f96e93d7e117393172a', 'hex');

    const packet = sealed(sealerNamed(cipher, 'hmac-sha2-256-etm@openssh.com', derive), plain, 0);

    expect(packet.subarray(4, 20).toString('hex')).toBe(expected);
  });

  it('counts GCM invocations from the derived IV, carrying over all eight bytes and no further', () => {
    const iv = Buffer.from('aabbccddffffffffffffffff', 'hex');
    const next = Buffer.from('aabbccdd0000000000000000', 'hex');
    const derivingFrom = (start: Buffer) => () => ({
      iv: Buffer.from(start),
      key: Buffer.alloc(16),
      macKey: Buffer.alloc(0),
    });
    const carried = sealerNamed('aes128-gcm@openssh.com', 'implicit', derivingFrom(iv));
    const fresh = sealerNamed('aes128-gcm@openssh.com', 'implicit', derivingFrom(next));

    sealed(carried, Buffer.alloc(16), 0);

    expect(sealed(carried, Buffer.alloc(16), 1)).toEqual(sealed(fresh, Buffer.alloc(16), 0));
  });
});
