export type FunctionErrorCode =
  /** What it was called with is not what it takes. */
  | 'bad-request'
  /** The runbooks beside its code cannot be used, or have not the one that was asked for. */
  | 'runbooks'
  /** The configuration in Parameter Store cannot be used. */
  | 'configuration'
  /** It did a part, and says which it did not. */
  | 'incomplete';

/** What functions throw, so that their callers try again or somebody looks. */
export class FunctionError extends Error {
  override readonly name = 'FunctionError';
  readonly code: FunctionErrorCode;

  constructor(code: FunctionErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
