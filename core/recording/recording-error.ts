export type RecordingErrorCode = 'invalid-manifest' | 'invalid-cast' | 'missing' | 'mismatch';

/** A recording that cannot be read, or is not what its manifest says. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
  readonly code: RecordingErrorCode;

  constructor(code: RecordingErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
