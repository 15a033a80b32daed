export class ControlApiError extends Error {
  override readonly name = 'ControlApiError';
  readonly code: 'no-credentials' | 'unreachable';

  constructor(code: ControlApiError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
