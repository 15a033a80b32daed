import { describe, expect, it } from 'vitest';
import {
  AlgorithmError,
  algorithmProfiles,
  expectMac,
  hostKeyAlgorithmNamed,
  isAuthenticatedCipher,
  keyExchangeNamed,
  modernAlgorithms,
  targetAlgorithms,
} from '../../../ssh/algorithms/index.ts';

describe.each([
  ['modern', modernAlgorithms],
  ['compatible', algorithmProfiles.compatible.transport],
  ['fips', algorithmProfiles.fips.transport],
  ['target', targetAlgorithms],
])('the %s profile', (_name, profile) => {
  it('names only what the tables hold', () => {
    for (const name of profile.keyExchange) expect(keyExchangeNamed(name).hash).toMatch(/^sha/);
    for (const name of profile.hostKey) expect(hostKeyAlgorithmNamed(name).signature).not.toBe('ssh-rsa');
    for (const name of profile.cipher) expect(isAuthenticatedCipher(name)).toBe(/gcm|poly1305/.test(name));
    for (const name of profile.mac) expect(() => expectMac(name)).not.toThrow();
  });

  it('has nothing with SHA-1, CBC or MD5', () => {
    const names = Object.values(profile).flat();

    expect(names.filter((name) => /sha1|cbc|md5|dss|^ssh-rsa/.test(name))).toEqual([]);
  });

  it('prefers the post-quantum exchange, where it has Curve25519 at all', () => {
    const hasCurve25519 = profile.keyExchange.some((name) => name.includes('25519'));

    expect(profile.keyExchange[0]).toBe(hasCurve25519 ? 'mlkem768x25519-sha256' : 'ecdh-sha2-nistp256');
  });
});

describe('the fips profile', () => {
  it('has NIST curves, AES and SHA-2 alone', () => {
    const { transport, userSignatures } = algorithmProfiles.fips;

    const names = [...Object.values(transport).flat(), ...userSignatures];
    expect(names.filter((name) => /25519|chacha|mlkem|curve/.test(name))).toEqual([]);
  });
});

describe('the tables', () => {
  it('refuse unknown names, also those that objects are born with', () => {
    for (const name of ['aes128-cbc', 'constructor', '__proto__', '']) {
      expect(() => keyExchangeNamed(name)).toThrow(AlgorithmError);
      expect(() => hostKeyAlgorithmNamed(name)).toThrow(AlgorithmError);
      expect(() => isAuthenticatedCipher(name)).toThrow(AlgorithmError);
      expect(() => expectMac(name)).toThrow(AlgorithmError);
    }
  });

  it('know an RSA certificate by one key type under two names', () => {
    expect(hostKeyAlgorithmNamed('rsa-sha2-512-cert-v01@openssh.com')).toEqual({
      blobType: 'ssh-rsa-cert-v01@openssh.com',
      keyType: 'ssh-rsa',
      signature: 'rsa-sha2-512',
      certified: true,
    });
  });
});
