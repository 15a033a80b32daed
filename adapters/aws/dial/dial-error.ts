export type DialErrorCode = 'no-plugin' | 'no-session' | 'broken' | 'not-pushed';

export class DialError extends Error {
  override readonly name = 'DialError';
  readonly code: DialErrorCode;

  constructor(code: DialErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
