export { adoptConnection } from './adopt-connection.ts';
export { type ConnectTarget, connectSocket } from './connect-socket.ts';
export type {
  AlgorithmPreferences,
  ByteLink,
  ByteLinkEvents,
  HostKey,
  HostKeyVerdict,
  NegotiatedAlgorithms,
  Role,
  Transport,
  TransportEnd,
  TransportLimits,
  TransportOptions,
} from './contract.ts';
export { linkFromDuplex } from './duplex-link.ts';
export { linkFromSocket } from './socket-link.ts';
export { createTransport } from './transport.ts';
export { TransportError, type TransportErrorCode } from './transport-error.ts';
