/** A message of RFC 4254 whose bytes do not encode what they should, or whose fields are longer than any honest peer's. */
export class ConnectionError extends Error {
  override readonly name = 'ConnectionError';
  readonly code: 'malformed' | 'too-long';

  constructor(code: 'malformed' | 'too-long', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
