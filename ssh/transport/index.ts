export { adoptConnection } from './adopt-connection.ts';
export { connectSocket } from './connect-socket.ts';
export type {
  AlgorithmPreferences,
  ByteLink,
  HostKey,
  Role,
  Transport,
  TransportEnd,
  TransportLimits,
  TransportOptions,
} from './contract.ts';
export { linkFromDuplex } from './duplex-link.ts';
export { presentableAlgorithms } from './host-key-proof.ts';
export { linkFromSocket } from './socket-link.ts';
export { createTransport } from './transport.ts';
export { TransportError } from './transport-error.ts';
export { whenEnded } from './when-ended.ts';
