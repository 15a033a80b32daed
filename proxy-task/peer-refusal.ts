import type { ConnectionRefusal } from '#core/event';
import { AuthenticationError, DisconnectReason, type TransportEnd, TransportError } from '#ssh';

/** What a peer that proved nothing did wrong; undefined where it did nothing but leave. */
export function refusalOfPeer(error: unknown): ConnectionRefusal | undefined {
  if (!(error instanceof AuthenticationError)) return undefined;
  switch (error.code) {
    case 'timeout':
      return 'login-timeout';
    case 'too-many-attempts':
      return 'too-many-attempts';
    case 'user-changed':
    case 'protocol':
      return 'protocol-error';
    // The decision failed on our side.
    case 'refused':
      return undefined;
    case 'ended':
      return refusalOfTransport(error.cause);
  }
}

/** Whether a connection ended because its peer broke the protocol or a limit. */
export function isFaultOfPeer(end: TransportEnd): boolean {
  // What the relay finds against a peer it says in its DISCONNECT.
  if (end.kind === 'local') return end.code === DisconnectReason.protocolError;
  return end.kind === 'fault' && refusalOfTransport(end.error) !== undefined;
}

function refusalOfTransport(cause: unknown): ConnectionRefusal | undefined {
  if (!(cause instanceof TransportError)) return undefined;
  switch (cause.code) {
    case 'key-exchange-timed-out':
      return 'login-timeout';
    case 'limit-exceeded':
    case 'backlog-exceeded':
    case 'write-stalled':
      return 'limit-exceeded';
    // Ours, too.
    case 'handler-failed':
      return undefined;
    default:
      return 'protocol-error';
  }
}
