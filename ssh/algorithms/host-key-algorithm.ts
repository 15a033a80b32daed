import type { SignatureAlgorithm } from '../keys/contract.ts';
import { AlgorithmError } from './algorithm-error.ts';

/** A host key algorithm name (RFC 4253 §6.6, RFC 8332, OpenSSH PROTOCOL.certkeys) taken apart. */
export type HostKeyAlgorithm = {
  /** Type name inside the blob that is presented. */
  readonly blobType: string;
  /** Type name of the key that signs. */
  readonly keyType: string;
  readonly signature: SignatureAlgorithm;
  readonly certified: boolean;
};

const plain: readonly (readonly [SignatureAlgorithm, string])[] = [
  ['ssh-ed25519', 'ssh-ed25519'],
  ['ecdsa-sha2-nistp256', 'ecdsa-sha2-nistp256'],
  ['ecdsa-sha2-nistp384', 'ecdsa-sha2-nistp384'],
  ['ecdsa-sha2-nistp521', 'ecdsa-sha2-nistp521'],
  ['rsa-sha2-512', 'ssh-rsa'],
  ['rsa-sha2-256', 'ssh-rsa'],
];

const certificateSuffix = '-cert-v01@openssh.com';

const hostKeyAlgorithms: ReadonlyMap<string, HostKeyAlgorithm> = new Map(
  plain.flatMap(([signature, keyType]): [string, HostKeyAlgorithm][] => [
    [signature, { blobType: keyType, keyType, signature, certified: false }],
    [
      signature + certificateSuffix,
      { blobType: keyType + certificateSuffix, keyType, signature, certified: true },
    ],
  ]),
);

/** @throws AlgorithmError `unknown-algorithm`. */
export function hostKeyAlgorithmNamed(name: string): HostKeyAlgorithm {
  const found = hostKeyAlgorithms.get(name);
  if (found === undefined)
    throw new AlgorithmError('unknown-algorithm', `no host key algorithm is called ${name}`);
  return found;
}
