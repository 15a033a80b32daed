export { type ChannelTransfer, createChannelTransfer } from './channel-transfer.ts';
export { type ContentHashing, createContentHashing } from './content-hashing.ts';
export { actionsOfCommand, actionsOfSubsystem, transferOfSubsystem } from './transfer-command.ts';
