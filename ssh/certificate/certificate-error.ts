export type CertificateErrorCode =
  /** Not a certificate, or of a key type that is not read here. */
  | 'unsupported-type'
  | 'malformed'
  /** More bytes, principals or options than are read here. */
  | 'too-large'
  /** An RSA modulus below 2048 bits, certified or signing. */
  | 'weak'
  /** What was to be minted is not a certificate others would or should accept. */
  | 'invalid-spec';

/** A certificate that cannot be read or must not be made. Whether a readable one is good for something is a `CertificateRefusal`. */
export class CertificateError extends Error {
  override readonly name = 'CertificateError';
  readonly code: CertificateErrorCode;

  constructor(code: CertificateErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
