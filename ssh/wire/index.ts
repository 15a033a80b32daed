export { DisconnectReason, MessageNumber, OpenFailureReason } from './message-number.ts';
export { WireReader } from './reader.ts';
export { WireError } from './wire-error.ts';
export { WireWriter } from './writer.ts';
