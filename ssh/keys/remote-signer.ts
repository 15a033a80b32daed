import { createPublicKey, type KeyObject } from 'node:crypto';
import { WireWriter } from '../wire/index.ts';
import type { PrivateKey, RemoteSigner, SignatureAlgorithm } from './contract.ts';
import { KeyError } from './key-error.ts';
import { ecdsaSignatureBody } from './private-key.ts';
import { publicKeyFromKeyObject } from './public-key.ts';

export type RemoteSignerSource = {
  readonly algorithm: 'ed25519' | 'ecdsa-p256-sha256';
  /** DER SubjectPublicKeyInfo. */
  readonly publicKeySpki: Buffer;
  /** Signs the message itself, not a digest: 64 bytes for Ed25519, DER for ECDSA (as KMS answers). */
  sign(message: Uint8Array): Promise<Buffer>;
};

/**
 * Makes an SSH signer of one that knows nothing of SSH. The first answer is verified with the public key, so that a
 * signer and a public key that do not belong together are found before anything is handed out.
 *
 * @throws KeyError `malformed` or `unsupported-type` where the public key is not one of the algorithm.
 * `sign` rejects with KeyError `bad-signer`, or with what the source rejects with.
 */
export function remoteSigner(from: RemoteSignerSource): RemoteSigner {
  const publicKey = publicKeyFromKeyObject(readSpki(from.publicKeySpki));
  const algorithm: SignatureAlgorithm = from.algorithm === 'ed25519' ? 'ssh-ed25519' : 'ecdsa-sha2-nistp256';
  if (publicKey.type !== algorithm)
    throw new KeyError(
      'unsupported-type',
      `the signer's public key is ${publicKey.type} but it signs ${algorithm}`,
    );
  let known = false;
  return {
    publicKey,
    async sign(data) {
      const answer = await from.sign(data);
      const body = algorithm === 'ssh-ed25519' ? ed25519Body(answer) : ecdsaBody(answer);
      const signature = new WireWriter(160).string(algorithm).string(body).finish();
      if (!known && !publicKey.verify(data, signature).valid)
        throw new KeyError(
          'bad-signer',
          "the signer's answer does not verify with its public key; check that both name the same key",
        );
      known = true;
      return signature;
    },
  };
}

/** A key held here, in the place of one held elsewhere. */
export function privateKeyAsRemoteSigner(key: PrivateKey): RemoteSigner {
  const algorithm = key.publicKey.algorithms[0];
  if (algorithm === undefined)
    throw new KeyError('unsupported-algorithm', `a ${key.publicKey.type} key has no algorithm to sign with`);
  return { publicKey: key.publicKey, sign: async (data) => key.sign(data, algorithm) };
}

function readSpki(spki: Buffer): KeyObject {
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch (cause) {
    throw new KeyError('malformed', "a signer's public key is not a DER SubjectPublicKeyInfo", { cause });
  }
}

function ed25519Body(answer: Buffer): Buffer {
  if (answer.length !== 64)
    throw new KeyError(
      'bad-signer',
      `an ed25519 signature of ${answer.length} bytes came back instead of 64`,
    );
  return answer;
}

/** DER `SEQUENCE { INTEGER r, INTEGER s }` (RFC 3279 §2.2.3) of P-256, whose lengths all fit one byte. */
function ecdsaBody(answer: Buffer): Buffer {
  const r = derInteger(answer, 2);
  const s = r === undefined ? undefined : derInteger(answer, r.end);
  const headed = answer[0] === 0x30 && answer[1] === answer.length - 2;
  if (!headed || r === undefined || s === undefined || s.end !== answer.length)
    throw new KeyError('bad-signer', 'an ecdsa signature came back that is not the DER form of two numbers');
  return ecdsaSignatureBody(r.magnitude, s.magnitude);
}

function derInteger(
  bytes: Buffer,
  at: number,
): { readonly magnitude: Buffer; readonly end: number } | undefined {
  const length = bytes[at + 1];
  const first = bytes[at + 2];
  if (bytes[at] !== 0x02 || length === undefined || first === undefined) return undefined;
  if (length < 1 || length > 33 || (first & 0x80) !== 0 || at + 2 + length > bytes.length) return undefined;
  return { magnitude: bytes.subarray(at + 2, at + 2 + length), end: at + 2 + length };
}
