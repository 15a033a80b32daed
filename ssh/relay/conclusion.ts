import {
  type ChannelRequest,
  encodeChannelFailure,
  encodeChannelRequest,
  encodeChannelSuccess,
  encodeClose,
  encodeEof,
} from '../connection/index.ts';
import type { Channel } from './channel.ts';
import type { Leg } from './leg.ts';
import { stderrLine } from './notice.ts';

/** Whether we can play the program that `request` would have started: the client asks for one, and the target has not ended its output. */
export function mayConclude(channel: Channel, request: ChannelRequest): boolean {
  const { kind } = request.detail;
  const startsProgram = kind === 'shell' || kind === 'exec' || kind === 'subsystem';
  return startsProgram && request.from === 'client' && channel.progress.target === 'sending';
}

/**
 * Plays the program that was refused: it starts, says why, exits. The target sees its channel closed; its CLOSE then goes to
 * the client, whose own stays here. Neither end so takes the channel for over, and its number for free, before the other has
 * been told: only the client's last messages may still be on their way (`Channel.whenOver`).
 */
export function conclude(
  client: Leg,
  channel: Channel,
  request: ChannelRequest,
  message: string,
  status: number,
): void {
  channel.concluded = true;
  const number = channel.numbers.client;
  const stderr = stderrLine(channel, message);
  const exit = { type: 'exit-status', wantReply: false, detail: { kind: 'exit-status', status } } as const;
  const payloads = [
    ...(request.wantReply ? [encodeChannelSuccess(number)] : []),
    ...(stderr === undefined ? [] : [stderr]),
    encodeChannelRequest(number, exit),
    encodeEof(number),
  ];
  for (const payload of payloads) if (channel.replies.client.answer(payload)) client.answer(payload);
  client.other.transport.send(encodeClose(channel.numbers.target));
}

/** The target closed a channel that we concluded: what waited for answers of its own goes out, with failure in their place. */
export function sayOverdue(client: Leg, channel: Channel): void {
  const failure = encodeChannelFailure(channel.numbers.client);
  for (const ours of channel.replies.client.overdue()) client.answer(ours ?? failure);
}
