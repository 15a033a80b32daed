export type KeyErrorCode =
  /** A key type that is not read here (DSA, a certificate, a curve without SSH name). */
  | 'unsupported-type'
  | 'malformed'
  /** An RSA modulus below 2048 bits. */
  | 'weak'
  /** A private key behind a passphrase, which was not given or is another one. */
  | 'encrypted'
  /** A cipher or derivation of a key file that is not read here. */
  | 'unsupported-encryption'
  /** A comment or pattern that would break the line it is written to. */
  | 'invalid-text'
  /** A signature algorithm the key cannot make. */
  | 'unsupported-algorithm'
  /** A signer elsewhere whose answer its own public key does not verify. */
  | 'bad-signer'
  /** A private key whose secret is not in this process. */
  | 'not-exportable';

/** A key, or the text of one, that cannot be used; the message says what to do next. */
export class KeyError extends Error {
  override readonly name = 'KeyError';
  readonly code: KeyErrorCode;

  constructor(code: KeyErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
