import {
  type ChannelOpen,
  decodeChannelOpen,
  decodeOpenConfirmation,
  decodeOpenFailure,
  encodeOpenFailure,
} from '../connection/index.ts';
import { OpenFailureReason } from '../wire/index.ts';
import type { Channel } from './channel.ts';
import type { ChannelTable } from './channel-table.ts';
import type { RelayGates, RelayTaps, Verdict } from './contract.ts';
import { decide, type Overseer } from './decision.ts';
import type { Leg } from './leg.ts';
import { RefusalAllowance } from './refusal-allowance.ts';
import type { TargetPermissions } from './target-permissions.ts';

/** CHANNEL_OPEN and its two answers, RFC 4254 §5.1, in either direction. */
export class ChannelOpening {
  readonly #table: ChannelTable;
  readonly #permissions: TargetPermissions;
  readonly #gates: RelayGates;
  readonly #taps: RelayTaps;
  readonly #overseer: Overseer;
  readonly #allowances = { client: new RefusalAllowance('client'), target: new RefusalAllowance('target') };

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

  open(leg: Leg, plain: Buffer, payloadLength: number): void {
    const open = decodeChannelOpen(plain.subarray(1, 1 + payloadLength), leg.side);
    if (this.#waits(leg, open.senderChannel, () => this.open(leg, plain, payloadLength))) return;
    this.#table.checkUnused(leg.side, open.senderChannel);
    const refusal = this.#permissions.refusalOf(open);
    if (refusal !== undefined) {
      refuse(leg, open, refusal.reason, refusal.message);
      return;
    }
    if (!this.#table.reserve()) {
      this.#allowances[leg.side].count();
      refuse(leg, open, OpenFailureReason.resourceShortage, 'too many channels are open');
      this.#taps.limitReached?.('channels');
      return;
    }
    const apply = (verdict: Verdict) => this.#apply(leg, open, verdict, plain, payloadLength);
    decide(leg, this.#overseer, () => this.#gates.channelOpen(open), apply);
  }

  confirmation(leg: Leg, plain: Buffer, payloadLength: number): void {
    const confirmation = decodeOpenConfirmation(plain.subarray(1, 1 + payloadLength));
    const { recipientChannel, senderChannel, initialWindow, maximumPacket } = confirmation;
    const channel = this.#table.halfOpen(leg.side, recipientChannel);
    if (this.#waits(leg, senderChannel, () => this.confirmation(leg, plain, payloadLength))) return;
    this.#table.checkUnused(leg.side, senderChannel);
    const announced = channel.confirm(senderChannel, initialWindow, maximumPacket);
    this.#table.confirmed(channel);
    plain.writeUInt32BE(announced.window, CONFIRMATION_WINDOW);
    plain.writeUInt32BE(announced.maximumPacket, CONFIRMATION_WINDOW + 4);
    this.#taps.channelOpened?.(channel);
    leg.other.transport.forward(plain, payloadLength);
  }

  failure(leg: Leg, plain: Buffer, payloadLength: number): void {
    const { recipientChannel, reason, message } = decodeOpenFailure(plain.subarray(1, 1 + payloadLength));
    const channel = this.#table.halfOpen(leg.side, recipientChannel);
    this.#table.remove(channel);
    this.#taps.channelRefused?.(channel.open, reason, message);
    leg.other.transport.forward(plain, payloadLength);
  }

  /**
   * A number the target may use again, while the client does not yet know of it: the message, and all behind it, waits for
   * the client's CLOSE, since until then the client's messages with that number mean the old channel.
   */
  #waits(leg: Leg, number: number, handle: () => void): boolean {
    const lingering = this.#table.lingering(leg.side, number);
    if (lingering === undefined) return false;
    leg.hold();
    lingering.whenOver = () => {
      try {
        if (!this.#overseer.isOver) handle();
      } catch (cause) {
        this.#overseer.fail(leg, cause);
      } finally {
        leg.release();
      }
    };
    return true;
  }

  #apply(leg: Leg, open: ChannelOpen, verdict: Verdict, plain: Buffer, payloadLength: number): void {
    switch (verdict.kind) {
      case 'pass': {
        const channel = this.#table.add(open);
        announce(channel, plain);
        leg.other.transport.forward(plain, payloadLength);
        return;
      }
      case 'refuse': {
        this.#table.giveUp();
        const reason = verdict.openFailureReason ?? OpenFailureReason.administrativelyProhibited;
        refuse(leg, open, reason, verdict.message);
        return;
      }
      case 'drop':
        this.#table.giveUp();
        refuse(leg, open, OpenFailureReason.administrativelyProhibited, 'not allowed');
        return;
    }
  }
}

function refuse(leg: Leg, open: ChannelOpen, reason: number, message: string): void {
  leg.answer(encodeOpenFailure(open.senderChannel, reason, message));
}

/** Writes the window less the reserve, and the clamped packet size, over the opener's own: the length stays the same. */
function announce(channel: Channel, plain: Buffer): void {
  // In the message: padding length, number, length of the type, type, sender channel.
  const window = 6 + plain.readUInt32BE(2) + 4;
  plain.writeUInt32BE(channel.announcedWindow, window);
  plain.writeUInt32BE(channel.announcedMaximumPacket, window + 4);
}

/** In the message: padding length, number, recipient, sender, window. */
const CONFIRMATION_WINDOW = 10;
