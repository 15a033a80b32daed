/** A message, key or certificate whose bytes do not encode what they should (RFC 4251 §5). */
export class WireError extends Error {
  override readonly name = 'WireError';
  readonly code: 'truncated' | 'malformed';

  constructor(code: 'truncated' | 'malformed', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
