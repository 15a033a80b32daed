/** A fault of what the caller passed in, never of the text that is looked through. */
export class RedactionError extends Error {
  override readonly name = 'RedactionError';
  readonly code: 'bad-rule' | 'bad-key';

  constructor(code: 'bad-rule' | 'bad-key', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
