import type { SignatureAlgorithm } from '../keys/contract.ts';

/** What a public key algorithm name in a publickey request stands for (RFC 4252 §7, RFC 8332 §3, PROTOCOL.certkeys). */
export type SignatureUse = {
  /** Algorithm inside the signature blob. */
  readonly algorithm: SignatureAlgorithm;
  /** Type of the plain key, as in its blob. */
  readonly keyType: string;
  /** The blob is a certificate of that key. */
  readonly certified: boolean;
};

/** Never `ssh-rsa`: that name asks for a SHA-1 signature. */
export function signatureUse(name: string): SignatureUse | undefined {
  return uses.get(name);
}

/** The name a certificate for a key that signs with `algorithm` goes by in a request. */
export function certificateAlgorithmName(algorithm: string): string {
  return `${algorithm.replace(/@openssh\.com$/, '')}-cert-v01@openssh.com`;
}

const keyTypes: readonly (readonly [SignatureAlgorithm, string])[] = [
  ['ssh-ed25519', 'ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384'],
  ['ecdsa-sha2-nistp521', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-256', 'ssh-rsa'],
  ['rsa-sha2-512', 'ssh-rsa'],
  ['sk-ssh-ed25519@openssh.com', 'sk-ssh-ed25519@openssh.com'],
  ['sk-ecdsa-sha2-nistp256@openssh.com', 'sk-ecdsa-sha2-nistp256@openssh.com'],
];

/** What the server side takes, for `server-sig-algs` (RFC 8308 §3.1). */
export const acceptedSignatureAlgorithms: readonly SignatureAlgorithm[] = keyTypes.map(
  ([algorithm]) => algorithm,
);

const uses: ReadonlyMap<string, SignatureUse> = new Map(
  keyTypes.flatMap(([algorithm, keyType]): [string, SignatureUse][] => [
    [algorithm, { algorithm, keyType, certified: false }],
    [certificateAlgorithmName(algorithm), { algorithm, keyType, certified: true }],
  ]),
);
