/** `contended`: others kept changing the request. */
export type GrantErrorCode = 'contended';

export class GrantError extends Error {
  override readonly name = 'GrantError';
  readonly code: GrantErrorCode;

  constructor(code: GrantErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
