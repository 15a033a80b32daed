/** A fault of what the caller passed in, never of what an engineer typed. */
export class TotpError extends Error {
  override readonly name = 'TotpError';
  readonly code: 'bad-secret' | 'bad-randomness';

  constructor(code: 'bad-secret' | 'bad-randomness', message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
