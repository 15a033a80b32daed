/** `terminal`: the emulator cannot be used; `too-large`: what was asked for would not fit where it is to be shown. */
export type ReplayErrorCode = 'terminal' | 'too-large' | 'player';

export class ReplayError extends Error {
  override readonly name = 'ReplayError';
  readonly code: ReplayErrorCode;

  constructor(code: ReplayErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
