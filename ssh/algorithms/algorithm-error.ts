/** A peer's key exchange value that cannot be used, or a name no table holds. */
export class AlgorithmError extends Error {
  override readonly name = 'AlgorithmError';
  readonly code: 'bad-public-value' | 'unknown-algorithm';

  constructor(code: AlgorithmError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
