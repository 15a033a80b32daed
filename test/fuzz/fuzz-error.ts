/** What keeps the search from being made; the message says what to do. */
export class FuzzError extends Error {
  override readonly name = 'FuzzError';
  readonly code: 'usage' | 'failed';

  constructor(code: 'usage' | 'failed', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
