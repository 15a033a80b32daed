export type {
  ContentHasher,
  FileOperation,
  OperationOutcome,
  TransferDenial,
  TransferDirection,
  TransferProtocol,
} from './file-operation.ts';
export { createOpaqueChannel } from './opaque-channel.ts';
export { createScpChannel } from './scp-channel.ts';
export { createSftpChannel } from './sftp-channel.ts';
export type { TransferChannel, TransferChannelOptions, TransferVerdict } from './transfer-channel.ts';
export { type TransferCommand, transferCommandOf } from './transfer-command.ts';
export type { TransferGuard } from './transfer-guard.ts';
