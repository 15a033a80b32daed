import { DisconnectReason } from '../wire/index.ts';

export type TransportErrorCode =
  | 'aborted'
  | 'backlog-exceeded'
  | 'bad-identification'
  | 'bad-options'
  | 'connect-failed'
  | 'connect-timed-out'
  | 'connection-closed'
  | 'disconnected-by-peer'
  | 'ended-locally'
  | 'handler-failed'
  | 'host-key-refused'
  | 'key-exchange-failed'
  | 'key-exchange-timed-out'
  | 'limit-exceeded'
  | 'no-common-algorithm'
  | 'not-ready'
  | 'packet-forged'
  | 'packet-length'
  | 'protocol-violation'
  | 'write-stalled';

/** Why a transport could not be made, or ended. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  readonly code: TransportErrorCode;

  constructor(code: TransportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The RFC 4253 §11.1 reason the peer is told. */
export function disconnectCodeOf(code: TransportErrorCode): number {
  switch (code) {
    case 'bad-identification':
      return DisconnectReason.protocolVersionNotSupported;
    case 'no-common-algorithm':
    case 'key-exchange-failed':
    case 'key-exchange-timed-out':
      return DisconnectReason.keyExchangeFailed;
    case 'host-key-refused':
      return DisconnectReason.hostKeyNotVerifiable;
    case 'packet-forged':
      return DisconnectReason.macError;
    case 'connect-failed':
    case 'connect-timed-out':
    case 'connection-closed':
    case 'write-stalled':
      return DisconnectReason.connectionLost;
    case 'aborted':
    case 'bad-options':
    case 'disconnected-by-peer':
    case 'ended-locally':
    case 'handler-failed':
    case 'not-ready':
      return DisconnectReason.byApplication;
    case 'backlog-exceeded':
    case 'limit-exceeded':
    case 'packet-length':
    case 'protocol-violation':
      return DisconnectReason.protocolError;
  }
}
