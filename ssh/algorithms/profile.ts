import type { AlgorithmPreferences } from '../transport/contract.ts';

const keyExchange = ['mlkem768x25519-sha256', 'curve25519-sha256', 'curve25519-sha256@libssh.org'] as const;
const cipher = ['aes256-gcm@openssh.com', 'aes128-gcm@openssh.com', 'aes256-ctr', 'aes128-ctr'] as const;
const mac = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com'] as const;

/** Towards engineers: few and strong. */
export const modernAlgorithms: AlgorithmPreferences = {
  keyExchange,
  hostKey: ['ssh-ed25519-cert-v01@openssh.com', 'ssh-ed25519'],
  cipher,
  mac,
};

/** Towards targets: also what servers without Ed25519 or curve25519 have. Certificates come first. */
export const targetAlgorithms: AlgorithmPreferences = {
  keyExchange: [...keyExchange, 'ecdh-sha2-nistp256'],
  hostKey: [
    'ssh-ed25519-cert-v01@openssh.com',
    'ecdsa-sha2-nistp256-cert-v01@openssh.com',
    'rsa-sha2-512-cert-v01@openssh.com',
    'rsa-sha2-256-cert-v01@openssh.com',
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ],
  cipher,
  mac,
};
