/** Signature algorithm names that may be used (RFC 4253, RFC 5656, RFC 8332, RFC 8709). SHA-1 `ssh-rsa` signatures are never made or accepted. */
export type SignatureAlgorithm =
  | 'ssh-ed25519'
  | 'ecdsa-sha2-nistp256'
  | 'ecdsa-sha2-nistp384'
  | 'ecdsa-sha2-nistp521'
  | 'rsa-sha2-256'
  | 'rsa-sha2-512'
  | 'sk-ssh-ed25519@openssh.com'
  | 'sk-ecdsa-sha2-nistp256@openssh.com';

/** What a FIDO2 authenticator asserted with a signature (OpenSSH PROTOCOL.u2f). */
export type SecurityKeyAssertion = {
  readonly userPresent: boolean;
  readonly userVerified: boolean;
  readonly counter: number;
};

/** `assertion` is there for sk keys only. */
export type Verification =
  | { readonly valid: false }
  | { readonly valid: true; readonly assertion?: SecurityKeyAssertion };

/** A plain (not certified) public key in SSH form. */
export interface PublicKey {
  /** Key type as in the key blob, e.g. `ssh-ed25519`, `ssh-rsa`, `ecdsa-sha2-nistp256`. */
  readonly type: string;
  /** RFC 4253 §6.6 key blob. */
  readonly blob: Buffer;
  /** `SHA256:` and unpadded base64, as ssh-keygen -l prints it. */
  readonly fingerprint: string;
  /** Signature algorithms this key can be used with, best first. */
  readonly algorithms: readonly SignatureAlgorithm[];
  /** `signature` is the whole SSH signature blob, `string algorithm, string bytes[, ...]`. Never throws on hostile bytes. */
  verify(data: Uint8Array, signature: Buffer, allowed?: readonly SignatureAlgorithm[]): Verification;
}

/** A private key held in this process. */
export interface PrivateKey {
  readonly publicKey: PublicKey;
  /** Returns the whole SSH signature blob. */
  sign(data: Uint8Array, algorithm: SignatureAlgorithm): Buffer;
}

/** Signs somewhere else, such as in KMS: the certificate authority's key. */
export interface RemoteSigner {
  readonly publicKey: PublicKey;
  /** Returns the whole SSH signature blob, made with the first of `publicKey.algorithms`. */
  sign(data: Uint8Array): Promise<Buffer>;
}
