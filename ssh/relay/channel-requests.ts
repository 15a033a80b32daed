import {
  type ChannelRequest,
  decodeChannelRequest,
  encodeChannelFailure,
  type Side,
  soleRecipientChannelOf,
} from '../connection/index.ts';
import { type Channel, otherSide } from './channel.ts';
import type { ChannelTable } from './channel-table.ts';
import { conclude, mayConclude } from './conclusion.ts';
import type { Answer, RelayGates, RelayTaps, Verdict } from './contract.ts';
import { decide, type Overseer } from './decision.ts';
import type { Leg } from './leg.ts';
import { RelayError } from './relay-error.ts';
import { isMisdirected, type TargetPermissions } from './target-permissions.ts';

/** CHANNEL_REQUEST and its two answers, RFC 4254 §5.4, in either direction. */
export class ChannelRequests {
  readonly #table: ChannelTable;
  readonly #permissions: TargetPermissions;
  readonly #gates: RelayGates;
  readonly #taps: RelayTaps;
  readonly #overseer: Overseer;

  constructor(
    table: ChannelTable,
    permissions: TargetPermissions,
    gates: RelayGates,
    taps: RelayTaps,
    overseer: Overseer,
  ) {
    this.#table = table;
    this.#permissions = permissions;
    this.#gates = gates;
    this.#taps = taps;
    this.#overseer = overseer;
  }

  request(leg: Leg, plain: Buffer, payloadLength: number): void {
    const decoded = decodeChannelRequest(plain.subarray(1, 1 + payloadLength), leg.side);
    const { recipientChannel, request } = decoded;
    const channel = this.#table.addressed(leg.side, recipientChannel);
    if (channel.concluded) return;
    if (request.wantReply && channel.replies[leg.side].isFull)
      throw new RelayError(
        'too-many-requests',
        `the ${leg.side} has too many unanswered requests on channel ${recipientChannel}`,
        leg.side,
      );
    if (isMisdirected(channel.open.detail.kind, request)) {
      refuse(leg, channel, request);
      return;
    }
    const apply = (verdict: Verdict) => this.#apply(leg, channel, request, verdict, plain, payloadLength);
    decide(leg, this.#overseer, () => this.#gates.channelRequest(channel, request), apply);
  }

  reply(leg: Leg, plain: Buffer, payloadLength: number, answer: 'success' | 'failure'): void {
    const recipient = soleRecipientChannelOf(plain, 1, payloadLength);
    const channel = this.#table.addressed(leg.side, recipient);
    const replies = channel.replies[leg.other.side];
    const request = replies.settle();
    // We ask nothing on channels.
    if (request === undefined || request === 'ours')
      throw new RelayError(
        'unexpected-reply',
        `the ${leg.side} answered a request on channel ${recipient} that was not made`,
        leg.side,
      );
    this.#answered(channel, request, answer);
    leg.other.transport.forward(plain, payloadLength);
    for (let due = replies.due(); due !== undefined; due = replies.due()) leg.other.answer(due);
  }

  /** `side` has sent CHANNEL_CLOSE, or is gone: what it was asked stays unanswered. */
  abandon(channel: Channel, side: Side): void {
    for (const request of channel.replies[otherSide(side)].abandon())
      this.#answered(channel, request, 'none');
  }

  #apply(
    leg: Leg,
    channel: Channel,
    request: ChannelRequest,
    verdict: Verdict,
    plain: Buffer,
    payloadLength: number,
  ): void {
    if (verdict.kind !== 'pass') {
      if (verdict.kind === 'refuse' && verdict.exitStatus !== undefined && mayConclude(channel, request))
        conclude(leg, channel, request, verdict.message, verdict.exitStatus);
      else refuse(leg, channel, request);
      return;
    }
    this.#permissions.requestPassed(request);
    leg.other.transport.forward(plain, payloadLength);
    // The other side may have closed while the gate thought: it still takes messages, but answers none.
    if (request.wantReply && channel.progress[leg.other.side] !== 'closed')
      channel.replies[leg.side].expect(request);
    else this.#answered(channel, request, 'none');
  }

  #answered(channel: Channel, request: ChannelRequest, answer: Answer): void {
    const { kind } = request.detail;
    const granted = answer === 'success' || (answer === 'none' && !request.wantReply);
    if (granted && kind === 'pty-req') channel.terminal.granted = true;
    if (granted && (kind === 'shell' || kind === 'exec')) channel.terminal.started = true;
    this.#taps.channelRequestAnswered?.(channel, request, answer);
  }
}

function refuse(leg: Leg, channel: Channel, request: ChannelRequest): void {
  // Our answer stands for the other side's, which after its CHANNEL_CLOSE can give none.
  if (!request.wantReply || channel.progress[leg.other.side] === 'closed') return;
  const failure = encodeChannelFailure(channel.numbers[leg.side]);
  if (channel.replies[leg.side].answer(failure)) leg.answer(failure);
}
