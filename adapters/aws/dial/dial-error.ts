export type DialErrorCode = 'no-plugin' | 'no-session' | 'broken' | 'not-pushed';

/** Why EC2 Instance Connect took no key. */
export type PushRefusal =
  | 'invalid'
  | 'no-instance'
  | 'not-running'
  | 'unavailable'
  | 'denied'
  | 'throttled'
  | 'refused';

export class DialError extends Error {
  override readonly name = 'DialError';
  readonly code: DialErrorCode;
  /** Of `not-pushed`. */
  readonly refusal: PushRefusal | undefined;

  constructor(
    code: DialErrorCode,
    message: string,
    options: ErrorOptions & { readonly refusal?: PushRefusal } = {},
  ) {
    super(message, options);
    this.code = code;
    this.refusal = options.refusal;
  }
}
