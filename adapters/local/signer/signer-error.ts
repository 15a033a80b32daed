export type SignerErrorCode = 'absent' | 'exists' | 'unsafe' | 'invalid' | 'unreadable' | 'unwritable';

/** Its messages and causes hold the path of the key file, never a byte of it. */
export class SignerError extends Error {
  override readonly name = 'SignerError';
  readonly code: SignerErrorCode;

  constructor(code: SignerErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
