import { createCipheriv, createECDH, createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { packetMac } from '../../../ssh/algorithms/aes-ctr.ts';
import { nistSecret, x25519Secret } from '../../../ssh/algorithms/elliptic-curve.ts';
import { type PacketSealer, sealerNamed } from '../../../ssh/algorithms/index.ts';
import { decapsulated } from '../../../ssh/algorithms/ml-kem-768.ts';
import { privateKeyFromKeyObject } from '../../../ssh/keys/private-key.ts';
import { WireReader } from '../../../ssh/wire/index.ts';
import ciphers from '../../vectors/ssh-algorithms/ciphers.json' with { type: 'json' };
import keyExchange from '../../vectors/ssh-algorithms/key-exchange.json' with { type: 'json' };
import macs from '../../vectors/ssh-algorithms/macs.json' with { type: 'json' };
import mlkem from '../../vectors/ssh-algorithms/ml-kem-768.json' with { type: 'json' };
import signatures from '../../vectors/ssh-algorithms/signatures.json' with { type: 'json' };
import { ghash, poly1305 } from './reference-mac.ts';

const bytes = (hex: string) => Buffer.from(hex, 'hex');

describe('key exchange', () => {
  it.each(keyExchange.x25519)('X25519 gives what $source says', ({ privateKey, peerValue, secret }) => {
    const own = privateKeyFrom('302e020100300506032b656e04220420', privateKey);

    expect(x25519Secret(own, bytes(peerValue)).toString('hex')).toBe(secret);
  });

  it.each(keyExchange.ecdh)('$method gives what $source says', ({ curve, privateKey, peerValue, secret }) => {
    const own = createECDH(curve);
    own.setPrivateKey(bytes(privateKey));

    expect(nistSecret(own, bytes(peerValue)).toString('hex')).toBe(secret);
  });

  it('ML-KEM-768 makes the public key that belongs to a seed', () => {
    const spki = createPublicKey(mlkemKey(mlkem.seed)).export({ format: 'der', type: 'spki' });

    const key = spki.subarray(-1184).toString('hex');
    expect(key.startsWith(mlkem.keyStartsWith)).toBe(true);
    expect(key.endsWith(mlkem.keyEndsWith)).toBe(true);
  });

  it('ML-KEM-768 answers a forged ciphertext with the secret that only the key’s owner can compute', () => {
    const secret = decapsulated(mlkemKey(mlkem.seed), bytes(mlkem.forgedCiphertext));

    expect(secret.toString('hex')).toBe(mlkem.secret);
  });
});

describe('ciphers', () => {
  it.each(ciphers.ctr)('$cipher encrypts as $source says', ({ cipher, key, iv, plain, sealed }) => {
    const sealer = sealerNamed(cipher, 'hmac-sha2-256-etm@openssh.com', () => ({
      key: bytes(key),
      iv: bytes(iv),
      macKey: Buffer.alloc(32),
    }));

    const packet = packetOf(sealer, bytes(plain), 0);

    expect(packet.subarray(4, 68).toString('hex')).toBe(sealed);
  });

  it.each(ciphers.gcm)('$cipher encrypts as $source says', ({ cipher, key, iv, plain, sealed }) => {
    const sealer = sealerNamed(cipher, 'implicit', () => ({
      key: bytes(key),
      iv: bytes(iv),
      macKey: Buffer.alloc(0),
    }));

    const packet = packetOf(sealer, bytes(plain), 0);

    expect(packet.subarray(4, 68).toString('hex')).toBe(sealed);
    expect(packet.subarray(68)).toEqual(
      ghash({ key: bytes(key), iv: bytes(iv), additional: packet.subarray(0, 4), sealed: bytes(sealed) }),
    );
  });

  it.each(ciphers.gcm)('$cipher: the tag computed here agrees with $source', (vector) => {
    const tag = ghash({
      key: bytes(vector.key),
      iv: bytes(vector.iv),
      additional: Buffer.alloc(0),
      sealed: bytes(vector.sealed),
    });

    expect(tag.toString('hex')).toBe(vector.tagWithoutAdditionalData);
  });

  it('chacha20-poly1305 takes length, MAC key and payload from the blocks RFC 8439 lists', () => {
    const [keyBlock, payloadBlock] = ciphers.chacha20Streams.map(({ stream }) => bytes(stream));
    if (keyBlock === undefined || payloadBlock === undefined) throw new Error('the vectors are incomplete');

    // Under a key of zeroes both streams are the same, and zeroes encrypt to the stream itself.
    const packet = packetOf(chachaSealer(), Buffer.alloc(64), 0);

    const length = Buffer.from(keyBlock.subarray(0, 4));
    length[3] = (length[3] ?? 0) ^ 64;
    const authenticated = Buffer.concat([length, payloadBlock]);
    expect(packet).toEqual(Buffer.concat([authenticated, poly1305(keyBlock.subarray(0, 32), authenticated)]));
  });

  it('chacha20-poly1305 takes the packet number as its nonce', () => {
    const block = bytes(ciphers.chacha20Streams[2]?.stream ?? '');

    const packet = packetOf(chachaSealer(), Buffer.alloc(64), 2);

    const length = Buffer.from(block.subarray(0, 4));
    length[3] = (length[3] ?? 0) ^ 64;
    expect(packet.subarray(0, 4)).toEqual(length);
    expect(packet.subarray(68)).toEqual(poly1305(block.subarray(0, 32), packet.subarray(0, 68)));
  });
});

describe('MACs', () => {
  it.each(macs.hmac)('HMAC over number and packet gives what $source says', (vector) => {
    const data = bytes(vector.data);
    for (const hash of ['sha256', 'sha512'] as const) {
      const tagOf = packetMac({ hash }, createSecretKey(bytes(vector.key)));

      expect(tagOf(data.readUInt32BE(0), data.subarray(4)).toString('hex')).toBe(vector[hash]);
    }
  });

  it.each(macs.poly1305)('Poly1305 as computed here gives what $source says', ({ key, data, tag }) => {
    expect(poly1305(bytes(key), bytes(data)).toString('hex')).toBe(tag);
  });

  it('chacha20-poly1305 authenticates packets of any length under any key', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 64, maxLength: 64 }),
        fc.integer({ min: 1, max: 200 }),
        fc.nat(0xffff_ffff),
        (key, blocks, sequence) => {
          const plain = Buffer.alloc(8 * blocks, 0xa5);

          const iv = Buffer.alloc(16);
          iv.writeUInt32BE(sequence, 12);
          const macKey = createCipheriv('chacha20', key.subarray(0, 32), iv).update(Buffer.alloc(32));

          const packet = packetOf(chachaSealer(Buffer.from(key)), plain, sequence);

          const end = 4 + plain.length;
          expect(packet.subarray(end)).toEqual(poly1305(macKey, packet.subarray(0, end)));
        },
      ),
      { numRuns: 20 },
    );
  });
});

describe('signatures', () => {
  it.each(signatures.ed25519)('ssh-ed25519 signs as $source says', (vector) => {
    const key = privateKeyFromKeyObject(
      privateKeyFrom('302e020100300506032b657004220420', vector.privateKey),
    );

    const signature = new WireReader(key.sign(bytes(vector.message), 'ssh-ed25519'));

    expect(key.publicKey.blob.subarray(-32).toString('hex')).toBe(vector.publicKey);
    expect(signature.text()).toBe('ssh-ed25519');
    expect(signature.string().toString('hex')).toBe(vector.signature);
  });
});

function privateKeyFrom(pkcs8Prefix: string, key: string) {
  return createPrivateKey({ key: bytes(pkcs8Prefix + key), format: 'der', type: 'pkcs8' });
}

/** A PKCS #8 key that holds nothing but the seed (RFC 9935 §6). */
function mlkemKey(seed: string) {
  return privateKeyFrom('3054020100300b060960864801650304040204428040', seed);
}

function chachaSealer(key: Buffer = Buffer.alloc(64)): PacketSealer {
  const nothing = Buffer.alloc(0);
  return sealerNamed('chacha20-poly1305@openssh.com', 'implicit', () => ({
    key,
    iv: nothing,
    macKey: nothing,
  }));
}

function packetOf(sealer: PacketSealer, plain: Buffer, sequence: number): Buffer {
  const out = Buffer.alloc(4 + plain.length + sealer.tagBytes);
  sealer.seal(plain, sequence, out, 0);
  return out;
}
