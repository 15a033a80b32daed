type CliErrorCode =
  | 'bad-input'
  | 'code-refused'
  | 'not-found'
  | 'not-running'
  | 'not-verifiable'
  | 'not-verified'
  | 'unreachable'
  | 'unusable-data';

/** A sentence for whoever typed the command: what is wrong and what to do next. Printed without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: CliErrorCode;

  constructor(code: CliError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
