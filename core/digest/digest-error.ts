export type DigestErrorCode =
  /** Bytes that are no digest. */
  | 'invalid'
  /** The newest digest of a stream is not signed by the key that goes on. */
  | 'key-changed'
  /** Another writer has put a digest of this number. */
  | 'conflict'
  /** What is to be covered does not follow on what was. */
  | 'out-of-order';

export class DigestError extends Error {
  override readonly name = 'DigestError';
  readonly code: DigestErrorCode;

  constructor(code: DigestErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
