import type { ChannelOpen, Side } from '../connection/index.ts';
import { Channel, otherSide } from './channel.ts';
import type { RelayLimits } from './contract.ts';
import { RelayError } from './relay-error.ts';

/**
 * The channels of a relay and both sides' numbers for them (RFC 4254 §5). Messages pass with the numbers the ends chose:
 * one from the client carries the target's number, one from the target the client's.
 */
export class ChannelTable {
  readonly bySerial = new Map<number, Channel>();
  readonly #byNumber = { client: new Map<number, Channel>(), target: new Map<number, Channel>() };
  readonly #limits: RelayLimits;
  #lastSerial = 0;
  /** Opens a gate has not decided about yet; they count, so that both sides together keep to the limit. */
  #undecided = 0;

  constructor(limits: RelayLimits) {
    this.#limits = limits;
  }

  /** Keeps a place for an open that is to be decided on; false when all are taken. Followed by `add` or `giveUp`. */
  reserve(): boolean {
    if (this.bySerial.size + this.#undecided >= this.#limits.maxChannels) return false;
    this.#undecided += 1;
    return true;
  }

  giveUp(): void {
    this.#undecided -= 1;
  }

  /** The opener may not use a number again before both CLOSEs, or the refusal. */
  checkUnused(side: Side, number: number): void {
    if (this.#byNumber[side].has(number))
      throw new RelayError(
        'channel-number-in-use',
        `the ${side} opened channel ${number}, which is in use`,
        side,
      );
  }

  /**
   * The concluded channel that still holds a number of the target's although the target is through with it: the client's
   * CLOSE is on its way.
   */
  lingering(side: Side, number: number): Channel | undefined {
    const channel = this.#byNumber[side].get(number);
    return channel?.concluded === true && side === 'target' && channel.progress.target === 'closed'
      ? channel
      : undefined;
  }

  /** A reserved open is passed on. */
  add(open: ChannelOpen): Channel {
    this.#undecided -= 1;
    this.#lastSerial += 1;
    const channel = new Channel(this.#lastSerial, open, this.#limits);
    this.bySerial.set(channel.serial, channel);
    this.#byNumber[open.from].set(open.senderChannel, channel);
    return channel;
  }

  /** The accepting side's number is known. */
  confirmed(channel: Channel): void {
    const side = otherSide(channel.open.from);
    this.#byNumber[side].set(channel.numbers[side], channel);
  }

  /** The half-open channel that `from` answers by `recipient`, the opener's number. */
  halfOpen(from: Side, recipient: number): Channel {
    const channel = this.#byNumber[otherSide(from)].get(recipient);
    if (channel === undefined || channel.isOpen)
      throw new RelayError(
        'unknown-channel',
        `the ${from} answered an open of channel ${recipient}, which is not being opened`,
        from,
      );
    return channel;
  }

  /** The open channel a message from `from` is addressed to by the other side's number, while `from` may still send on it. */
  addressed(from: Side, recipient: number): Channel {
    const channel = this.#byNumber[otherSide(from)].get(recipient);
    if (channel === undefined || !channel.isOpen)
      throw new RelayError(
        'unknown-channel',
        `the ${from} sent a message for channel ${recipient}, which is not open`,
        from,
      );
    if (channel.progress[from] === 'closed')
      throw new RelayError(
        'channel-state',
        `the ${from} sent a message for channel ${recipient} after its CHANNEL_CLOSE`,
        from,
      );
    return channel;
  }

  remove(channel: Channel): void {
    this.bySerial.delete(channel.serial);
    const { open, numbers } = channel;
    this.#byNumber[open.from].delete(numbers[open.from]);
    if (channel.isOpen) this.#byNumber[otherSide(open.from)].delete(numbers[otherSide(open.from)]);
  }
}
