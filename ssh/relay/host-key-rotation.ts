import { encodeGlobalRequest, encodeRequestSuccess } from '../connection/index.ts';
import type { PrivateKey, SignatureAlgorithm } from '../keys/contract.ts';
import type { Transport } from '../transport/contract.ts';
import { WireError, WireReader, WireWriter } from '../wire/index.ts';

export const hostKeysRequest = 'hostkeys-00@openssh.com';
export const hostKeysProofRequest = 'hostkeys-prove-00@openssh.com';

/** A client asks once. Signatures cost more than what asks for them. */
const maxProofs = 4;

/** Tells the client all keys of this host and proves those it asks about, so that it can learn a new one before the old one goes (OpenSSH PROTOCOL §2.5). */
export class HostKeyRotation {
  readonly #hostKeys: readonly PrivateKey[];
  #proofs = 0;

  constructor(hostKeys: readonly PrivateKey[]) {
    this.#hostKeys = hostKeys;
  }

  /** Undefined where there are no keys to tell. */
  announcement(): Buffer | undefined {
    if (this.#hostKeys.length === 0) return undefined;
    const keys = new WireWriter();
    for (const { publicKey } of this.#hostKeys) keys.string(publicKey.blob);
    return encodeGlobalRequest({
      type: hostKeysRequest,
      wantReply: false,
      detail: { kind: 'other', data: keys.finish() },
    });
  }

  /**
   * REQUEST_SUCCESS with a signature by each key asked about, bound to this connection; undefined where one is not ours, none is asked
   * about, the question cannot be read, or it was asked too often.
   */
  prove(asked: Buffer, transport: Pick<Transport, 'sessionId' | 'negotiated'>): Buffer | undefined {
    this.#proofs += 1;
    if (this.#proofs > maxProofs) return undefined;
    const keys = this.#readKeys(asked);
    if (keys === undefined) return undefined;
    const signatures = new WireWriter();
    for (const key of keys) {
      const { blob } = key.publicKey;
      const signed = new WireWriter()
        .string(hostKeysProofRequest)
        .string(transport.sessionId)
        .string(blob)
        .finish();
      signatures.string(key.sign(signed, signatureAlgorithm(key, transport.negotiated.hostKey)));
    }
    return encodeRequestSuccess(signatures.finish());
  }

  #readKeys(asked: Buffer): readonly PrivateKey[] | undefined {
    try {
      return this.#keysAsked(new WireReader(asked));
    } catch (error) {
      if (error instanceof WireError) return undefined;
      throw error;
    }
  }

  /** @throws WireError */
  #keysAsked(reader: WireReader): readonly PrivateKey[] | undefined {
    const keys = new Set<PrivateKey>();
    while (reader.remaining > 0) {
      const blob = reader.string();
      const key = this.#hostKeys.find(({ publicKey }) => publicKey.blob.equals(blob));
      if (key === undefined || keys.has(key)) return undefined;
      keys.add(key);
    }
    return keys.size === 0 ? undefined : [...keys];
  }
}

/** An RSA key signs as was agreed for the key exchange where that was with one, too; OpenSSH's client expects no other. */
function signatureAlgorithm({ publicKey }: PrivateKey, negotiated: string): SignatureAlgorithm {
  if (publicKey.type === 'ssh-rsa')
    return negotiated.startsWith('rsa-sha2-256') ? 'rsa-sha2-256' : 'rsa-sha2-512';
  const [best] = publicKey.algorithms;
  if (best === undefined)
    throw new TypeError(`a host key of type ${publicKey.type} has no signature algorithm`);
  return best;
}
