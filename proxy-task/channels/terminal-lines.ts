import { amendCommand, executeCommand } from '#core/event';
import type { ChannelName } from '#core/recording';
import type { RecordingStart } from '../recording/index.ts';
import type { ChannelOwner } from './channel-owner.ts';

/** Puts on record the lines that were accepted on a terminal, as it showed them. */
export function terminalLines(
  owner: ChannelOwner,
  channelId: ChannelName,
  startedAtMs: number,
): Pick<RecordingStart, 'onCommand' | 'onAmend'> {
  const { facts } = owner;
  return {
    onCommand: ({ number, offsetMs, text, kind, confidence, prompt }) =>
      owner.owe(
        owner.record(
          executeCommand(facts, startedAtMs + offsetMs, {
            channelId,
            command: text,
            commandSource: 'pty',
            confidence,
            pty: true,
            line: { number, kind, prompt, recordingSecond: offsetMs / 1000 },
          }),
        ),
      ),
    onAmend: ({ number, text, aborted }) =>
      owner.owe(
        owner.record(amendCommand(facts, owner.now(), { channelId, number, command: text, aborted })),
      ),
  };
}
