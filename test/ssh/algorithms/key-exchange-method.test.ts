import { createPrivateKey } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { x25519Secret } from '../../../ssh/algorithms/elliptic-curve.ts';
import { AlgorithmError, keyExchangeNamed } from '../../../ssh/algorithms/index.ts';
import { errorOf } from '../transport/linked-transports.ts';

const methods = [
  'mlkem768x25519-sha256',
  'sntrup761x25519-sha512',
  'sntrup761x25519-sha512@openssh.com',
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
] as const;

describe.each(methods)('%s', (name) => {
  it('gives both ends the same secret, and another one each time', () => {
    const secrets = new Set<string>();
    for (let round = 0; round < 16; round += 1) {
      const initiator = keyExchangeNamed(name).initiate();
      const { publicValue, secret } = keyExchangeNamed(name).respond(initiator.publicValue);

      expect(initiator.finish(publicValue)).toEqual(secret);
      secrets.add(secret.toString('hex'));
    }
    expect(secrets.size).toBe(16);
  });

  it('refuses values of another length', () => {
    const { publicValue } = keyExchangeNamed(name).initiate();
    const answer = keyExchangeNamed(name).respond(publicValue).publicValue;

    for (const bad of [
      Buffer.alloc(0),
      publicValue.subarray(1),
      Buffer.concat([publicValue, Buffer.alloc(1)]),
    ])
      expect(() => keyExchangeNamed(name).respond(bad)).toThrow(AlgorithmError);
    for (const bad of [Buffer.alloc(0), answer.subarray(1), Buffer.concat([answer, Buffer.alloc(1)])])
      expect(() => keyExchangeNamed(name).initiate().finish(bad)).toThrow(AlgorithmError);
  });

  it('takes random values of the right length without any other error than its own', () => {
    const { length } = keyExchangeNamed(name).initiate().publicValue;
    fc.assert(
      fc.property(fc.uint8Array({ minLength: length, maxLength: length }), (bytes) => {
        const error = errorOf(() => keyExchangeNamed(name).respond(Buffer.from(bytes)));

        expect(error === undefined || error instanceof AlgorithmError).toBe(true);
      }),
      { numRuns: 30 },
    );
  });
});

describe('curve25519', () => {
  // RFC 7748 §6.1; points of low order from RFC 7748 §7 and Curve25519's own page.
  const lowOrder = [
    '0000000000000000000000000000000000000000000000000000000000000000',
    '0100000000000000000000000000000000000000000000000000000000000000',
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
    '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
    'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  ];

  it('agrees with RFC 7748', () => {
    const alice = '77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a';
    const bob = 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f';
    const pkcs8 = Buffer.from(`302e020100300506032b656e04220420${alice}`, 'hex');
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });

    const secret = x25519Secret(privateKey, Buffer.from(bob, 'hex'));

    expect(secret.toString('hex')).toBe('4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742');
  });

  it.each(lowOrder)('refuses the point of low order %s', (point) => {
    const value = Buffer.from(point, 'hex');

    expect(() => keyExchangeNamed('curve25519-sha256').respond(value)).toThrow(AlgorithmError);
    expect(() => keyExchangeNamed('curve25519-sha256').initiate().finish(value)).toThrow(AlgorithmError);
    expect(() => {
      const { publicValue } = keyExchangeNamed('mlkem768x25519-sha256').initiate();
      keyExchangeNamed('mlkem768x25519-sha256').respond(
        Buffer.concat([publicValue.subarray(0, 1184), value]),
      );
    }).toThrow(AlgorithmError);
  });
});

describe('ecdh-sha2-nistp256', () => {
  it('refuses points that are not on the curve, compressed or at infinity', () => {
    const { publicValue } = keyExchangeNamed('ecdh-sha2-nistp256').initiate();
    const offCurve = Buffer.from(publicValue);
    offCurve.writeUInt8(offCurve.readUInt8(64) ^ 1, 64);
    const compressed = Buffer.concat([Buffer.from([2]), publicValue.subarray(1, 33)]);
    const infinity = Buffer.from([0]);
    const hybrid = Buffer.from(publicValue);
    hybrid[0] = 6 + (publicValue.readUInt8(64) & 1);

    for (const bad of [offCurve, compressed, infinity, hybrid])
      expect(() => keyExchangeNamed('ecdh-sha2-nistp256').respond(bad)).toThrow(AlgorithmError);
  });
});

describe('mlkem768x25519-sha256', () => {
  it('sends 1216 and 1120 bytes and hashes its secret as a string of 32', () => {
    const initiator = keyExchangeNamed('mlkem768x25519-sha256').initiate();
    const { publicValue, secret } = keyExchangeNamed('mlkem768x25519-sha256').respond(initiator.publicValue);

    expect([initiator.publicValue.length, publicValue.length]).toEqual([1184 + 32, 1088 + 32]);
    expect([secret.length, secret.readUInt32BE(0)]).toEqual([36, 32]);
  });

  it('refuses an ML-KEM key whose coefficients are not reduced', () => {
    const { publicValue } = keyExchangeNamed('mlkem768x25519-sha256').initiate();
    const forged = Buffer.concat([Buffer.alloc(1184, 0xff), publicValue.subarray(1184)]);

    expect(() => keyExchangeNamed('mlkem768x25519-sha256').respond(forged)).toThrow(AlgorithmError);
  });

  it('gives another secret for a changed ciphertext (implicit rejection)', () => {
    const initiator = keyExchangeNamed('mlkem768x25519-sha256').initiate();
    const { publicValue, secret } = keyExchangeNamed('mlkem768x25519-sha256').respond(initiator.publicValue);
    const forged = Buffer.from(publicValue);
    forged.writeUInt8(forged.readUInt8(0) ^ 1, 0);

    expect(initiator.finish(forged)).not.toEqual(secret);
  });
});

describe('a secret hashed as mpint', () => {
  it('never has a superfluous leading zero and is never negative', () => {
    for (let round = 0; round < 300; round += 1) {
      const initiator = keyExchangeNamed('curve25519-sha256').initiate();
      const secret = initiator.finish(
        keyExchangeNamed('curve25519-sha256').respond(initiator.publicValue).publicValue,
      );
      const body = secret.subarray(4);

      expect(secret.readUInt32BE(0)).toBe(body.length);
      expect(body.readUInt8(0) & 0x80).toBe(0);
      expect(body.readUInt8(0) !== 0 || (body.readUInt8(1) & 0x80) !== 0).toBe(true);
    }
  });
});
