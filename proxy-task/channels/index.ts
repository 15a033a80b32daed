export type { ChannelOwner } from './channel-owner.ts';
export { createSessionChannels } from './session-channels.ts';
