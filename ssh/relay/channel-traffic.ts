import {
  DATA_OFFSET,
  dataLengthOf,
  EXTENDED_DATA_OFFSET,
  EXTENDED_DATA_STDERR,
  encodeData,
  encodeEof,
  encodeExtendedData,
  encodeWindowAdjust,
  extendedDataLengthOf,
  extendedDataTypeOf,
  recipientChannelOf,
  soleRecipientChannelOf,
  windowAdjustOf,
} from '../connection/index.ts';
import type { Channel } from './channel.ts';
import type { ChannelTable } from './channel-table.ts';
import { sayOverdue } from './conclusion.ts';
import type { DataVerdict, HeldVerdict, RelayGates, RelayTaps } from './contract.ts';
import { type Overseer, settled } from './decision.ts';
import type { Flow } from './flow.ts';
import { HeldData, type HeldPacket } from './held-data.ts';
import type { Leg } from './leg.ts';
import { writeNotice } from './notice.ts';
import { RelayError } from './relay-error.ts';

/**
 * Data, windows and ends of channels, RFC 4254 §5.2 and §5.3. Every packet of a transfer comes through here: messages are
 * read and changed in place, at offsets one behind the payload's, since the padding length comes first.
 */
export class ChannelTraffic {
  readonly #table: ChannelTable;
  readonly #gates: RelayGates;
  readonly #taps: RelayTaps;
  readonly #overseer: Overseer;

  constructor(table: ChannelTable, gates: RelayGates, taps: RelayTaps, overseer: Overseer) {
    this.#table = table;
    this.#gates = gates;
    this.#taps = taps;
    this.#overseer = overseer;
  }

  data(leg: Leg, plain: Buffer, payloadLength: number): void {
    const length = dataLengthOf(plain, 1, payloadLength);
    this.#carry(leg, plain, payloadLength, 1 + DATA_OFFSET, length, 'data');
  }

  extendedData(leg: Leg, plain: Buffer, payloadLength: number): void {
    const length = extendedDataLengthOf(plain, 1, payloadLength);
    // RFC 4254 §5.2 has no extended data towards a server: none that a client sends is typed at a terminal, whatever its type.
    const isError = leg.side === 'client' || extendedDataTypeOf(plain, 1) === EXTENDED_DATA_STDERR;
    const stream = isError ? 'stderr' : 'data';
    this.#carry(leg, plain, payloadLength, 1 + EXTENDED_DATA_OFFSET, length, stream);
  }

  windowAdjust(leg: Leg, plain: Buffer, payloadLength: number): void {
    const bytes = windowAdjustOf(plain, 1, payloadLength);
    const channel = this.#table.addressed(leg.side, recipientChannelOf(plain, 1, payloadLength));
    const forSender = openFlow(channel, leg.other).grant(bytes);
    if (channel.concluded) return;
    if (forSender === 0 && bytes > 0) return;
    if (forSender !== bytes) plain.writeUInt32BE(forSender, ADJUST_BYTES);
    leg.other.transport.forward(plain, payloadLength);
  }

  eof(leg: Leg, plain: Buffer, payloadLength: number): void {
    const recipient = soleRecipientChannelOf(plain, 1, payloadLength);
    const channel = this.#table.addressed(leg.side, recipient);
    if (channel.progress[leg.side] === 'eof') throw afterEof(leg, recipient);
    channel.progress[leg.side] = 'eof';
    if (channel.concluded) return;
    const held = channel.held[leg.side];
    if (held !== undefined) {
      held.eof = true;
      return;
    }
    this.#taps.channelEof?.(channel, leg.side);
    leg.other.transport.forward(plain, payloadLength);
  }

  /**
   * Returns the channel whose end came nearer; it is over where both sides have closed. Of a concluded channel the target
   * has our CLOSE already. Who closes takes back what is held: nobody would see what comes of it.
   */
  close(leg: Leg, plain: Buffer, payloadLength: number): Channel {
    const channel = this.#table.addressed(leg.side, soleRecipientChannelOf(plain, 1, payloadLength));
    channel.progress[leg.side] = 'closed';
    channel.held[leg.side]?.end();
    channel.held[leg.side] = undefined;
    if (channel.concluded && leg.side === 'client') return channel;
    if (channel.concluded) sayOverdue(leg.other, channel);
    leg.other.transport.forward(plain, payloadLength);
    return channel;
  }

  #carry(
    leg: Leg,
    plain: Buffer,
    payloadLength: number,
    start: number,
    length: number,
    stream: 'data' | 'stderr',
  ): void {
    const recipient = recipientChannelOf(plain, 1, payloadLength);
    const channel = this.#table.addressed(leg.side, recipient);
    if (channel.progress[leg.side] === 'eof') throw afterEof(leg, recipient);
    const flow = openFlow(channel, leg);
    flow.take(length);
    if (channel.concluded) return;
    if (this.#isWatched) {
      const data = plain.subarray(start, start + length);
      const held = channel.held[leg.side];
      if (held !== undefined) {
        held.keep(stream, data);
        return;
      }
      const verdict = this.#gates.channelData?.(channel, leg.side, stream, data) ?? 'pass';
      if (verdict !== 'pass') {
        this.#act(leg, channel, flow, { stream, data }, verdict);
        return;
      }
      channel.bytesFrom[leg.side] += length;
      this.#taps.channelData?.(channel, leg.side, stream, data);
    } else {
      channel.bytesFrom[leg.side] += length;
    }
    flow.deliver(length);
    leg.other.transport.handOver(plain, payloadLength);
    this.#credit(leg, channel, flow);
  }

  #act(
    leg: Leg,
    channel: Channel,
    flow: Flow,
    packet: HeldPacket,
    verdict: Exclude<DataVerdict, 'pass'>,
  ): void {
    if (verdict === 'drop') this.#replace(leg, channel, flow, packet.stream, dropped(packet.data.length));
    else if (verdict.kind !== 'hold') this.#replace(leg, channel, flow, packet.stream, verdict);
    else {
      const held = new HeldData(leg);
      channel.held[leg.side] = held;
      held.keep(packet.stream, packet.data);
      this.#pass(leg, channel, flow, held, verdict.pass);
      // Owned here: every outcome is applied or ends the relay, and nothing rejects.
      void this.#applyLater(leg, channel, held, verdict.until);
    }
  }

  async #applyLater(leg: Leg, channel: Channel, held: HeldData, until: Promise<HeldVerdict>): Promise<void> {
    try {
      for (let pending: Promise<HeldVerdict> | undefined = until; pending !== undefined; ) {
        const verdict: HeldVerdict = await settled(pending);
        if (this.#overseer.isOver || channel.held[leg.side] !== held) return;
        pending = this.#goOn(leg, channel, held, verdict);
      }
      channel.held[leg.side] = undefined;
    } catch (cause) {
      this.#overseer.fail(leg, cause);
    } finally {
      held.end();
    }
  }

  /** Until the gate holds again, which is returned, or nothing is left. */
  #goOn(leg: Leg, channel: Channel, held: HeldData, verdict: HeldVerdict): Promise<HeldVerdict> | undefined {
    const flow = openFlow(channel, leg);
    this.#settle(leg, channel, flow, held, verdict);
    for (let next = held.first; next !== undefined; next = held.first) {
      const { stream, data } = next;
      const again = this.#gates.channelData?.(channel, leg.side, stream, data) ?? 'pass';
      if (again === 'pass') this.#pass(leg, channel, flow, held, data.length);
      else if (again !== 'drop' && again.kind === 'hold') {
        this.#pass(leg, channel, flow, held, again.pass);
        return again.until;
      } else {
        held.letGo(data.length);
        this.#act(leg, channel, flow, next, again);
      }
    }
    if (!held.eof) return undefined;
    this.#taps.channelEof?.(channel, leg.side);
    leg.other.transport.send(encodeEof(channel.numbers[leg.other.side]));
    return undefined;
  }

  #settle(leg: Leg, channel: Channel, flow: Flow, held: HeldData, verdict: HeldVerdict): void {
    const { bytes, onward, notice } = verdict;
    const { first } = held;
    if (onward === undefined) this.#pass(leg, channel, flow, held, bytes);
    else if (first !== undefined) {
      if (onward.length > bytes || bytes > first.data.length)
        throw new Error(`${onward.length} bytes cannot stand for ${bytes} of ${first.data.length}`);
      held.letGo(bytes);
      const by = { onward: [onward], dropped: bytes - onward.length, added: 0, back: [] };
      this.#replace(leg, channel, flow, first.stream, { kind: 'replace', ...by });
    }
    if (notice !== undefined) writeNotice(leg.side === 'client' ? leg : leg.other, channel, notice);
  }

  /** So many bytes of the first packet go on. */
  #pass(leg: Leg, channel: Channel, flow: Flow, held: HeldData, bytes: number): void {
    const { first } = held;
    if (first === undefined || bytes === 0) return;
    const { stream } = first;
    const data = first.data.subarray(0, bytes);
    held.letGo(bytes);
    channel.bytesFrom[leg.side] += data.length;
    this.#taps.channelData?.(channel, leg.side, stream, data);
    flow.deliver(data.length);
    say(leg.other, channel, stream, data, flow.maximumPacket);
    this.#credit(leg, channel, flow);
  }

  #replace(leg: Leg, channel: Channel, flow: Flow, stream: 'data' | 'stderr', verdict: SettledVerdict): void {
    if (verdict.kind === 'refuse') throw new RelayError('data-refused', verdict.message, leg.side);
    spend(flow, verdict.added);
    const onward = Buffer.concat(verdict.onward);
    channel.bytesFrom[leg.side] += onward.length - verdict.added;
    flow.deliver(onward.length - verdict.added);
    say(leg.other, channel, stream, onward, flow.maximumPacket);
    flow.drop(verdict.dropped);
    this.#credit(leg, channel, flow);
    const back = Buffer.concat(verdict.back);
    // The other side has said its last, and nothing may follow it.
    if (back.length === 0 || channel.progress[leg.other.side] !== 'sending') return;
    const backFlow = openFlow(channel, leg.other);
    spend(backFlow, back.length);
    say(leg, channel, 'data', back, backFlow.maximumPacket);
  }

  get #isWatched(): boolean {
    return this.#taps.channelData !== undefined || this.#gates.channelData !== undefined;
  }

  /** Without it the sender would stop for ever after as many dropped bytes as its window has. */
  #credit(leg: Leg, channel: Channel, flow: Flow): void {
    const bytes = flow.creditDue();
    if (bytes === 0 || channel.progress[leg.other.side] === 'closed') return;
    leg.answer(encodeWindowAdjust(channel.numbers[leg.side], bytes));
  }
}

type SettledVerdict = Extract<DataVerdict, { readonly kind: 'replace' | 'refuse' }>;

function dropped(length: number): SettledVerdict {
  return { kind: 'replace', onward: [], dropped: length, added: 0, back: [] };
}

/** @throws RelayError where the window held back does not suffice: what cannot be said must not be left out either */
function spend(flow: Flow, bytes: number): void {
  if (bytes === 0) return;
  if (bytes > flow.spare)
    throw new RelayError(
      'window-spent',
      'too much was refused on one channel to be answered within its window',
    );
  flow.inject(bytes);
}

/** Sends data to the peer of `leg`, in messages it takes. */
function say(
  leg: Leg,
  channel: Channel,
  stream: 'data' | 'stderr',
  data: Buffer,
  maximumPacket: number,
): void {
  const recipient = channel.numbers[leg.side];
  for (let at = 0; at < data.length; at += maximumPacket) {
    const part = data.subarray(at, at + maximumPacket);
    leg.transport.send(
      stream === 'data'
        ? encodeData(recipient, part)
        : encodeExtendedData(recipient, EXTENDED_DATA_STDERR, part),
    );
  }
}

function openFlow(channel: Channel, sender: Leg): Flow {
  const flow = channel.flowFrom(sender.side);
  if (flow === undefined) throw new Error('a channel that is not open was addressed');
  return flow;
}

function afterEof(leg: Leg, recipient: number): RelayError {
  return new RelayError(
    'channel-state',
    `the ${leg.side} sent data or an end on channel ${recipient} after its CHANNEL_EOF`,
    leg.side,
  );
}

/** In the message: padding length, number, recipient channel. */
const ADJUST_BYTES = 6;
