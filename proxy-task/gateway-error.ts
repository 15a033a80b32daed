export class GatewayError extends Error {
  override readonly name = 'GatewayError';
  readonly code: 'port-taken' | 'port-forbidden' | 'cannot-listen' | 'no-host-key';

  constructor(code: GatewayError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}
