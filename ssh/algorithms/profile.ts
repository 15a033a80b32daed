import type { SignatureAlgorithm } from '../keys/contract.ts';
import type { AlgorithmPreferences } from '../transport/contract.ts';

/** What is offered to engineers, and which signatures of theirs are taken. */
export type AlgorithmProfile = {
  readonly transport: AlgorithmPreferences;
  readonly userSignatures: readonly SignatureAlgorithm[];
};

export type ProfileName = 'modern' | 'compatible' | 'fips';

const mlKem = ['mlkem768x25519-sha256'] as const;
/** The only post-quantum one of OpenSSH 8.5 to 9.8. */
const sntrup = ['sntrup761x25519-sha512', 'sntrup761x25519-sha512@openssh.com'] as const;
const curve25519 = ['curve25519-sha256', 'curve25519-sha256@libssh.org'] as const;
const keyExchange = [...mlKem, ...sntrup, ...curve25519] as const;
const nistExchange = ['ecdh-sha2-nistp256', 'ecdh-sha2-nistp384', 'ecdh-sha2-nistp521'] as const;
const groupExchange = ['diffie-hellman-group16-sha512', 'diffie-hellman-group14-sha256'] as const;
const gcm = ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com'] as const;
const ctr = ['aes256-ctr', 'aes128-ctr'] as const;
const cipher = [...gcm, 'chacha20-poly1305@openssh.com', ...ctr] as const;
const etm = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'] as const;
const plainMac = ['hmac-sha2-256', 'hmac-sha2-512'] as const;

const ed25519HostKey = ['ssh-ed25519'] as const;
const ecdsaHostKey = ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp521'] as const;
const rsaHostKey = ['rsa-sha2-512', 'rsa-sha2-256'] as const;

const nistSignatures = [...ecdsaHostKey, 'sk-ecdsa-sha2-nistp256@openssh.com', ...rsaHostKey] as const;
const userSignatures = ['ssh-ed25519', 'sk-ssh-ed25519@openssh.com', ...nistSignatures] as const;

/** Certificates first: a client that trusts an authority needs no key on file. */
function certifiedFirst(names: readonly string[]): readonly string[] {
  return [...names.map((name) => `${name}-cert-v01@openssh.com`), ...names];
}

/** Towards engineers, by the name in the configuration. */
export const algorithmProfiles: Readonly<Record<ProfileName, AlgorithmProfile>> = {
  /** Few and strong. */
  modern: {
    transport: { keyExchange, hostKey: certifiedFirst(ed25519HostKey), cipher, mac: etm },
    userSignatures,
  },
  /** Also for clients without X25519, without encrypt-then-MAC, or without Ed25519. */
  compatible: {
    transport: {
      keyExchange: [...keyExchange, ...nistExchange, ...groupExchange],
      hostKey: certifiedFirst([...ed25519HostKey, ...ecdsaHostKey, ...rsaHostKey]),
      cipher,
      mac: [...etm, ...plainMac],
    },
    userSignatures,
  },
  /** What SP 800-56A, FIPS 186-5 and FIPS 197 name, as OpenSSH lets it be negotiated: NIST curves, AES, SHA-2. */
  fips: {
    transport: {
      keyExchange: nistExchange,
      hostKey: certifiedFirst([...ecdsaHostKey, ...rsaHostKey]),
      cipher: [...gcm, ...ctr],
      mac: etm,
    },
    userSignatures: nistSignatures,
  },
};

export const modernAlgorithms: AlgorithmPreferences = algorithmProfiles.modern.transport;

/**
 * Towards targets: also what old servers have. To make a key of sntrup761, which is the client's part, keeps every session waiting for
 * some 10 ms, so it is for targets that have nothing else of their time.
 */
export const targetAlgorithms: AlgorithmPreferences = {
  ...algorithmProfiles.compatible.transport,
  keyExchange: [
    ...mlKem,
    ...curve25519,
    ...sntrup,
    ...nistExchange,
    ...groupExchange,
    'diffie-hellman-group18-sha512',
  ],
};
