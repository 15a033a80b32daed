import { closePortForward, completeCommand } from '#core/event';
import type { RelayChannel, RelayGates, RelayTaps } from '#ssh';
import type { ChannelOwner, ChannelState } from './channel-owner.ts';
import { forwardOf, gateGlobal, gateOpen } from './forwards.ts';
import { judgeLock } from './judgement.ts';
import { gateRequest, noteAnswer } from './programs.ts';

/**
 * The gates and taps of one session: policy is asked for each channel, request and forward, and each answer is on record
 * before the target sees what it allows.
 */
export function createSessionChannels(owner: ChannelOwner): {
  readonly gates: RelayGates;
  readonly taps: RelayTaps;
} {
  const states = new Map<number, ChannelState>();

  function stateOf(channel: RelayChannel): ChannelState {
    const known = states.get(channel.serial);
    if (known !== undefined) return known;
    const fresh: ChannelState = {
      terminal: undefined,
      recorder: undefined,
      hold: undefined,
      terminalAskedAtMs: undefined,
      roundTripMs: undefined,
      transfer: undefined,
      started: undefined,
      exit: undefined,
      forward: undefined,
      variables: 0,
    };
    states.set(channel.serial, fresh);
    return fresh;
  }

  return {
    gates: {
      channelOpen: (open) => judgeLock(owner) ?? gateOpen(owner, open),
      // What the target says of a program that ends may be said.
      channelRequest: (channel, request) =>
        (request.from === 'client' ? judgeLock(owner) : undefined) ??
        gateRequest(owner, stateOf(channel), channel, request),
      globalRequest: (request) => judgeLock(owner) ?? gateGlobal(owner, request),
      // What a transfer says on its standard error is text for people, and none of what a client says there is typed.
      channelData(channel, from, stream, data) {
        const state = stream === 'data' ? states.get(channel.serial) : undefined;
        const held = from === 'client' ? state?.hold?.fromClient(data) : undefined;
        return held ?? state?.transfer?.data(from, data) ?? 'pass';
      },
    },
    taps: {
      channelOpened(channel) {
        const forward = forwardOf(channel.open);
        if (forward !== undefined) stateOf(channel).forward = { forward, openedAtMs: owner.now() };
      },
      channelRequestAnswered(channel, request, answer) {
        const state = states.get(channel.serial);
        if (state !== undefined) noteAnswer(state, request, answer, owner.now());
      },
      channelData(channel, from, stream, data) {
        owner.usage.moved(from, data.length);
        const state = states.get(channel.serial);
        if (from === 'target') {
          state?.recorder?.output(data, stream === 'stderr' ? 'stderr' : 'stdout');
          state?.hold?.shown();
        } else if (stream === 'data') {
          state?.recorder?.input(data);
          state?.hold?.typed();
        }
      },
      channelClosed(channel) {
        const state = states.get(channel.serial);
        states.delete(channel.serial);
        state?.hold?.end();
        state?.transfer?.end(state.exit?.kind === 'status' ? state.exit.status : undefined);
        if (state !== undefined) owner.owe(closeChannel(owner, state, channel));
      },
    },
  };
}

/** A recording is finished whatever becomes of the events: what it holds, a thread among it, would be held for good. */
async function closeChannel(owner: ChannelOwner, state: ChannelState, channel: RelayChannel): Promise<void> {
  try {
    await recordEnds(owner, state, channel);
  } finally {
    if (state.recorder !== undefined) await owner.storeRecording(state.recorder, state.exit);
  }
}

async function recordEnds(owner: ChannelOwner, state: ChannelState, channel: RelayChannel): Promise<void> {
  const at = owner.now();
  const { client, target } = channel.bytesFrom;
  if (state.forward !== undefined) {
    const { forward, openedAtMs } = state.forward;
    await owner.record(
      closePortForward(owner.facts, at, {
        forward,
        channelId: `c${channel.serial}`,
        bytesIn: client,
        bytesOut: target,
        seconds: (at - openedAtMs) / 1000,
      }),
    );
  }
  if (state.started !== undefined) {
    await owner.record(
      completeCommand(owner.facts, at, {
        channelId: `c${channel.serial}`,
        channel: state.started.kind,
        exitStatus: state.exit?.kind === 'status' ? state.exit.status : undefined,
        exitSignal: state.exit?.kind === 'signal' ? state.exit.signal : undefined,
        bytesIn: client,
        bytesOut: target,
        seconds: (at - state.started.atMs) / 1000,
      }),
    );
  }
}
