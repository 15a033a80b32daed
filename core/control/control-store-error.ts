/** `unreadable` and `unwritable` may pass; `corrupt` needs somebody to look. */
export type ControlStoreErrorCode = 'unreadable' | 'unwritable' | 'corrupt';

export class ControlStoreError extends Error {
  override readonly name = 'ControlStoreError';
  readonly code: ControlStoreErrorCode;

  constructor(code: ControlStoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
