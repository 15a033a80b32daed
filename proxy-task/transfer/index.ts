export { type ChannelTransfer, createChannelTransfer } from './channel-transfer.ts';
export { createContentHasher } from './content-hasher.ts';
export { actionsOfCommand, actionsOfSubsystem, transferOfSubsystem } from './transfer-command.ts';
