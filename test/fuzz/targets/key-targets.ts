import {
  CertificateError,
  formatCertificateLine,
  parseCertificate,
  parseCertificateLine,
  verifyCertificate,
} from '../../../ssh/certificate/index.ts';
import {
  formatPrivateKey,
  formatPublicKeyLine,
  KeyError,
  parsePrivateKey,
  parsePublicKey,
  parsePublicKeyLine,
} from '../../../ssh/keys/index.ts';
import { expectThat, type FuzzTarget, parserTarget } from '../fuzz-target.ts';
import { hostCertificate, nowSeconds, userCertificate } from './fixed-certificate.ts';
import { authorityKey, ecdsaKey, hostKey, publicKeyBlobs, userKey } from './fixed-keys.ts';

const signed = Buffer.from('what was signed');
const keyTypes = [
  'ssh-ed25519',
  'ssh-rsa',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'nistp256',
  'nistp521',
  'sk-ssh-ed25519@openssh.com',
  'sk-ecdsa-sha2-nistp256@openssh.com',
  'ssh-ed25519-cert-v01@openssh.com',
  'ssh:',
];
export const keyTargets: readonly FuzzTarget[] = [
  parserTarget({
    name: 'public-key',
    about: 'key blobs (RFC 4253 §6.6), and signatures that are noise to them',
    starts: () => publicKeyBlobs,
    tokens: keyTypes,
    family: [KeyError],
    parse: (input) => parsePublicKey(input),
    expect(key, input) {
      expectThat(key.blob.equals(input), 'the blob of a key is not the bytes it was read from');
      expectThat(!key.verify(signed, input).valid, 'a key blob passes for a signature');
    },
  }),
  parserTarget({
    name: 'signature',
    about: 'signature blobs under a key of each kind: none but the genuine one is valid',
    starts: () => [userKey.sign(signed, 'ssh-ed25519')],
    tokens: keyTypes,
    family: [],
    parse: (input) => userKey.publicKey.verify(signed, input).valid,
    expect(valid, input) {
      if (valid) expectThat(input.equals(userKey.sign(signed, 'ssh-ed25519')), 'a second signature is valid');
    },
  }),
  parserTarget({
    name: 'certificate',
    about: 'OpenSSH certificates (PROTOCOL.certkeys), and whether one that was changed is still good',
    starts: () => [userCertificate, hostCertificate],
    tokens: [...keyTypes, 'force-command', 'source-address', 'verify-required', 'permit-pty'],
    family: [CertificateError],
    parse: (input) => parseCertificate(input),
    expect(certificate, input) {
      for (const kind of ['user', 'host'] as const) {
        const verdict = verifyCertificate(certificate, {
          kind,
          authorities: [authorityKey.publicKey],
          principal: kind === 'user' ? 'engineer' : 'web-1',
          sourceAddress: '192.0.2.9',
          nowSeconds,
        });
        const genuine = kind === 'user' ? userCertificate : hostCertificate;
        if (verdict.ok) expectThat(input.equals(genuine), 'a certificate that was changed is good');
      }
    },
  }),
  parserTarget({
    name: 'public-key-line',
    about: 'lines of authorized_keys and .pub files',
    starts: () =>
      publicKeyBlobs.map((blob) => Buffer.from(formatPublicKeyLine(parsePublicKey(blob), 'somebody'))),
    tokens: [...keyTypes, 'AAAA', '==', ' ', '\t', '#'],
    family: [KeyError],
    parse: (input) => parsePublicKeyLine(input.toString('latin1')),
  }),
  parserTarget({
    name: 'certificate-line',
    about: 'lines of -cert.pub files',
    starts: () =>
      [userCertificate, hostCertificate].map((blob) => Buffer.from(formatCertificateLine(blob, 'x'))),
    tokens: [...keyTypes, 'AAAA', '=='],
    family: [CertificateError],
    parse: (input) => parseCertificateLine(input.toString('latin1')),
  }),
  parserTarget({
    name: 'private-key-file',
    about: "private keys in OpenSSH's form and in PEM",
    starts: () => [
      Buffer.from(formatPrivateKey(hostKey, 'host')),
      Buffer.from(formatPrivateKey(ecdsaKey, 'host')),
    ],
    tokens: [
      '-----BEGIN OPENSSH PRIVATE KEY-----',
      '-----BEGIN PRIVATE KEY-----',
      'b3BlbnNzaC1rZXktdjEA',
      'RSA',
      'EC',
    ],
    family: [KeyError],
    parse: (input) => parsePrivateKey(input.toString('latin1')),
    expect(key) {
      const again = parsePrivateKey(formatPrivateKey(key, ''));
      expectThat(again.publicKey.blob.equals(key.publicKey.blob), 'a private key is another once written');
    },
  }),
  parserTarget({
    name: 'private-key-body',
    about: "the inside of OpenSSH's private key form, which is base64 in a file",
    starts: () => [hostKey, ecdsaKey].map((key) => bodyOf(formatPrivateKey(key, 'host'))),
    tokens: [...keyTypes, 'openssh-key-v1', 'none', 'bcrypt', 'aes256-ctr'],
    family: [KeyError],
    parse: (input) =>
      parsePrivateKey(
        `-----BEGIN OPENSSH PRIVATE KEY-----\n${input.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`,
      ),
  }),
];

function bodyOf(text: string): Buffer {
  return Buffer.from(text.split('\n').slice(1, -2).join(''), 'base64');
}
