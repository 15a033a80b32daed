export type NotifierErrorCode = 'invalid-url' | 'unreachable' | 'deadline' | 'refused';

/** Its messages name the receiver's origin only: webhook paths are often secrets. */
export class NotifierError extends Error {
  override readonly name = 'NotifierError';
  readonly code: NotifierErrorCode;

  constructor(code: NotifierErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
