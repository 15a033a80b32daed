export type SealingErrorCode = 'bad-key' | 'bad-randomness' | 'not-sealed' | 'damaged' | 'truncated';

export class SealingError extends Error {
  override readonly name = 'SealingError';
  readonly code: SealingErrorCode;

  constructor(code: SealingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
