/** Why an end of ours cannot go on; stable codes. */
export type EndpointErrorCode =
  /** The peer refused to open the channel; `reason` is its code (RFC 4254 §5.1). */
  | 'open-refused'
  /** The channel is closed. */
  | 'channel-closed'
  /** The connection is over. */
  | 'connection-ended'
  /** More requests wait for their answer than are kept. */
  | 'too-many-requests'
  /** The peer broke RFC 4254; costs its connection. */
  | 'protocol';

export class EndpointError extends Error {
  override readonly name = 'EndpointError';
  readonly code: EndpointErrorCode;
  readonly reason: number | undefined;

  constructor(
    code: EndpointErrorCode,
    message: string,
    options: ErrorOptions & { readonly reason?: number } = {},
  ) {
    super(message, options);
    this.code = code;
    this.reason = options.reason;
  }
}
