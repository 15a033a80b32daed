/** `usage`: the command line is wrong. `failed`: a measurement could not be made, so there is no figure. */
export class BenchError extends Error {
  override readonly name = 'BenchError';
  readonly code: 'usage' | 'failed';

  constructor(code: BenchError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
